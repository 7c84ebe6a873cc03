/**
 * Appends to the storage in a directory until it is killed, and says what is durable: the entries, and
 * how much of the newest log of LevelDB. With the word `installs` it also releases log and installs
 * states, as if received from another member that is ahead. At each start it checks all that it finds.
 */
import { ok, strictEqual } from 'node:assert/strict';
import { writeSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../src/base/clock.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../../src/storage/identity.ts';
import { openLevel } from '../../../src/storage/level.ts';
import { openNodeFiles } from '../../../src/storage/node-files.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import type { CheckpointHeader, Level, LevelChange } from '../../../src/storage/types.ts';

const directory = process.argv[2] ?? '.';
const installs = process.argv[3] === 'installs';
const memberId = '00000000000000a1';
const configuration = {
  members: [],
  voters: [memberId],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};
const birth = {
  clusterId: memberId,
  incarnation: memberId,
  configuration,
  configurationIndex: 0,
};

const clock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon: (callback) => void setImmediate(callback),
};

/** The database, which says after each batch how much of its log is synced. */
async function openReportingLevel(path: string): Promise<Level> {
  const place = join(directory, path);
  const level = await openLevel(place, { writeBufferBytes: 512 * 1024 });
  return {
    get: (key) => level.get(key),
    pages: (from, to) => level.pages(from, to),
    snapshot: () => level.snapshot(),
    close: () => level.close(),
    async write(changes: Iterable<LevelChange>) {
      await level.write(changes);
      const log =
        (await readdir(place))
          .filter((name) => name.endsWith('.log'))
          .sort()
          .at(-1) ?? '';
      const { size } = await stat(join(place, log));
      say(`level ${log} ${size}`);
    },
  };
}

const files = await openNodeFiles(directory);
let identity = (await loadIdentity(files)) ?? (await mintIdentity(files, 'a', memberId));
if (identity.birth === null) identity = await saveBirth(files, birth);
const storage = await openStorage({
  files,
  openLevel: openReportingLevel,
  clock,
  identity,
  segmentBytes: 256 * 1024,
  generationBytesMax: 100_000,
});

let index = storage.checkpoint?.applied.index ?? 0;
await checkLevel(index);
for (const entry of storage.entries) {
  index++;
  strictEqual(entry.index, index);
  ok(entry.type === 'command' && Buffer.from(commandOf(index)).equals(entry.command));
  apply(index);
}
await checkReading();
say(`open ${index}`);
for (let round = 1; ; round++) {
  if (installs && round % 20 === 0) await storage.releaseLog(index);
  if (installs && round % 30 === 0) await install(index + 200);
  index++;
  await storage.append({
    number: index,
    hardState: { currentTerm: 1, votedFor: null, commitIndex: index - 1 },
    snapshot: null,
    entries: [{ type: 'command', term: 1, index, command: commandOf(index) }],
  });
  say(`${index}`);
  apply(index);
}

function commandOf(at: number): Uint8Array {
  return new Uint8Array(2000 + (at % 1000)).fill(at % 256);
}

/** The keys that an entry writes; their value names the entry. */
function keysOf(at: number): string[] {
  return Array.from({ length: 8 }, (_, record) => `k${(at * 7 + record) % 500}`);
}

function apply(at: number): void {
  for (const key of keysOf(at)) storage.overlay.write(key, new Uint8Array(400).fill(at % 256));
  storage.applied(() => headerAt(at));
}

function headerAt(at: number): CheckpointHeader {
  return {
    applied: { term: 1, index: at },
    configuration,
    clusterId: birth.clusterId,
    incarnation: birth.incarnation,
    featureLevel: 1,
    revision: at,
    logTimeMs: at,
    wallTimeMs: at,
    compactRevisions: [0, 0],
    removedRevisions: [0, 0],
    timeMarks: [],
    digest: { high: 0, low: at },
  };
}

/** The first byte of each value of the state at an index. */
function stateAt(applied: number): Map<string, number> {
  const state = new Map<string, number>();
  for (let at = 1; at <= applied; at++) for (const key of keysOf(at)) state.set(key, at % 256);
  return state;
}

async function install(at: number): Promise<void> {
  say(`install ${at}`);
  const staging = await storage.stage(headerAt(at));
  for (const [key, byte] of [...stateAt(at)].sort()) {
    await staging.write([[key, new Uint8Array(400).fill(byte)]]);
  }
  await staging.finish();
  const last = { term: 1, index: at };
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: at };
  await storage.append({ number: at, hardState, snapshot: { last, configuration }, entries: [] });
  index = at;
  say(`${index}`);
}

/** The log is whole from where it says it begins to its end. */
async function checkReading(): Promise<void> {
  for (let from = storage.logFirst; from <= index; ) {
    const { prev, entries } = await storage.readLog(from, 1e6);
    strictEqual(prev?.index, from - 1);
    for (const entry of entries) {
      ok(entry.type === 'command' && Buffer.from(commandOf(from)).equals(entry.command));
      strictEqual(entry.index, from++);
    }
  }
}

/** Level is exactly the state at the index that its header names. */
async function checkLevel(applied: number): Promise<void> {
  const expected = stateAt(applied);
  for await (const page of storage.load('', '\xff')) {
    for (const [key, value] of page) {
      strictEqual(value[399], expected.get(key), `${key} at ${applied}`);
      expected.delete(key);
    }
  }
  strictEqual(expected.size, 0, `${expected.size} records are missing at ${applied}`);
}

/** Not `console.log`: what was said must have left the process before anything else happens. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}
