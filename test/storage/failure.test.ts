import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import type { FileOperation } from '../sim/files.ts';
import { Power } from '../sim/power.ts';
import { LogModel } from './log-model.ts';
import { appendOf, entriesFrom, entryAt, headerAt, Machine, settle } from './machine.ts';
import { receiveState, snapshotOf } from './state.ts';

class DiskError extends Error {
  override readonly name = 'DiskError';
  readonly code: string;

  constructor(code: string) {
    super(`${code}: the disk failed`);
    this.code = code;
  }
}

test('a failed write or sync ends the storage, and a restart finds either outcome', async () => {
  for (const kind of ['write', 'writeDurably', 'sync'] as const) {
    for (const mode of ['drop', 'keep', 'random'] as const) {
      let isSick = false;
      const machine = new Machine(new Power(), {
        beforeFile: (operation: FileOperation) => {
          if (isSick && operation.kind === kind) throw new DiskError('EIO');
        },
      });
      const storage = await machine.open();
      const certain = new LogModel();
      const first = appendOf(entriesFrom(1, 2));
      certain.append(first);
      await storage.append(first);
      // Long enough after the last slot for this append to carry one.
      machine.clock.step(machine.clock.monotonic() + 11);
      isSick = true;
      const second = appendOf(entriesFrom(3, 2));
      const possible = certain.copy();
      possible.append(second);
      const isIn = await storage.append(second).then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'storageFailed', definite: false });
          return false;
        },
      );
      isSick = false;
      const isRefused = await storage.append(appendOf([entryAt(isIn ? 5 : 3)])).then(
        () => false,
        () => true,
      );
      expect(isRefused).toBe(!isIn);
      if (isIn) continue;
      await storage.close();
      const again = await machine.cut(mode, createPrng(5)).open();
      expect([certain, possible].some((model) => model.matches(again))).toBe(true);
    }
  }
});

test('what a failed sync has left to be read is made durable before anything is built on it', async () => {
  for (const atFirst of [true, false]) {
    let isSick = false;
    const machine = new Machine(new Power(), {
      beforeFile: ({ kind }: FileOperation) => {
        if (isSick && kind === 'writeDurably') throw new DiskError('EIO');
      },
    });
    const storage = await machine.open();
    const log = new LogModel();
    if (!atFirst) {
      log.append(appendOf([entryAt(1)]));
      await storage.append(appendOf([entryAt(1)]));
    }
    const failed = appendOf(entriesFrom(log.last + 1, 2));
    isSick = true;
    await expect(storage.append(failed)).rejects.toMatchObject({ code: 'storageFailed' });
    // The process ends, and the system still shows what it could not write.
    const second = machine.cut('kill');
    const again = await second.open();
    log.append(failed);
    expect(log.matches(again)).toBe(true);
    const next = appendOf([entryAt(log.last + 1)]);
    await again.append(next);
    log.append(next);
    expect(log.matches(await second.cut('drop').open())).toBe(true);
  }
});

test('a failure in the background is told once and ends the storage', async () => {
  let isSick = false;
  const machine = new Machine(new Power(), {
    beforeBatch: () => {
      if (isSick) throw new DiskError('ENOSPC');
    },
  });
  const storage = await machine.open({ generationBytesMax: 1 });
  const told: Error[] = [];
  storage.onFailure = (error) => told.push(error);
  const log = new LogModel();
  log.append(appendOf(entriesFrom(1, 2)));
  await storage.append(appendOf(entriesFrom(1, 2)));
  isSick = true;
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(1));
  await settle();
  expect(told).toMatchObject([{ code: 'storageFailed' }]);
  expect(storage.overlay.read('k')).toEqual(Uint8Array.of(1));
  await expect(storage.append(appendOf([entryAt(3)]))).rejects.toBe(told[0]);
  storage.applied(() => headerAt(2));
  await storage.close();
  expect(told.length).toBe(1);
  // The failed batch may be there or not.
  expect(log.matches(await machine.cut('drop').open())).toBe(true);
});

test('a failure for want of room is told from others', async () => {
  for (const [code, details] of [
    ['ENOSPC', { reason: 'full' }],
    ['EDQUOT', { reason: 'full' }],
    ['EIO', {}],
  ] as const) {
    let isSick = false;
    const machine = new Machine(new Power(), {
      beforeFile: ({ kind }) => {
        if (isSick && kind === 'writeDurably') throw new DiskError(code);
      },
    });
    const storage = await machine.open();
    isSick = true;
    await expect(storage.append(appendOf(entriesFrom(1, 1)))).rejects.toMatchObject({
      code: 'storageFailed',
      details,
    });
  }
});

