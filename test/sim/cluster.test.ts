/**
 * Three members through crashes that lose unsynced bytes, isolation and a bad network, from a seed:
 * what was acknowledged is there, reads are never stale, watchers miss nothing, states are equal.
 */
import { expect, test } from 'vitest';
import { utf8Decode, utf8Encode } from '../../src/base/bytes.ts';
import { RollcallError } from '../../src/base/errors.ts';
import { randomBelow } from '../../src/base/prng.ts';
import type { Response, WatchBatch } from '../../src/node/types.ts';
import { SimCluster, type SimNode } from './cluster.ts';

const keys = ['a', 'b', 'c', 'd'];

function put(key: string, value: number) {
  const bytes = utf8Encode(String(value));
  return { type: 'put', key, value: bytes, leaseId: null, previous: false } as const;
}

function get(key: string, serializable = false) {
  const range = { key, rangeEnd: null, revision: 0, limit: 0 };
  const options = { keysOnly: false, countOnly: false, serializable, minRevision: 0 };
  return { type: 'range', ...range, ...options } as const;
}

function numberOf({ result }: Response): number {
  if (result.type !== 'range') throw new Error(`A ${result.type} for a range`);
  const [pair] = result.pairs;
  return pair === undefined ? 0 : Number(utf8Decode(pair.value));
}

/** One client per key, so that the newest acknowledged value of a key is known. */
class Writer {
  readonly key: string;
  acknowledged = 0;
  attempted = 0;
  isStopped = false;

  constructor(key: string) {
    this.key = key;
  }

  async run(cluster: SimCluster): Promise<void> {
    while (!this.isStopped) {
      const outcome = await this.#submit(cluster, put(this.key, ++this.attempted));
      if (outcome instanceof RollcallError) await pause(cluster, 20);
      else this.acknowledged = this.attempted;
    }
  }

  /** Linearizable: at least what was acknowledged before it was asked for. */
  async read(cluster: SimCluster): Promise<number> {
    let reads = 0;
    while (!this.isStopped) {
      const before = this.acknowledged;
      const outcome = await this.#submit(cluster, get(this.key));
      if (outcome instanceof RollcallError) {
        await pause(cluster, 15);
      } else {
        expect(numberOf(outcome)).toBeGreaterThanOrEqual(before);
        reads++;
      }
    }
    return reads;
  }

  /** To whoever leads, or to anybody; a node that dies never answers, so the client gives up. */
  #submit(cluster: SimCluster, request: ReturnType<typeof put> | ReturnType<typeof get>) {
    const anybody = cluster.nodes[randomBelow(cluster.random, cluster.nodes.length)] as SimNode;
    const node = cluster.leader() ?? anybody;
    const gaveUp = pause(cluster, 2000).then(() => new RollcallError('timeout', 'No answer'));
    return Promise.race([cluster.submit(node, request), gaveUp]);
  }
}

function pause(cluster: SimCluster, ms: number): Promise<void> {
  return new Promise((resolve) => cluster.clock.after(ms, resolve));
}

/** Watches all keys from the first revision on, anew on another node whenever its node is gone. */
class Watcher {
  readonly seen: number[] = [];
  #node: SimNode | null = null;
  #ended = true;

  follow(cluster: SimCluster): void {
    if (this.#node?.member == null) this.#ended = true;
    if (!this.#ended) return;
    const node = cluster.nodes[randomBelow(cluster.random, cluster.nodes.length)] as SimNode;
    if (node.member === null) return;
    this.#node = node;
    this.#ended = false;
    const { member } = node;
    const startRevision = (this.seen.at(-1) ?? 1) + 1;
    const sink = {
      created() {},
      send: (batch: WatchBatch) => {
        // What a dead node still says is not heard.
        if (node.member === member) this.seen.push(batch.revision);
        return true;
      },
      end: () => {
        if (node.member === member) this.#ended = true;
      },
    };
    member.watch({ key: 'a', rangeEnd: 'z', startRevision, previous: false }, sink);
  }
}

async function trouble(cluster: SimCluster): Promise<void> {
  const node = cluster.nodes[randomBelow(cluster.random, cluster.nodes.length)] as SimNode;
  switch (randomBelow(cluster.random, 4)) {
    case 0:
      if (node.member !== null) cluster.crash(node);
      break;
    case 1:
      for (const one of cluster.nodes) if (one.member === null) await cluster.boot(one);
      break;
    case 2:
      cluster.network.isolate(node.id);
      break;
    default:
      cluster.network.heal();
      cluster.network.faults = {
        loss: cluster.random() * 0.2,
        repeat: cluster.random() * 0.2,
        delayMsMax: cluster.random() * 10,
      };
  }
}

async function heal(cluster: SimCluster): Promise<void> {
  cluster.network.heal();
  cluster.network.faults = { loss: 0, repeat: 0, delayMsMax: 0.5 };
  for (const node of cluster.nodes) if (node.member === null) await cluster.boot(node);
}

function areEqual(cluster: SimCluster): boolean {
  const [first, ...others] = cluster.nodes.map((node) => node.member?.status());
  return others.every(
    (status) => status?.appliedIndex === first?.appliedIndex && status?.digest === first?.digest,
  );
}

async function live(seed: number): Promise<string> {
  const cluster = await SimCluster.start(seed);
  const writers = keys.map((key) => new Writer(key));
  const watcher = new Watcher();
  const writing = writers.map((writer) => writer.run(cluster));
  const reading = writers.map((writer) => writer.read(cluster));
  for (let round = 0; round < 30; round++) {
    await trouble(cluster);
    watcher.follow(cluster);
    await cluster.run(50 + randomBelow(cluster.random, 400));
    for (const node of cluster.nodes) expect(node.fatal).toBe(null);
  }
  await heal(cluster);
  const before = writers.map((writer) => writer.acknowledged);
  // Progress after healing, for everyone.
  await cluster.runUntil(
    () => writers.every((writer, at) => writer.acknowledged > (before[at] as number)),
    10_000,
  );
  for (const writer of writers) writer.isStopped = true;
  await cluster.settle(Promise.all([...writing, ...reading]));
  await cluster.runUntil(() => areEqual(cluster), 10_000);
  watcher.follow(cluster);
  const newest = cluster.nodes[0]?.member?.status().revision ?? 0;
  await cluster.runUntil(() => (watcher.seen.at(-1) ?? 0) >= newest, 10_000);

  for (const node of cluster.nodes) {
    for (const writer of writers) {
      const read = cluster.submit(node, get(writer.key, true));
      const value = numberOf((await cluster.settle(read)) as Response);
      expect(value).toBeGreaterThanOrEqual(writer.acknowledged);
      expect(value).toBeLessThanOrEqual(writer.attempted);
    }
  }
  // Every revision but the first is a put of a writer: none missing, none twice.
  expect(watcher.seen).toEqual(Array.from({ length: newest - 1 }, (_, at) => at + 2));
  const status = cluster.nodes[0]?.member?.status();
  return `${status?.appliedIndex} ${status?.term} ${status?.digest}`;
}

const seeds = Array.from({ length: 12 }, (_, at) => at + 1);

test.each(seeds)(
  'seed %i: nothing acknowledged is lost',
  async (seed) => {
    await live(seed);
  },
  60_000,
);

test('the same seed gives the same run', async () => {
  expect(await live(7)).toBe(await live(7));
}, 60_000);
