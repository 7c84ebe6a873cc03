import { expect, test } from 'vitest';
import { zeroHash } from '../../src/base/hash.ts';
import { SnapshotSender } from '../../src/node/snapshot-sender.ts';
import type { StateSnapshot } from '../../src/storage/types.ts';
import { VirtualClock } from '../sim/clock.ts';
import { type Told, transferLog } from './transfers.ts';

const id = (letter: string): string => letter.repeat(16);
const configuration = {
  ...{ members: [], voters: [], votersOutgoing: [], learners: [], learnersNext: [] },
};

/** Sends a state of three records, one in each piece, to two members at a time. */
class Sending {
  readonly clock = new VirtualClock();
  readonly sent: string[] = [];
  readonly told: Told[] = [];
  open = 0;
  readonly sender = new SnapshotSender({
    ...{ id: id('a'), term: () => 1, clock: this.clock, chunkBytes: 1 },
    transfers: transferLog(this.clock, this.told),
    ...{ transfersMax: 2, idleMs: 30_000, yieldMs: 3000 },
    open: async () => this.#snapshot(),
    send: ({ type, to }) => this.sent.push(`${type} ${to[0]}`),
    failed: (error) => {
      throw error;
    },
  });

  /** What the member was answered. */
  async ask(to: string, after: string): Promise<string | undefined> {
    const transfer = id(to);
    this.sender.onRequest({ type: 'snapshotRequest', from: id(to), to: id('a'), transfer, after });
    await new Promise((resolve) => setImmediate(resolve));
    return this.sent.at(-1);
  }

  pass(ms: number): void {
    this.clock.step(this.clock.monotonic() + ms);
    this.sender.sweep();
  }

  #snapshot(): StateSnapshot {
    this.open++;
    const keys = ['k1', 'k2', 'k3'];
    return {
      header: {
        ...{ applied: { term: 1, index: 5 }, configuration, clusterId: id('c') },
        ...{ incarnation: id('d'), featureLevel: 1, revision: 1, logTimeMs: 0, wallTimeMs: 0 },
        ...{ compactRevisions: [0, 0], removedRevisions: [0, 0], timeMarks: [], digest: zeroHash },
      },
      read: (after) => {
        const next = after === null ? 0 : keys.indexOf(after) + 1;
        const key = keys[next] ?? '';
        const done = next === keys.length - 1;
        return Promise.resolve({ records: [[key, new Uint8Array(1)] as const], done });
      },
      close: () => {
        this.open--;
        return Promise.resolve();
      },
    };
  }
}

test('two members are sent a state at a time, and a third has to wait', async () => {
  const sending = new Sending();
  expect(await sending.ask('b', '')).toBe('snapshotChunk b');
  expect(await sending.ask('c', '')).toBe('snapshotChunk c');
  expect(await sending.ask('d', '')).toBe('snapshotRefusal d');
  expect(sending.open).toBe(2);
});

test('who was sent everything takes no place from one that waits', async () => {
  const sending = new Sending();
  for (const after of ['', 'k1', 'k2']) await sending.ask('b', after);
  await sending.ask('c', '');
  expect(await sending.ask('d', '')).toBe('snapshotChunk d');
  expect(await sending.ask('c', 'k1'), 'the one under way goes on').toBe('snapshotChunk c');
  expect(sending.open).toBe(2);
});

test('the last piece can be asked for again as long as nobody waits', async () => {
  const sending = new Sending();
  for (const after of ['', 'k1', 'k2']) await sending.ask('b', after);
  sending.pass(10_000);
  expect(await sending.ask('b', 'k2')).toBe('snapshotChunk b');
  sending.pass(40_000);
  expect(sending.open).toBe(0);
});

test('the log says what was sent to whom, how much and how long it took, and what was not', async () => {
  const sending = new Sending();
  await sending.ask('b', '');
  sending.pass(250);
  for (const after of ['k1', 'k2', 'k2']) await sending.ask('b', after);
  await sending.ask('c', '');
  sending.pass(40_000);
  const [b, c] = [id('b'), id('c')];
  expect(sending.told.map(({ fields }) => fields)).toEqual([
    { to: b, index: 5, bytes: 0, ms: 0 },
    { to: b, index: 5, bytes: 9, ms: 250 },
    { to: c, index: 5, bytes: 0, ms: 0 },
    { to: c, index: 5, bytes: 3, ms: 40_000 },
  ]);
  expect(sending.told.map(({ message }) => message)).toEqual([
    `Sends its state to "${b}"`,
    `"${b}" was sent the whole state`,
    `Sends its state to "${c}"`,
    `Sends its state to "${c}" no further`,
  ]);
});

test('who has not asked for a while makes room', async () => {
  const sending = new Sending();
  await sending.ask('b', '');
  sending.pass(2000);
  await sending.ask('c', '');
  sending.pass(1500);
  expect(await sending.ask('d', '')).toBe('snapshotChunk d');
  expect(await sending.ask('b', 'k1')).toBe('snapshotRefusal b');
  expect(await sending.ask('c', 'k1')).toBe('snapshotChunk c');
});
