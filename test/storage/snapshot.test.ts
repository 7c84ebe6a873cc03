import { expect, test } from 'vitest';
import type { StateSnapshot, Storage, StoredRecord } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { appendOf, entriesFrom, headerAt, Machine, settle } from './machine.ts';
import { applyUpTo, receiveState, snapshotOf, stateAt } from './state.ts';

async function openAt(index: number, machine = new Machine(new Power())): Promise<Storage> {
  const storage = await machine.open({ generationBytesMax: 1 });
  await storage.append(appendOf(entriesFrom(1, 20)));
  if (index > 0) applyUpTo(storage, { term: 1, index });
  await settle();
  return storage;
}

function pinned(storage: Storage): StateSnapshot {
  const snapshot = storage.openSnapshot();
  if (snapshot === null) throw new Error('There is no state');
  return snapshot;
}

async function readAll(snapshot: StateSnapshot, bytesMax: number): Promise<StoredRecord[]> {
  const records: StoredRecord[] = [];
  for (;;) {
    const next = await snapshot.read(records.at(-1)?.[0] ?? null, bytesMax);
    records.push(...next.records);
    if (next.done) return records;
  }
}

test('there is nothing to pin before the first generation', async () => {
  expect((await openAt(0)).openSnapshot()).toBeNull();
});

test('a pinned state stands still while the member goes on, in pieces of any size', async () => {
  for (const bytesMax of [1, 100, 150, 1e6]) {
    const storage = await openAt(7);
    const snapshot = pinned(storage);
    const begun = await snapshot.read(null, bytesMax);
    for (let index = 8; index <= 12; index++) {
      applyUpTo(storage, { term: 1, index });
      await settle();
    }
    expect(storage.checkpoint).toEqual(headerAt(12));
    expect(snapshot.header).toEqual(headerAt(7));
    expect(new Map(await readAll(snapshot, bytesMax))).toEqual(stateAt(7));
    expect((await snapshot.read(null, bytesMax)).records).toEqual(begun.records);
    const next = pinned(storage);
    expect(next.header).toEqual(headerAt(12));
    expect(new Map(await readAll(next, bytesMax))).toEqual(stateAt(12));
    await snapshot.close();
    await next.close();
    await storage.close();
  }
});

test('reading goes on after any key, also one that is not there', async () => {
  const snapshot = pinned(await openAt(7));
  const all = await readAll(snapshot, 1e6);
  for (const [at, [key]] of all.entries()) {
    const { records, done } = await snapshot.read(key, 1e6);
    expect(records).toEqual(all.slice(at + 1));
    expect(done).toBe(true);
    expect((await snapshot.read(`${key}\0`, 1)).records).toEqual(all.slice(at + 1, at + 2));
  }
  expect(await snapshot.read('z', 1)).toEqual({ records: [], done: true });
});

test('the header is of the records also when a generation has just arrived', async () => {
  let hold: Promise<void> | null = null;
  const storage = await new Machine(new Power()).open({
    generationBytesMax: 1,
    failpoint: async (name) => {
      if (name === 'checkpoint.durable') await hold;
    },
  });
  await storage.append(appendOf(entriesFrom(1, 20)));
  applyUpTo(storage, { term: 1, index: 7 });
  await settle();
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  applyUpTo(storage, { term: 1, index: 9 });
  await settle();
  expect(storage.checkpoint).toEqual(headerAt(7));
  const snapshot = pinned(storage);
  expect(snapshot.header).toEqual(headerAt(9));
  expect(new Map(await readAll(snapshot, 1e6))).toEqual(stateAt(9));
  release();
});

test('what was applied can be written out at once', async () => {
  const storage = await new Machine(new Power()).open();
  await storage.append(appendOf(entriesFrom(1, 20)));
  applyUpTo(storage, { term: 1, index: 7 });
  await settle();
  expect(storage.checkpoint).toBeNull();
  await storage.checkpointNow();
  expect(storage.checkpoint).toEqual(headerAt(7));
  await storage.checkpointNow();
  expect(new Map(await readAll(pinned(storage), 1e6))).toEqual(stateAt(7));
});

test('a snapshot of a state that was replaced, or of a closed storage, says so', async () => {
  const storage = await openAt(7);
  const [old, closed] = [pinned(storage), pinned(storage)];
  await closed.close();
  await closed.close();
  await expect(closed.read(null, 1)).rejects.toMatchObject({ code: 'closed' });
  await old.read(null, 1);
  await receiveState(storage, { term: 2, index: 30 });
  const snapshot = snapshotOf({ term: 2, index: 30 });
  await storage.append({ ...appendOf([]), snapshot });
  await settle();
  await expect(old.read(null, 1)).rejects.toMatchObject({ code: 'closed' });
  const last = pinned(storage);
  expect(last.header).toEqual(headerAt(30, 2));
  await storage.close();
  await expect(last.read(null, 1)).rejects.toMatchObject({ code: 'closed' });
});
