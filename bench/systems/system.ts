import type { ChildProcess } from 'node:child_process';
import type { DriverName } from '../drivers/driver.ts';
import { assertAlive } from '../processes.ts';

export type SystemName = 'ours' | 'etcd' | 'limit';

/** A running three-node cluster. */
export interface Cluster {
  readonly name: SystemName;
  readonly driver: DriverName;
  readonly processes: readonly ChildProcess[];
  /** `host:port` of the present leader's client port. */
  leader(): Promise<string>;
}

export function pidsOf(cluster: Cluster): number[] {
  return cluster.processes.map(({ pid }) => pid ?? 0);
}

const startMsMax = 30_000;

/** Asks again and again, for there is nothing to wait on in another program, until it gets an answer. */
export async function until<T>(
  what: string,
  processes: readonly ChildProcess[],
  ask: () => Promise<T | null>,
): Promise<T> {
  const deadline = performance.now() + startMsMax;
  while (performance.now() < deadline) {
    assertAlive(processes);
    const answer = await ask().catch(() => null);
    if (answer !== null) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${what} was not up within ${startMsMax / 1000} s`);
}
