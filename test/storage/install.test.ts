import { expect, test } from 'vitest';
import type { EntryId } from '../../src/format/types.ts';
import type { Storage } from '../../src/storage/types.ts';
import type { FileOperation } from '../sim/files.ts';
import { Power } from '../sim/power.ts';
import {
  appendOf,
  configuration,
  entriesFrom,
  entryAt,
  headerAt,
  Machine,
  settle,
} from './machine.ts';
import { applyUpTo, receiveState, recordsOf, snapshotOf, stateAt } from './state.ts';

const other = { ...configuration, learners: ['00000000000000a7'] };

async function openAt(index: number, machine: Machine): Promise<Storage> {
  const storage = await machine.open({ generationBytesMax: 1 });
  await storage.append(appendOf(entriesFrom(1, 20)));
  applyUpTo(storage, { term: 1, index });
  await settle();
  return storage;
}

async function install(storage: Storage, last: EntryId): Promise<void> {
  await receiveState(storage, last);
  await storage.append({ ...appendOf([]), snapshot: snapshotOf(last) });
}

test('a received state can be read and verified before it counts', async () => {
  const machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  const staging = await storage.stage(headerAt(50, 3));
  for (const record of [...stateAt(50)].sort()) await staging.write([record]);
  const staged = await staging.finish();
  expect(staged.header).toEqual(headerAt(50, 3));
  expect(await recordsOf(staged.load('', '\xff'))).toEqual(stateAt(50));
  expect(staged.overlay.read('k1')).toEqual(stateAt(50).get('k1') ?? null);
  expect(storage.checkpoint).toEqual(headerAt(7));
  expect(storage.overlay.read('k1')).toEqual(stateAt(7).get('k1') ?? null);
});

test('the append makes it current, and its overlay the storage’s', async () => {
  const machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  const staging = await storage.stage(headerAt(50, 3));
  await staging.write([...stateAt(50)].sort());
  const staged = await staging.finish();
  const snapshot = { last: { term: 3, index: 50 }, configuration: other };
  await storage.append({ ...appendOf(entriesFrom(51, 2, 3)), snapshot });
  expect(storage.overlay).toBe(staged.overlay);
  expect(storage.checkpoint).toEqual(headerAt(50, 3));
  expect(storage.logFirst).toBe(51);
  expect(await recordsOf(storage.load('', '\xff'))).toEqual(stateAt(50));
  applyUpTo(storage, { term: 3, index: 52 });
  await settle();
  expect(await machine.files.list('state')).toEqual(['2']);
  expect((await machine.files.list('wal')).length).toBe(1);
  const again = await machine.cut('drop').open();
  expect(again.checkpoint).toEqual(headerAt(52, 3));
  expect(again.start.last).toEqual({ term: 3, index: 52 });
  expect(await recordsOf(again.load('', '\xff'))).toEqual(stateAt(52));
});

test('the log stays when it leads to the state, and goes when it does not', async () => {
  for (const [term, kept] of [
    [1, true],
    [2, false],
  ] as const) {
    const machine = new Machine(new Power());
    const storage = await openAt(7, machine);
    await install(storage, { term, index: 15 });
    expect(storage.logFirst).toBe(kept ? 1 : 16);
    const reading = storage.readLog(16, 1e6);
    if (kept) {
      expect(await reading).toEqual({ prev: { term, index: 15 }, entries: entriesFrom(16, 5) });
    } else {
      await expect(reading).rejects.toMatchObject({ code: 'invalidArgument' });
    }
    const again = await machine.cut('keep').open();
    expect(again.logFirst).toBe(kept ? 1 : 16);
    expect(again.entries).toEqual(kept ? entriesFrom(16, 5) : []);
  }
});

test('what follows a kept log may replace it, what follows a lost one continues the state', async () => {
  for (const term of [1, 2]) {
    const machine = new Machine(new Power());
    const storage = await openAt(7, machine);
    await install(storage, { term, index: 15 });
    await storage.append(appendOf(entriesFrom(16, 1, 5)));
    const last = await machine.cut('drop').open();
    expect(last.entries).toEqual([entryAt(16, 5)]);
  }
});

test('a state far ahead of the log takes its place, and the log goes on behind it', async () => {
  const machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  await install(storage, { term: 2, index: 500 });
  await storage.append(appendOf(entriesFrom(501, 3, 2)));
  expect((await storage.readLog(501, 1e6)).prev).toEqual({ term: 2, index: 500 });
  expect(await storage.readLog(500, 1e6)).toEqual({ prev: null, entries: [] });
  const again = await machine.cut('drop').open();
  expect(again.entries).toEqual(entriesFrom(501, 3, 2));
  expect(again.start).toEqual({ last: { term: 2, index: 500 }, configuration });
});

test('the number of the state outlives the segment that named it first', async () => {
  let machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  await install(storage, { term: 2, index: 30 });
  for (let index = 31; index <= 50; index++) {
    await storage.append(appendOf([entryAt(index, 2, 20_000)]));
  }
  applyUpTo(storage, { term: 2, index: 48 });
  await settle();
  await storage.releaseLog(48);
  expect(await machine.files.list('wal')).not.toContain('0000000000000002.log');
  machine = machine.cut('drop');
  const again = await machine.open();
  expect(again.checkpoint).toEqual(headerAt(48, 2));
  expect(await machine.files.list('state')).toEqual(['2']);
});

test('what is applied to the old state after the install changes nothing', async () => {
  const machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  const old = storage.overlay;
  await install(storage, { term: 2, index: 30 });
  old.write('k1', Uint8Array.of(1));
  storage.applied(() => headerAt(8));
  await storage.checkpointNow();
  await settle();
  expect(storage.checkpoint).toEqual(headerAt(30, 2));
  const again = await machine.cut('drop').open();
  expect(await recordsOf(again.load('', '\xff'))).toEqual(stateAt(30));
});

