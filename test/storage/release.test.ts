import { expect, test } from 'vitest';
import type { Storage } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { appendOf, entriesFrom, entryAt, Machine, settle } from './machine.ts';
import { applyUpTo } from './state.ts';

const options = { generationBytesMax: 1 };

/** Sixty entries of 4 KiB, about fifteen to a segment. */
async function filled(machine: Machine): Promise<Storage> {
  const storage = await machine.open(options);
  for (let index = 1; index <= 60; index++) {
    await storage.append(appendOf([entryAt(index, 1, 4000)]));
  }
  return storage;
}

async function apply(storage: Storage, index: number): Promise<void> {
  applyUpTo(storage, { term: 1, index });
  await settle();
}

test('without a state nothing is released', async () => {
  const machine = new Machine(new Power());
  const storage = await filled(machine);
  await storage.releaseLog(60);
  expect(storage.logFirst).toBe(1);
  expect((await storage.readLog(1, 1)).entries).toEqual([entryAt(1, 1, 4000)]);
});

test('whole segments go, up to the limit and to what the state has applied', async () => {
  const machine = new Machine(new Power());
  const storage = await filled(machine);
  await settle();
  const segments = await machine.files.list('wal');
  const removed = async (): Promise<string[]> => {
    const left = await machine.files.list('wal');
    return segments.filter((name) => !left.includes(name));
  };
  const bytes = storage.logBytes;
  await apply(storage, 40);
  await storage.releaseLog(20);
  const first = storage.logFirst;
  expect(first).toBeGreaterThan(1);
  expect(first).toBeLessThanOrEqual(21);
  expect(await removed()).toEqual(segments.slice(0, 1));
  expect(storage.logBytes).toBeLessThan(bytes - 50_000);
  await storage.releaseLog(60);
  expect(storage.logFirst).toBeGreaterThan(first);
  expect(storage.logFirst).toBeLessThanOrEqual(41);
  await storage.releaseLog(5);
  expect(await removed()).toEqual(segments.slice(0, 3));
});

test('what is released reads as gone, and what is left names the entry before', async () => {
  const storage = await filled(new Machine(new Power()));
  await apply(storage, 50);
  await storage.releaseLog(50);
  const { logFirst } = storage;
  expect(await storage.readLog(1, 1e6)).toEqual({ prev: null, entries: [] });
  expect(await storage.readLog(logFirst - 1, 1e6)).toEqual({ prev: null, entries: [] });
  const { prev, entries } = await storage.readLog(logFirst, 1e6);
  expect(prev).toEqual({ term: 1, index: logFirst - 1 });
  expect(entries).toEqual(entriesFrom(logFirst, 61 - logFirst, 1, 4000));
});

test('a read that was under way when its segment went is answered as gone', async () => {
  let hold: Promise<void> | null = null;
  const machine = new Machine(new Power(), {
    beforeFile: async ({ kind }) => {
      if (kind === 'read') await hold;
    },
  });
  const storage = await filled(machine);
  await apply(storage, 50);
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  const reading = storage.readLog(1, 1e6);
  await settle();
  await storage.releaseLog(50);
  release();
  expect(await reading).toEqual({ prev: null, entries: [] });
});

test('a log that begins late comes back, with its terms, votes and sizes', async () => {
  let machine = new Machine(new Power());
  const storage = await filled(machine);
  const vote = { currentTerm: 7, votedFor: '00000000000000a2', commitIndex: 50 };
  await storage.append(appendOf([entryAt(61, 2, 60_000)], vote));
  await storage.append(appendOf([entryAt(62, 3, 60_000)]));
  applyUpTo(storage, { term: 2, index: 61 });
  await settle();
  await storage.releaseLog(61);
  const { logFirst, logBytes } = storage;
  expect(logFirst).toBe(62);
  machine = machine.cut('drop');
  const again = await machine.open(options);
  expect(again.hardState).toEqual(vote);
  expect(again.start.last).toEqual({ term: 2, index: 61 });
  expect(again.entries).toEqual([entryAt(62, 3, 60_000)]);
  expect([again.logFirst, again.logBytes]).toEqual([logFirst, logBytes]);
  expect((await again.readLog(62, 1)).prev).toEqual({ term: 2, index: 61 });
  await again.append(appendOf([entryAt(62, 4), entryAt(63, 4)]));
  const third = await machine.cut('drop').open(options);
  expect(third.entries).toEqual([entryAt(62, 4), entryAt(63, 4)]);
});

test('a segment that began after entries which were replaced later is not made the first one', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open(options);
  await storage.append(appendOf(entriesFrom(1, 4, 1, 10_000)));
  // The second segment begins after entry 4; its second group takes that entry back.
  await storage.append(appendOf(entriesFrom(5, 2, 1, 15_000)));
  await storage.append(appendOf(entriesFrom(3, 2, 2, 5_000)));
  expect(storage.logBytes).toBeGreaterThan(64 * 1024);
  await apply(storage, 2);
  applyUpTo(storage, { term: 2, index: 4 });
  await settle();
  await storage.releaseLog(4);
  expect(storage.logFirst).toBe(1);
  await storage.append(appendOf(entriesFrom(5, 2, 2, 40_000)));
  await storage.releaseLog(4);
  expect(storage.logFirst).toBe(5);
  const again = await machine.cut('drop').open(options);
  expect((await again.readLog(5, 1e6)).prev).toEqual({ term: 2, index: 4 });
  expect(again.entries).toEqual(entriesFrom(5, 2, 2, 40_000));
});

test('appends go on while segments are removed', async () => {
  let hold: Promise<void> | null = null;
  const machine = new Machine(new Power(), {
    beforeFile: async ({ kind }) => {
      if (kind === 'remove') await hold;
    },
  });
  const storage = await filled(machine);
  await apply(storage, 55);
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  const releasing = storage.releaseLog(55);
  await storage.append(appendOf([entryAt(61)]));
  const second = storage.releaseLog(55);
  release();
  await Promise.all([releasing, second]);
  expect((await machine.cut('drop').open(options)).entries.at(-1)).toEqual(entryAt(61));
});
