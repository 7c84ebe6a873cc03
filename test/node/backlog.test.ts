/** What waits to be applied: all of it comes, in order and once, however little of it is in memory. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Backlog } from '../../src/node/backlog.ts';
import type { Entry } from '../../src/raft/types.ts';
import type { LogSlice } from '../../src/storage/types.ts';

const entryBytes = 1000;
const bytesMax = 10 * entryBytes;

function entry(index: number): Entry {
  return { type: 'command', term: 1, index, command: new Uint8Array(entryBytes - 16) };
}

/** A backlog over a stored log that may go further than what is committed; reads end when told to. */
class Waiting {
  readonly backlog: Backlog;
  readonly applied: number[] = [];
  pushed = 0;
  refills = 0;
  /** The first entry of each read so far. */
  readonly readFrom: number[] = [];
  readonly #entriesPerRead: number;
  readonly #reads: (() => void)[] = [];

  constructor(entriesPerRead = 4) {
    this.#entriesPerRead = entriesPerRead;
    this.backlog = new Backlog({
      ...{ applied: 0, bytesMax },
      storage: { readLog: (from) => this.#readLog(from) },
      refilled: () => this.refills++,
      failed: (error) => {
        throw error;
      },
    });
  }

  push(count: number): void {
    this.backlog.push(Array.from({ length: count }, (_, at) => entry(this.pushed + at + 1)));
    this.pushed += count;
  }

  apply(count: number): void {
    for (let at = 0; at < count && !this.backlog.isEmpty; at++) {
      this.applied.push(this.backlog.next().index);
    }
  }

  /** What was read is here. */
  async finishRead(): Promise<void> {
    this.#reads.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async drain(): Promise<void> {
    for (let idle = 0; idle < 2; ) {
      const before = this.applied.length;
      this.apply(Number.POSITIVE_INFINITY);
      this.backlog.refill();
      await this.finishRead();
      idle = this.applied.length === before && this.backlog.isEmpty ? idle + 1 : 0;
    }
  }

  #readLog(from: number): Promise<LogSlice> {
    this.readFrom.push(from);
    const entries = Array.from({ length: this.#entriesPerRead }, (_, at) => entry(from + at));
    return new Promise((resolve) => {
      this.#reads.push(() => resolve({ prev: { term: 1, index: from - 1 }, entries }));
    });
  }
}

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

test('while nothing is applied, the memory that it takes is bounded', async () => {
  const waiting = new Waiting();
  for (let times = 0; times < 100; times++) {
    waiting.push(2);
    waiting.backlog.refill();
  }
  expect(waiting.backlog.bytes).toBeLessThanOrEqual(bytesMax + 2 * entryBytes);
  await waiting.drain();
  expect(waiting.applied).toEqual(upTo(200));
  expect(waiting.backlog.bytes).toBe(0);
});

test('what comes while the last of it is read needs no other read', async () => {
  const waiting = new Waiting();
  for (const count of [10, 4]) waiting.push(count);
  waiting.apply(10);
  waiting.backlog.refill();
  waiting.push(1);
  waiting.push(2);
  await waiting.finishRead();
  expect(waiting.refills).toBe(1);
  waiting.apply(100);
  expect(waiting.applied).toEqual(upTo(17));
  waiting.push(1);
  waiting.apply(1);
  expect([waiting.applied.at(-1), waiting.readFrom]).toEqual([18, [11]]);
});

test('a state takes the place of what it holds, and of what is being read', async () => {
  const waiting = new Waiting();
  for (const count of [10, 10]) waiting.push(count);
  waiting.backlog.restore(5);
  waiting.apply(5);
  expect(waiting.applied, 'what follows it stays in memory').toEqual(upTo(10, 6));
  waiting.backlog.refill();
  waiting.backlog.restore(15);
  await waiting.finishRead();
  expect(waiting.backlog.isEmpty).toBe(true);
  await waiting.drain();
  expect(waiting.applied.slice(5)).toEqual(upTo(20, 16));
});

test('an older state goes on from the log, and a newer one from beyond what the core knew', async () => {
  const older = new Waiting();
  older.push(9);
  older.apply(6);
  older.backlog.restore(3);
  await older.drain();
  expect(older.applied.slice(6)).toEqual(upTo(9, 4));
  const newer = new Waiting();
  newer.push(2);
  newer.backlog.restore(4);
  newer.push(5);
  await newer.drain();
  expect(newer.applied).toEqual([5, 6, 7]);
});

test('all that is committed comes, in order and once, and no entry before', async () => {
  const step = fc.oneof(
    fc.record({ type: fc.constantFrom('push', 'apply'), count: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ type: fc.constantFrom('refill', 'read'), count: fc.constant(1) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const waiting = new Waiting(3);
      for (const { type, count } of steps) {
        if (type === 'push') waiting.push(count);
        else if (type === 'apply') waiting.apply(count);
        else if (type === 'refill') waiting.backlog.refill();
        else await waiting.finishRead();
        expect(waiting.backlog.bytes).toBeLessThan(bytesMax + 12 * entryBytes);
        expect(waiting.applied.at(-1) ?? 0).toBeLessThanOrEqual(waiting.pushed);
      }
      await waiting.drain();
      expect(waiting.applied).toEqual(upTo(waiting.pushed));
    }),
    { numRuns: 200 },
  );
});