test('a state that is given up leaves nothing, and another one can be received', async () => {
  const machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  const staging = await storage.stage(headerAt(50, 3));
  await staging.write([['k', Uint8Array.of(1)]]);
  await Promise.all([staging.abort(), staging.abort()]);
  await expect(staging.write([['l', Uint8Array.of(1)]])).rejects.toMatchObject({ code: 'closed' });
  expect(await machine.files.list('state')).toEqual(['1']);
  const second = await receiveState(storage, { term: 3, index: 60 });
  await storage.append({ ...appendOf([]), snapshot: snapshotOf({ term: 3, index: 60 }) });
  await second.abort();
  await settle();
  expect(storage.checkpoint).toEqual(headerAt(60, 3));
  expect(await machine.files.list('state')).toEqual(['2']);
});

test('received records that are no state are refused', async () => {
  const storage = await openAt(7, new Machine(new Power()));
  for (const keys of [['b', 'a'], ['a', 'a'], [''], ['\xff'], ['\xffcheckpoint']]) {
    const staging = await storage.stage(headerAt(50, 3));
    const records = keys.map((key) => [key, Uint8Array.of(1)] as const);
    await expect(staging.write(records)).rejects.toMatchObject({ code: 'malformedFrame' });
    await staging.abort();
  }
});

test('records are written in batches while they arrive, each durable', async () => {
  let batches = 0;
  const machine = new Machine(new Power(), {
    beforeBatch: () => {
      batches++;
    },
  });
  const storage = await openAt(7, machine);
  const before = batches;
  const staging = await storage.stage(headerAt(50, 3));
  for (let at = 0; at < 40; at++) {
    await staging.write([[`k${at + 100}`, new Uint8Array(100_000)]]);
  }
  expect(batches - before).toBe(3);
  await staging.finish();
  expect(batches - before).toBe(5);
});

test('appends go on while a state is received, and one commits it', async () => {
  const machine = new Machine(new Power());
  const storage = await openAt(7, machine);
  const [staging] = await Promise.all([
    receiveState(storage, { term: 1, index: 12 }),
    storage.append(appendOf(entriesFrom(21, 3))),
  ]);
  expect(staging).toBeDefined();
  await storage.append({
    ...appendOf(entriesFrom(24, 2)),
    snapshot: snapshotOf({ term: 1, index: 12 }),
  });
  const again = await machine.cut('drop').open();
  expect(again.start.last.index).toBe(12);
  expect(again.entries).toEqual(entriesFrom(13, 13));
});

test('a snapshot that was not received is a bug', async () => {
  const storage = await openAt(7, new Machine(new Power()));
  const snapshot = snapshotOf({ term: 2, index: 30 });
  await expect(storage.append({ ...appendOf([]), snapshot })).rejects.toThrow('is whole');
  const second = await openAt(7, new Machine(new Power()));
  await receiveState(second, { term: 2, index: 29 });
  await expect(second.append({ ...appendOf([]), snapshot })).rejects.toThrow('not at 30');
});

test('the age of an append that hangs can be told', async () => {
  let hold: Promise<void> | null = null;
  const machine = new Machine(new Power(), {
    beforeFile: async ({ kind }: FileOperation) => {
      if (kind === 'writeDurably') await hold;
    },
  });
  const storage = await openAt(7, machine);
  expect(storage.pendingMs()).toBe(0);
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  const appending = storage.append(appendOf([entryAt(21)]));
  await settle();
  machine.clock.step(machine.clock.monotonic() + 30);
  machine.clock.step(machine.clock.monotonic() + 30);
  expect(storage.pendingMs()).toBeGreaterThan(10);
  release();
  await appending;
  expect(storage.pendingMs()).toBe(0);
});

test('the age of a read of the log that hangs can be told', async () => {
  let hold: Promise<void> | null = null;
  const machine = new Machine(new Power(), {
    beforeFile: async ({ kind }: FileOperation) => {
      if (kind === 'read') await hold;
    },
  });
  const storage = await openAt(7, machine);
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  const reading = storage.readLog(1, 1024);
  machine.clock.step(machine.clock.monotonic() + 30);
  machine.clock.step(machine.clock.monotonic() + 30);
  expect(storage.pendingMs()).toBeGreaterThan(10);
  release();
  expect((await reading).entries[0]).toMatchObject({ index: 1 });
  expect(storage.pendingMs()).toBe(0);
});

test('a checkpoint that is asked for does not begin in a state that another one has replaced', async () => {
  let hold: Promise<void> | null = null;
  const machine = new Machine(new Power(), {
    beforeBatch: async () => {
      await hold;
    },
  });
  const storage = await openAt(7, machine);
  const told: Error[] = [];
  storage.onFailure = (error) => told.push(error);
  const last = { term: 2, index: 30 };
  await receiveState(storage, last);
  let release = (): void => {};
  hold = new Promise((resolve) => {
    release = resolve;
  });
  applyUpTo(storage, { term: 1, index: 8 });
  const writing = storage.checkpointNow();
  await settle();
  applyUpTo(storage, { term: 1, index: 9 });
  // Waits for the one that is being written, like the state that is on its way out.
  const second = storage.checkpointNow();
  await storage.append({ ...appendOf([]), snapshot: snapshotOf(last) });
  await settle();
  release();
  await Promise.all([writing, second]);
  await settle();
  expect(told).toEqual([]);
  expect(storage.checkpoint?.applied).toEqual(last);
  await storage.close();
});
