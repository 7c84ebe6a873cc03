import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import type { FileOperation } from '../sim/files.ts';
import { Power } from '../sim/power.ts';
import { LogModel } from './log-model.ts';
import { appendOf, entriesFrom, entryAt, headerAt, Machine, settle } from './machine.ts';

class DiskError extends Error {
  override readonly name = 'DiskError';
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

test('a full disk ends the storage when the next segment cannot be made', async () => {
  let isFull = false;
  const machine = new Machine(new Power(), {
    beforeFile: ({ kind, path }) => {
      if (isFull && kind === 'write' && path === 'wal/unfinished') throw new DiskError('ENOSPC');
    },
  });
  const storage = await machine.open();
  const told: Error[] = [];
  storage.onFailure = (error) => told.push(error);
  isFull = true;
  let last = 0;
  await expect(async () => {
    for (;;) {
      await storage.append(appendOf([entryAt(last + 1, 1, 5000)]));
      last++;
    }
  }).rejects.toMatchObject({ code: 'storageFailed' });
  await storage.close();
  isFull = false;
  expect(last).toBeGreaterThan(3);
  const { entries } = await machine.cut('drop').open();
  expect(entries.slice(0, last)).toEqual(entriesFrom(1, last, 1, 5000));
  expect(entries.length).toBeLessThanOrEqual(last + 1);
});
