import type { ChildProcess } from 'node:child_process';
import type { DriverName } from '../drivers/driver.ts';
import type { Link } from '../link.ts';
import { assertAlive, type Server } from '../processes.ts';
import { elapse } from '../progress.ts';

export type SystemName = 'ours' | 'etcd' | 'limit';

/** A running three-node cluster. */
export interface Cluster {
  readonly name: SystemName;
  readonly driver: DriverName;
  readonly processes: readonly ChildProcess[];
  /** `host:port` of the present leader's client port. */
  leader(): Promise<string>;
}

/** A node of a cluster whose members elect their leader. */
export interface ClusterNode {
  /** `host:port` of its client port. */
  readonly endpoint: string;
  readonly dataDirectory: string;
  readonly server: Server;
  /** What the other nodes reach its peer port over; null when they do so straight. */
  readonly link: Link | null;
}

/** What a node says of itself. */
export interface NodeView {
  readonly endpoint: string;
  readonly memberId: string;
  /** Null while it knows none. */
  readonly leaderId: string | null;
  readonly term: number;
  readonly appliedIndex: number;
}

/** A cluster whose leader may be any of its nodes, and another one later. */
export class ElectedCluster implements Cluster {
  readonly name: SystemName;
  readonly driver: DriverName;
  readonly nodes: readonly ClusterNode[];
  readonly #ask: () => Promise<readonly NodeView[]>;

  /** `ask` returns the views of the nodes that answer. */
  constructor(
    name: SystemName,
    driver: DriverName,
    nodes: readonly ClusterNode[],
    ask: () => Promise<readonly NodeView[]>,
  ) {
    this.name = name;
    this.driver = driver;
    this.nodes = nodes;
    this.#ask = ask;
  }

  get processes(): readonly ChildProcess[] {
    return this.nodes.map(({ server }) => server.process);
  }

  get endpoints(): readonly string[] {
    return this.nodes.map(({ endpoint }) => endpoint);
  }

  leader(): Promise<string> {
    return this.#until('had no leader', leaderAmong);
  }

  /** Resolves once every node answers, all name the same leader and all have applied the same. */
  healthy(): Promise<string> {
    return this.#until('was not whole again', (views) =>
      areAlike(views, this.nodes.length) ? leaderAmong(views) : null,
    );
  }

  /** Asks again and again, for there is nothing to wait on in another program. */
  async #until(
    complaint: string,
    find: (views: readonly NodeView[]) => string | null,
  ): Promise<string> {
    const deadline = performance.now() + waitMsMax;
    while (performance.now() < deadline) {
      assertAlive(this.processes);
      const found = find(await this.#ask().catch(() => []));
      if (found !== null) return found;
      await elapse(100);
    }
    throw new Error(`The cluster of ${this.name} ${complaint} within ${waitMsMax / 1000} s`);
  }
}

const waitMsMax = 30_000;

export function pidsOf(cluster: Cluster): number[] {
  return cluster.processes.map(({ pid }) => pid ?? 0);
}

/** The endpoint of the node that leads the highest term. */
function leaderAmong(views: readonly NodeView[]): string | null {
  const leading = views.filter(({ memberId, leaderId }) => memberId === leaderId);
  leading.sort((left, right) => right.term - left.term);
  return leading[0]?.endpoint ?? null;
}

function areAlike(views: readonly NodeView[], nodes: number): boolean {
  const [first] = views;
  if (first === undefined || views.length < nodes) return false;
  return views.every(
    ({ leaderId, term, appliedIndex }) =>
      leaderId === first.leaderId && term === first.term && appliedIndex === first.appliedIndex,
  );
}
