/** One way to catch up, on a cluster of its own. */
import { join } from 'node:path';
import { elapse } from '../progress.ts';
import { areDigestsEqual, type CatchUp, Follower } from '../systems/follower.ts';
import { LeaderProcess, type LeaderSpan } from '../systems/leader-process.ts';
import { startRollcall } from '../systems/rollcall.ts';
import type { ElectedCluster } from '../systems/system.ts';
import type { Measurement, WriteCount } from '../writers/writers.ts';
import { WritersProcess } from '../writers/writers-process.ts';
import type { CatchUpSettings } from './settings.ts';
import type { Way } from './ways.ts';

/**
 * After the fill, before anything is measured: the nodes write their states out and let go of what log
 * they need not keep.
 */
const settleMs = 8_000;
const beforeMs = 10_000;

export interface Trial extends CatchUp, WriteCount {
  /** Value bytes that the follower missed. */
  readonly missedBytes: number;
  readonly fill: Measurement;
  readonly before: Measurement;
  readonly during: Measurement;
  readonly received: Way['received'];
  readonly leader: { readonly before: LeaderSpan; readonly during: LeaderSpan };
  readonly digestsEqual: boolean;
  readonly failures: number;
}

export async function tryWay(
  way: Way,
  settings: CatchUpSettings,
  directory: string,
  say: (text: string) => void,
): Promise<Trial> {
  say('starting …');
  const cluster = await startRollcall(join(directory, way.name), 'sdk', {
    parameters: way.parameters(settings.writes * settings.valueBytes),
    areLinked: way.linkBytesPerSecond !== null,
  });
  const writers = new WritersProcess((written) => {
    say(`${written.toLocaleString('en')} puts written`);
  });
  await writers.ask({
    ...{ type: 'open', endpoints: cluster.endpoints, valueBytes: settings.valueBytes },
  });
  const trial = await measure(way, settings, cluster, writers, say);
  await writers.end();
  await endAll(cluster);
  return trial;
}

async function measure(
  { linkBytesPerSecond }: Way,
  { writes, valueBytes, rate }: CatchUpSettings,
  cluster: ElectedCluster,
  writers: WritersProcess,
  say: (text: string) => void,
): Promise<Trial> {
  const follower = new Follower(cluster, await cluster.healthy());
  const stateBefore = await follower.stateNumber();
  await follower.kill();
  say(`${follower.name} is killed, ${writes.toLocaleString('en')} puts to write …`);
  const fill = await writers.measure({ type: 'fill', writes });
  say(`${Math.round(fill.putsPerSecond).toLocaleString('en')} puts/s; now ${rate} puts/s …`);
  await writers.ask({ type: 'begin', rate });
  await elapse(settleMs);
  const settling = await writers.measure({ type: 'lap' });
  const leader = new LeaderProcess(follower.leader.server.process.pid ?? 0);
  await elapse(beforeMs);
  const before = await writers.measure({ type: 'lap' });
  const leaderBefore = leader.lap();
  follower.link?.limit(linkBytesPerSecond);
  follower.startAgain();
  const caughtUp = await follower.catchUp(say).finally(() => leader.end());
  const leaderDuring = leader.lap();
  const during = await writers.measure({ type: 'lap' });
  say(`${follower.name} has caught up; reading back what was acknowledged …`);
  const count = await writers.check();
  await cluster.healthy();
  const missedBytes = (fill.puts + settling.puts + before.puts) * valueBytes;
  return {
    ...caughtUp,
    ...count,
    ...{ missedBytes, fill, before, during },
    received: (await follower.stateNumber()) === stateBefore ? 'entries' : 'a state',
    leader: { before: leaderBefore, during: leaderDuring },
    digestsEqual: await areDigestsEqual(cluster),
    failures: [fill, settling, before, during].reduce((sum, { failures }) => sum + failures, 0),
  };
}

/** The memory of this cluster is not to be missing for the next one. */
async function endAll(cluster: ElectedCluster): Promise<void> {
  for (const { server } of cluster.nodes) {
    server.process.kill('SIGTERM');
    await server.ended();
  }
}
