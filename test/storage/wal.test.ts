import { expect, test } from 'vitest';
import type { Entry } from '../../src/format/types.ts';
import type { Storage } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { appendOf, configuration, entriesFrom, entryAt, Machine, settle } from './machine.ts';

const hardState = { currentTerm: 3, votedFor: '00000000000000a2', commitIndex: 2 };

async function reopen(machine: Machine): Promise<Storage> {
  return await machine.cut('keep').open();
}

function idsOf(entries: readonly Entry[]): string[] {
  return entries.map((entry) => `${entry.term}/${entry.index}`);
}

test('a new member has nothing', async () => {
  const storage = await new Machine(new Power()).open();
  expect(storage.hardState).toEqual({ currentTerm: 0, votedFor: null, commitIndex: 0 });
  expect(storage.entries).toEqual([]);
  expect(storage.checkpoint).toBeNull();
});

test('entries of every kind and the hard state come back', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  const entries: Entry[] = [
    { type: 'noop', term: 1, index: 1 },
    entryAt(2, 1),
    { type: 'configuration', term: 3, index: 3, configuration },
  ];
  await storage.append(appendOf(entries));
  await storage.append(appendOf([], hardState));
  const again = await reopen(machine);
  expect(again.entries).toEqual(entries);
  expect(again.hardState).toEqual(hardState);
});

test('a hard state and entries of one append come back together', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 3), hardState));
  const again = await reopen(machine);
  expect(idsOf(again.entries)).toEqual(['1/1', '1/2', '1/3']);
  expect(again.hardState).toEqual(hardState);
});

test('an append replaces the log from its first entry on', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 5, 1)));
  await storage.append(appendOf(entriesFrom(3, 1, 2)));
  expect(idsOf((await reopen(machine)).entries)).toEqual(['1/1', '1/2', '2/3']);
  const again = await machine.cut('keep').open();
  await again.append(appendOf(entriesFrom(1, 1, 4)));
  expect(idsOf((await again.readLog(1, 1e6)).entries)).toEqual(['4/1']);
});

test('the log goes on over many segments and restarts', async () => {
  let machine = new Machine(new Power());
  for (let round = 0; round < 5; round++) {
    const storage = await machine.open();
    expect(storage.entries.length).toBe(round * 60);
    for (let at = 0; at < 60; at++) {
      await storage.append(appendOf([entryAt(round * 60 + at + 1, round, 4000)]));
    }
    await settle();
    machine = machine.cut('keep');
  }
  const segments = await machine.files.list('wal');
  expect(segments.length).toBeGreaterThan(15);
  const storage = await machine.open();
  const { prev, entries } = await storage.readLog(1, 1e9);
  expect(prev).toEqual({ term: 0, index: 0 });
  expect(entries).toEqual(
    Array.from({ length: 300 }, (_, at) => entryAt(at + 1, Math.floor(at / 60), 4000)),
  );
});

test('a group larger than a segment gets a segment of its own size', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 1)));
  await storage.append(appendOf(entriesFrom(2, 3, 1, 100_000)));
  await storage.append(appendOf(entriesFrom(5, 1)));
  const again = await reopen(machine);
  expect(again.entries).toEqual([
    entryAt(1),
    ...entriesFrom(2, 3, 1, 100_000),
    ...entriesFrom(5, 1),
  ]);
  expect((await again.readLog(3, 1)).entries).toEqual([entryAt(3, 1, 100_000)]);
});

test('a gap in the log is a bug', async () => {
  const storage = await new Machine(new Power()).open();
  await expect(storage.append(appendOf(entriesFrom(2, 1)))).rejects.toThrow('Entry 2 after 0');
});

test('a slot follows alone when the log is idle', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 1)));
  const before = machine.power.operations;
  while (machine.clock.step(1000)) await settle();
  expect(machine.power.operations).toBe(before + 2);
  while (machine.clock.step(2000)) await settle();
  expect(machine.power.operations).toBe(before + 2);
});

test('an append carries no slot while another one is on its way', async () => {
  const kinds: string[] = [];
  const held: (() => void)[] = [];
  const machine = new Machine(new Power(), {
    beforeFile: ({ kind }) => {
      kinds.push(kind);
      return kind === 'write' ? new Promise<void>((resolve) => held.push(resolve)) : undefined;
    },
  });
  const opening = machine.open();
  while (!(await Promise.race([opening.then(() => true), settle().then(() => false)]))) {
    for (const release of held.splice(0)) release();
  }
  const storage = await opening;
  await storage.append(appendOf(entriesFrom(1, 1)));
  machine.clock.step(10);
  machine.clock.step(20);
  await settle();
  kinds.length = 0;
  expect(held.length).toBe(1);
  await storage.append(appendOf(entriesFrom(2, 1)));
  machine.clock.step(50);
  await storage.append(appendOf(entriesFrom(3, 1)));
  expect(kinds).toEqual(['writeDurably', 'writeDurably']);
  held.pop()?.();
});