/** A disk whose room can be taken away. */
class FullDisk {
  /** Whether the disk says so before it is tried. */
  readonly #isHonest: boolean;
  isFull = false;
  readonly machine: Machine;

  constructor(isHonest: boolean) {
    this.#isHonest = isHonest;
    this.machine = new Machine(new Power(), {
      beforeFile: ({ grows }) => {
        if (this.isFull && grows) throw new DiskError('ENOSPC');
      },
      freeBytes: () => (this.isFull && this.#isHonest ? 0 : 2 ** 40),
    });
  }

  /** Lets waiting go on for a while. */
  async pass(): Promise<void> {
    const { clock } = this.machine;
    const end = clock.monotonic() + 600;
    while (clock.step(end)) await settle();
  }
}

test('an append waits for room for the next segment, and goes on when there is some', async () => {
  for (const isHonest of [true, false]) {
    const disk = new FullDisk(isHonest);
    const { machine } = disk;
    const storage = await machine.open();
    const told: Error[] = [];
    storage.onFailure = (error) => told.push(error);
    disk.isFull = true;
    let last = 0;
    const appending = (async () => {
      while (last < 20) {
        await storage.append(appendOf([entryAt(last + 1, 1, 5000)]));
        last++;
      }
    })();
    for (let look = 0; look < 5; look++) await disk.pass();
    expect(last).toBeGreaterThan(3);
    expect(last).toBeLessThan(20);
    expect(storage.waitsForSpace).toBe(true);
    expect(storage.pendingMs()).toBeGreaterThan(1000);
    expect(await machine.files.list('wal')).toEqual(['0000000000000001.log']);
    disk.isFull = false;
    while (!(await Promise.race([appending.then(() => true), disk.pass().then(() => false)])));
    expect(storage.waitsForSpace).toBe(false);
    expect(told).toEqual([]);
    expect((await machine.cut('drop').open()).entries).toEqual(entriesFrom(1, 20, 1, 5000));
  }
});

test('a generation waits for room, and is read meanwhile', async () => {
  const disk = new FullDisk(true);
  const storage = await disk.machine.open({ generationBytesMax: 1 });
  await storage.append(appendOf(entriesFrom(1, 3)));
  disk.isFull = true;
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(2));
  await disk.pass();
  expect(storage.checkpoint).toBeNull();
  expect(storage.waitsForSpace).toBe(true);
  expect(storage.overlay.read('k')).toEqual(Uint8Array.of(1));
  await storage.append(appendOf([entryAt(4)]));
  disk.isFull = false;
  await disk.pass();
  expect(storage.checkpoint).toEqual(headerAt(2));
  expect(storage.waitsForSpace).toBe(false);
});

test('a storage that waits for room can be closed, and loses nothing', async () => {
  const disk = new FullDisk(true);
  const storage = await disk.machine.open({ generationBytesMax: 1 });
  await storage.append(appendOf(entriesFrom(1, 3)));
  disk.isFull = true;
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(2));
  const appending = storage.append(appendOf([entryAt(4, 1, 70_000)]));
  await disk.pass();
  const closing = storage.close();
  await expect(appending).rejects.toMatchObject({ code: 'closed' });
  await closing;
  const again = await disk.machine.cut('drop').open();
  expect(again.checkpoint).toBeNull();
  expect(again.entries).toEqual(entriesFrom(1, 3));
});

test('a state that finds no room can be given up, and received again later', async () => {
  const disk = new FullDisk(true);
  const storage = await disk.machine.open();
  await storage.append(appendOf(entriesFrom(1, 3)));
  disk.isFull = true;
  const staging = await storage.stage(headerAt(30, 2));
  await staging.write([['k', Uint8Array.of(1)]]);
  await expect(staging.finish()).rejects.toMatchObject({ details: { reason: 'full' } });
  await storage.append(appendOf([entryAt(4)]));
  await staging.abort();
  disk.isFull = false;
  await receiveState(storage, { term: 2, index: 30 });
  await storage.append({ ...appendOf([]), snapshot: snapshotOf({ term: 2, index: 30 }) });
  expect(storage.checkpoint).toEqual(headerAt(30, 2));
});
