/** Writers that go on whatever happens, and what they may rely on afterwards. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import type { Client } from '../../src/client/index.ts';
import { eventually, readStatus, type TestCluster } from './cluster.ts';

/** Between two writes of a writer: enough for every change to meet some, and a processor for the rest. */
const pauseMs = 10;

export class Load {
  readonly #client: Client;
  readonly #acknowledged = new Map<string, number>();
  readonly #attempted = new Map<string, number>();
  readonly #writers: Promise<void>[];
  #stopped = false;
  /** Resolves when the writers may go on; null while they do. */
  #paused: Promise<void> | null = null;
  #writing = 0;
  #count = 0;
  readonly #pauseMs: number;

  constructor(client: Client, writers = 8, pace: 'paced' | 'full' = 'paced') {
    this.#client = client;
    this.#pauseMs = pace === 'paced' ? pauseMs : 0;
    this.#writers = Array.from({ length: writers }, (_, at) => this.#write(`load/${at}`));
  }

  /** How many writes were acknowledged so far. */
  get count(): number {
    return this.#count;
  }

  /** Waits until so many more writes were acknowledged. */
  async more(writes: number): Promise<void> {
    const goal = this.#count + writes;
    await eventually(`${writes} more acknowledged writes`, async () => this.#count >= goal);
  }

  /** Does something while nothing is written. */
  async pause(body: () => Promise<void>): Promise<void> {
    let goOn = (): void => {};
    this.#paused = new Promise((resolve) => {
      goOn = resolve;
    });
    try {
      await eventually('the writers to pause', async () => this.#writing === 0);
      await body();
    } finally {
      this.#paused = null;
      goOn();
    }
  }

  /**
   * Stops, and checks that nothing acknowledged is lost: each key holds the last acknowledged value or
   * a later one that was tried, and all nodes of the cluster agree.
   */
  async finish(cluster: TestCluster): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#writers);
    for (const [key, acknowledged] of this.#acknowledged) {
      const value = Number((await this.#client.get(key))?.valueText ?? 0);
      expect(value).toBeGreaterThanOrEqual(acknowledged);
      expect(value).toBeLessThanOrEqual(this.#attempted.get(key) ?? 0);
    }
    await agreement(cluster);
  }

  async #write(key: string): Promise<void> {
    for (let value = 1; !this.#stopped; value++) {
      await this.#paused;
      this.#attempted.set(key, value);
      this.#writing++;
      try {
        await this.#client.put(key, String(value));
        this.#acknowledged.set(key, value);
        this.#count++;
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        if (error.code === 'closed') return;
      } finally {
        this.#writing--;
      }
      if (this.#pauseMs > 0) await delay(this.#pauseMs);
    }
  }
}

/** Waits until all running nodes have applied the same, and compares what it came to. */
export async function agreement(cluster: TestCluster): Promise<void> {
  const digests = await eventually('equal applied indexes', async () => {
    const running = cluster.nodes.filter((node) => node.process !== null);
    const statuses = await Promise.all(running.map(readStatus));
    const indexes = new Set(statuses.map((status) => status?.appliedIndex ?? -1));
    if (indexes.size !== 1 || indexes.has(-1)) return null;
    return new Set(statuses.map((status) => status?.digest));
  });
  expect(digests.size).toBe(1);
}
