/** One way to catch up, on a cluster of its own. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { converse, startModule } from '../processes.ts';
import { elapse } from '../progress.ts';
import { startRollcall } from '../systems/rollcall.ts';
import type { ElectedCluster } from '../systems/system.ts';
import { areDigestsEqual, type CatchUp, Follower } from './follower.ts';
import { LeaderProcess, type LeaderSpan } from './leader-process.ts';
import type { CatchUpSettings } from './settings.ts';
import type { Way } from './ways.ts';
import type { Measurement, WriteCount, WritersJob, WritersReport } from './writers.ts';

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
  const options = way.parameters(settings.writes * settings.valueBytes);
  const cluster = await startRollcall(join(directory, way.name), 'sdk', options);
  const writers = new WritersProcess((written) => {
    say(`${written.toLocaleString('en')} puts written`);
  });
  await writers.ask({
    ...{ type: 'open', endpoints: cluster.endpoints, valueBytes: settings.valueBytes },
  });
  const trial = await measure(settings, cluster, writers, say);
  await writers.end();
  await endAll(cluster);
  return trial;
}

async function measure(
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

class WritersProcess {
  readonly #process: ChildProcess = startModule(new URL('./writers.js', import.meta.url));
  readonly #progress: (written: number) => void;

  constructor(progress: (written: number) => void) {
    this.#progress = progress;
  }

  async measure(job: WritersJob & { readonly type: 'fill' | 'lap' }): Promise<Measurement> {
    const report = await this.ask(job);
    if (report?.type !== 'measured') throw new Error('The writers measured nothing');
    return report.measurement;
  }

  async check(): Promise<WriteCount> {
    const report = await this.ask({ type: 'check' });
    if (report?.type !== 'checked') throw new Error('The writers checked nothing');
    return report.count;
  }

  /** The last report of the job. */
  async ask(job: WritersJob): Promise<WritersReport | null> {
    let last: WritersReport | null = null;
    await converse(this.#process, job, (report: WritersReport) => {
      if (report.type === 'progress') this.#progress(report.written);
      last = report;
    });
    return last;
  }

  async end(): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exit;
  }
}
