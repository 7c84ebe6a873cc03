/** One span of time with some watchers, or with several of them one after the other. */
import { endpointStatuses } from '../../src/client/index.ts';
import { cpuMicros } from '../processes.ts';
import { elapse } from '../progress.ts';
import { LeaderProcess } from '../systems/leader-process.ts';
import { type ElectedCluster, pidsOf } from '../systems/system.ts';
import type { Measurement } from '../writers/writers.ts';
import type { WritersProcess } from '../writers/writers-process.ts';
import type { WatchersReport } from './watchers.ts';
import { WatchersProcess } from './watchers-process.ts';

/** Who writes to whom. */
export interface Bed {
  readonly cluster: ElectedCluster;
  readonly writers: WritersProcess;
}

export interface Trial {
  readonly puts: Measurement;
  readonly events: WatchersReport;
  /** Of the three nodes together. */
  readonly cpuMicrosPerPut: number;
  /** The share of a processor that the watchers took. */
  readonly watchersShare: number;
  /** The most that each node had of its own memory. */
  readonly mebibytes: readonly number[];
}

export interface Crowd {
  readonly sockets: number;
  readonly watches: number;
  readonly ownKeys: boolean;
}

export interface StalledTrial {
  readonly alone: Trial;
  readonly beside: Trial;
  /** Until some of the stalled watches had told everything that they had missed. */
  readonly drainSeconds: number;
  /** What went wrong with them. */
  readonly complaints: readonly string[];
}

/** What is begun by then has gone on for long enough. */
const settleMs = 4_000;
const healthy: Crowd = { sockets: 20, watches: 20, ownKeys: false };
const stalled: Crowd = { sockets: 1, watches: 500, ownKeys: false };
const drainedWatches = 50;
const statusMsMax = 5_000;

/** The crowd watches for so long. */
export async function tryCrowd(bed: Bed, crowd: Crowd, measureMs: number): Promise<Trial> {
  const watchers = new WatchersProcess();
  try {
    await watchers.ask({ type: 'open', endpoints: bed.cluster.endpoints, ...crowd });
    await elapse(settleMs);
    return await measure(bed, watchers, measureMs);
  } finally {
    await watchers.end();
  }
}

export async function tryStalled(bed: Bed, measureMs: number): Promise<StalledTrial> {
  const { endpoints } = bed.cluster;
  const watchers = new WatchersProcess();
  const asleep = new WatchersProcess();
  try {
    await watchers.ask({ type: 'open', endpoints, ...healthy });
    await elapse(settleMs);
    const alone = await measure(bed, watchers, measureMs);
    const leader = await bed.cluster.leader();
    await asleep.ask({ type: 'open', endpoints: [leader], ...stalled });
    asleep.process.kill('SIGSTOP');
    const beside = await measure(bed, watchers, measureMs).finally(() =>
      asleep.process.kill('SIGCONT'),
    );
    const startMs = performance.now();
    const statuses = await endpointStatuses(endpoints, statusMsMax);
    const revision = Math.max(...statuses.map(({ status }) => status?.revision ?? 0));
    await asleep.ask({ type: 'drain', watches: drainedWatches, revision });
    const drainSeconds = (performance.now() - startMs) / 1000;
    return { alone, beside, drainSeconds, complaints: (await asleep.lap()).ended };
  } finally {
    await watchers.end();
    await asleep.end();
  }
}

async function measure(
  { cluster, writers }: Bed,
  watchers: WatchersProcess,
  measureMs: number,
): Promise<Trial> {
  const pids = pidsOf(cluster);
  const nodes = pids.map((pid) => new LeaderProcess(pid));
  try {
    await writers.measure({ type: 'lap' });
    await watchers.lap();
    const beganMicros = cpuMicros(pids);
    const watching = [watchers.process.pid ?? 0];
    const watchersMicros = cpuMicros(watching);
    await elapse(measureMs);
    const puts = await writers.measure({ type: 'lap' });
    const micros = cpuMicros(pids) - beganMicros;
    const mebibytes = nodes.map((node) => node.lap().ownMebibytesMax);
    const watchersShare = (cpuMicros(watching) - watchersMicros) / (measureMs * 1000);
    const cpuMicrosPerPut = micros / puts.puts;
    return { puts, events: await watchers.lap(), cpuMicrosPerPut, watchersShare, mebibytes };
  } finally {
    for (const node of nodes) node.end();
  }
}
