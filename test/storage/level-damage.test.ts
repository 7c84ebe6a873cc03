/** What damage to the files of a real LevelDB comes to. */
import { readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { damagedPart } from '../../src/storage/damage.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { openLevel } from '../../src/storage/level.ts';
import { openNodeFiles } from '../../src/storage/node-files.ts';
import { renewState } from '../../src/storage/repair.ts';
import { openStorage } from '../../src/storage/storage.ts';
import type { Files, Storage } from '../../src/storage/types.ts';
import { VirtualClock } from '../sim/clock.ts';
import { makeTemporaryDirectory } from './directories.ts';
import { appendOf, birth, entriesFrom, entryAt, memberId, settle } from './machine.ts';
import { applyUpTo } from './state.ts';

const levelOf = (directory: string) => (path: string) =>
  openLevel(join(directory, path), { writeBufferBytes: 64 * 1024 });

async function open(directory: string, files: Files): Promise<Storage> {
  let identity = (await loadIdentity(files)) ?? (await mintIdentity(files, 'a', memberId));
  if (identity.birth === null) identity = await saveBirth(files, birth);
  return await openStorage({
    files,
    openLevel: levelOf(directory),
    clock: new VirtualClock(),
    identity,
    segmentBytes: 64 * 1024,
  });
}

/** A log that begins late, and a state of some tables. */
async function fill(directory: string): Promise<void> {
  const files = await openNodeFiles(directory);
  const storage = await open(directory, files);
  await storage.append(appendOf(entriesFrom(1, 20, 1, 4000)));
  await storage.append(appendOf(entriesFrom(21, 20, 1, 4000)));
  for (let index = 1; index <= 35; index++) {
    storage.overlay.write(`filler${index}`, new Uint8Array(20_000).fill(index));
    applyUpTo(storage, { term: 1, index });
    await storage.checkpointNow();
  }
  await storage.releaseLog(35);
  expect(storage.logFirst).toBeGreaterThan(1);
  await storage.close();
  await files.close();
}

async function filesOf(directory: string, pattern: RegExp): Promise<string[]> {
  const names = (await readdir(directory)).filter((name) => pattern.test(name));
  expect(names.length).toBeGreaterThan(0);
  return names.map((name) => join(directory, name));
}

const damages: readonly { what: string; inflict: (state: string) => Promise<void> }[] = [
  { what: 'its entry point is gone', inflict: (state) => rm(join(state, 'CURRENT')) },
  { what: 'its entry point is empty', inflict: (state) => truncate(join(state, 'CURRENT')) },
  {
    what: 'its manifest is gone',
    inflict: async (state) => {
      for (const path of await filesOf(state, /^MANIFEST/)) await rm(path);
    },
  },
  {
    what: 'its manifest is cut short',
    inflict: async (state) => {
      for (const path of await filesOf(state, /^MANIFEST/)) {
        await truncate(path, Math.floor((await stat(path)).size / 2));
      }
    },
  },
  {
    what: 'its tables are gone',
    inflict: async (state) => {
      for (const path of await filesOf(state, /\.ldb$/)) await rm(path);
    },
  },
  {
    what: 'it is gone as a whole',
    inflict: (state) => rm(state, { recursive: true }),
  },
];

for (const { what, inflict } of damages) {
  test(`a state of which ${what} is told to be damaged, and set aside`, async () => {
    const directory = await makeTemporaryDirectory();
    const data = join(directory.path, 'data');
    await fill(data);
    await inflict(join(data, 'state', '1'));
    const files = await openNodeFiles(data);
    const error: unknown = await open(data, files).catch((thrown: unknown) => thrown);
    expect(damagedPart(error), String(error)).toBe('state');
    await renewState(files);
    const storage = await open(data, files);
    expect(storage.isStateMissing).toBe(true);
    expect(storage.entries.at(-1)).toEqual(entryAt(40, 1, 4000));
    await settle();
    await storage.close();
    await files.close();
    await directory.remove();
  });
}

test('a state that has lost its newest log is older, or told to be damaged', async () => {
  const directory = await makeTemporaryDirectory();
  const data = join(directory.path, 'data');
  await fill(data);
  for (const path of await filesOf(join(data, 'state', '1'), /\.log$/)) await rm(path);
  const files = await openNodeFiles(data);
  const opened = await open(data, files).catch((thrown: unknown) => thrown);
  if (opened instanceof Error) {
    expect(damagedPart(opened)).toBe('state');
  } else {
    const storage = opened as Storage;
    const applied = storage.checkpoint?.applied.index ?? 0;
    expect(storage.start.last.index).toBe(applied);
    expect(storage.entries.length).toBe(40 - applied);
    await storage.close();
  }
  await files.close();
  await directory.remove();
});
