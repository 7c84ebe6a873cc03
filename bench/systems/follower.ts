/** A follower that something is done to, and the leader that it catches up with. */
import type { ChildProcess } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { endpointStatuses, type NodeStatus } from '../../src/client/index.ts';
import type { Link } from '../link.ts';
import { assertAlive } from '../processes.ts';
import { elapse } from '../progress.ts';
import type { ClusterNode, ElectedCluster } from './system.ts';

/** A follower has caught up when it stays so near for so many looks. */
const nearEntries = 16;
const looks = 10;
const lookEveryMs = 100;
const sayEveryMs = 1_000;
const statusMsMax = 2_000;
const catchUpMsMax = 600_000;

/** In seconds from the moment that it could. */
export interface CatchUp {
  /** Until its process answered. */
  readonly answeredSeconds: number;
  readonly seconds: number;
  /** Whether another node led at the end. */
  readonly leaderChanged: boolean;
}

export class Follower {
  readonly #cluster: ElectedCluster;
  readonly #node: ClusterNode;
  readonly leader: ClusterNode;

  constructor(cluster: ElectedCluster, leader: string) {
    const leading = cluster.nodes.find(({ endpoint }) => endpoint === leader);
    const other = cluster.nodes.find(({ endpoint }) => endpoint !== leader);
    if (leading === undefined || other === undefined) throw new Error(`No process is ${leader}`);
    this.#cluster = cluster;
    this.#node = other;
    this.leader = leading;
  }

  get name(): string {
    return basename(this.#node.dataDirectory);
  }

  /** What the others reach it over, where the cluster is linked. */
  get link(): Link | null {
    return this.#node.link;
  }

  async kill(): Promise<void> {
    const { server } = this.#node;
    server.process.kill('SIGKILL');
    await server.ended();
  }

  /** The number of the state that the follower stands on. It changes when one was received. */
  async stateNumber(): Promise<number> {
    const names = await readdir(join(this.#node.dataDirectory, 'state'));
    return Math.max(...names.map(Number));
  }

  /** Its process; another one after each start. */
  get process(): ChildProcess {
    return this.#node.server.process;
  }

  startAgain(): void {
    this.#node.server.startAgain();
  }

  /** Resolves once it stays near the leader. */
  async catchUp(say: (text: string) => void): Promise<CatchUp> {
    const startMs = performance.now();
    const since = () => (performance.now() - startMs) / 1000;
    let answeredSeconds = 0;
    let nearSeconds = 0;
    let near = 0;
    let saidMs = startMs;
    while (near < looks) {
      if (since() * 1000 > catchUpMsMax) throw new Error(`${this.name} does not catch up`);
      assertAlive(this.#cluster.processes);
      const nowMs = performance.now();
      const behind = await this.#behind();
      if (behind !== null && answeredSeconds === 0) answeredSeconds = since();
      if (behind === null || behind > nearEntries) near = 0;
      else if (near++ === 0) nearSeconds = since();
      if (nowMs - saidMs >= sayEveryMs) {
        saidMs = nowMs;
        const where = behind === null ? 'does not answer' : `is ${behind} entries behind`;
        say(`${this.name} ${where} after ${since().toFixed(0)} s`);
      }
      await elapse(Math.max(0, nowMs + lookEveryMs - performance.now()));
    }
    const status = await statusOf(this.leader.endpoint);
    const leaderChanged = status?.role !== 'leader';
    return { answeredSeconds, seconds: nearSeconds, leaderChanged };
  }

  /** Entries that it has yet to apply; null when one of the two does not answer. */
  async #behind(): Promise<number | null> {
    // The leader first: what it applies in between would count as missing.
    const leader = await statusOf(this.leader.endpoint);
    const own = await statusOf(this.#node.endpoint);
    if (leader === null || own === null) return null;
    return Math.max(0, leader.appliedIndex - own.appliedIndex);
  }
}

async function statusOf(endpoint: string): Promise<NodeStatus | null> {
  const [answer] = await endpointStatuses([endpoint], statusMsMax);
  return answer?.status ?? null;
}

/** Of a cluster at rest: whether all nodes have the same digest at the same index. */
export async function areDigestsEqual({ endpoints }: ElectedCluster): Promise<boolean> {
  const statuses = await endpointStatuses(endpoints, statusMsMax);
  const [first] = statuses;
  return statuses.every(
    ({ status }) =>
      status !== null &&
      status.appliedIndex === first?.status?.appliedIndex &&
      status.digest === first.status.digest,
  );
}