test('a closed storage refuses further work', async () => {
  const storage = await new Machine(new Power()).open();
  await Promise.all([storage.close(), storage.close()]);
  await expect(storage.append(appendOf(entriesFrom(1, 1)))).rejects.toMatchObject({
    code: 'closed',
  });
});

/** Two hundred entries in groups of five. */
async function filled(): Promise<Storage> {
  const storage = await new Machine(new Power()).open();
  for (let first = 1; first <= 200; first += 5) {
    await storage.append(appendOf(entriesFrom(first, 5, 1, 1000)));
  }
  return storage;
}

test('reading starts anywhere and names the entry before', async () => {
  const storage = await filled();
  for (const from of [1, 2, 5, 6, 99, 100, 101, 199, 200]) {
    const { prev, entries } = await storage.readLog(from, 3000);
    expect(prev).toEqual({ term: from === 1 ? 0 : 1, index: from - 1 });
    expect(entries).toEqual(entriesFrom(from, Math.min(2, 201 - from), 1, 1000));
  }
});

test('reading returns at least one entry', async () => {
  const storage = await filled();
  expect((await storage.readLog(7, 1)).entries).toEqual(entriesFrom(7, 1, 1, 1000));
});

test('reading finds only what replaced older entries, across segments', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let first = 1; first <= 60; first += 3) {
    await storage.append(appendOf(entriesFrom(first, 3, 1, 3000)));
  }
  await storage.append(appendOf(entriesFrom(20, 2, 2, 3000)));
  await storage.append(appendOf(entriesFrom(21, 30, 5, 3000)));
  await storage.append(appendOf(entriesFrom(49, 3, 6, 3000)));
  const expected = [
    ...entriesFrom(1, 19, 1, 3000),
    entryAt(20, 2, 3000),
    ...entriesFrom(21, 28, 5, 3000),
    ...entriesFrom(49, 3, 6, 3000),
  ];
  for (const open of [async () => storage, () => reopen(machine)]) {
    const reader = await open();
    expect((await reader.readLog(1, 1e9)).entries).toEqual(expected);
    for (const from of [51, 19, 20, 21, 48, 49, 1]) {
      const { prev, entries } = await reader.readLog(from, 7000);
      expect(prev?.term).toBe(expected[from - 2]?.term ?? 0);
      expect(entries).toEqual(expected.slice(from - 1, from + 1));
    }
  }
});

test('reading names the term of what replaced an entry', async () => {
  const storage = await new Machine(new Power()).open();
  await storage.append(appendOf([...entriesFrom(1, 3, 1), ...entriesFrom(4, 3, 2)]));
  await storage.append(appendOf(entriesFrom(5, 3, 3)));
  await storage.append(appendOf(entriesFrom(3, 4, 4)));
  const terms: number[] = [];
  for (let from = 1; from <= 6; from++)
    terms.push((await storage.readLog(from, 1)).prev?.term ?? -1);
  expect(terms).toEqual([0, 1, 1, 4, 4, 4]);
});

test('reading goes on while appends are written', async () => {
  const storage = await filled();
  const reads = [1, 100, 150].map((from) => storage.readLog(from, 5000));
  await storage.append(appendOf(entriesFrom(201, 5, 1, 1000)));
  for (const read of await Promise.all(reads)) expect(read.entries.length).toBe(4);
  expect((await storage.readLog(201, 1e6)).entries).toEqual(entriesFrom(201, 5, 1, 1000));
});

test('a read that was under way when entries were replaced gives the new ones', async () => {
  let reads = Number.NEGATIVE_INFINITY;
  let release = (): void => {};
  const hold = new Promise<void>((resolve) => {
    release = resolve;
  });
  const machine = new Machine(new Power(), {
    beforeFile: async ({ kind }) => {
      if (kind === 'read' && ++reads === 5) await hold;
    },
  });
  const storage = await machine.open();
  for (let index = 1; index <= 9; index++) await storage.append(appendOf([entryAt(index)]));
  // One read finds the groups, and one more each the entries from 2 on: the last one hangs.
  reads = 0;
  const reading = storage.readLog(2, 1e6);
  while (reads < 5) await settle();
  await storage.append(appendOf(entriesFrom(4, 2, 2)));
  release();
  expect((await reading).entries).toEqual([...entriesFrom(2, 2), ...entriesFrom(4, 2, 2)]);
});

test('an entry that the log does not have is refused', async () => {
  const storage = await filled();
  await expect(storage.readLog(201, 1)).rejects.toMatchObject({ code: 'invalidArgument' });
  await expect(storage.readLog(0, 1)).rejects.toMatchObject({ code: 'invalidArgument' });
});
