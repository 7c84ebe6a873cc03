import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { createPrng, randomBelow } from '../../src/base/prng.ts';
import type { DamagedPart } from '../../src/storage/damage.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import type { CheckpointHeader } from '../../src/storage/types.ts';
import { numberSeed, segmentPath } from '../../src/storage/wal/segment.ts';
import type { FileContent } from '../sim/file-content.ts';
import { Power } from '../sim/power.ts';
import {
  appendOf,
  birth,
  entriesFrom,
  entryAt,
  headerAt,
  Machine,
  memberId,
  settle,
} from './machine.ts';
import { recordsOf } from './state.ts';

const pageBytes = 4096;
const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };

/** A closed log of twenty groups of about 4 KiB, each one entry, in two segments. */
async function filled(): Promise<Machine> {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= 20; index++) {
    await storage.append(appendOf([entryAt(index, 1, 4000)], hardState));
  }
  await storage.close();
  return machine.cut('keep');
}

function contentOf(machine: Machine, path: string): FileContent {
  const content = machine.files.content(path);
  if (content === null) throw new Error(`${path} is missing`);
  return content;
}

/** The last byte that is not zero. */
function endOf(content: FileContent): number {
  const bytes = content.read(0, content.size);
  return bytes.findLastIndex((byte) => byte !== 0);
}

function checksumOf(machine: Machine, paths: readonly string[]): number[] {
  return paths.map((path) => crc32(contentOf(machine, path).read(0, 1e9)));
}

/** Refused with the part and the file's name, and nothing changed. */
async function expectDamaged(
  machine: Machine,
  path: string,
  part: DamagedPart = 'log',
): Promise<void> {
  const names = await machine.files.list('wal');
  const paths = names.map((name) => `wal/${name}`);
  const before = checksumOf(machine, paths);
  const operations = machine.power.operations;
  await expect(machine.open()).rejects.toMatchObject({
    code: 'dataDamaged',
    message: expect.stringContaining(path),
    details: { part, path: expect.stringContaining(path) },
  });
  expect(machine.power.operations).toBe(operations);
  expect(checksumOf(machine, paths)).toEqual(before);
}

test('a flipped bit anywhere at or below the slot is damage', async () => {
  const random = createPrng(7);
  for (let round = 0; round < 60; round++) {
    const machine = await filled();
    const path = segmentPath(1 + (round % 2));
    const content = contentOf(machine, path);
    const begin = 2 * pageBytes + 16;
    let position = begin + randomBelow(random, endOf(content) - begin + 1);
    // The padding of the header's page and what stands behind the last group mean nothing.
    while (content.read(position, 1)[0] === 0) position--;
    content.corrupt(position, (byte) => byte ^ (1 << randomBelow(random, 8)));
    await expectDamaged(machine, 'wal/');
  }
});

test('a damaged slot leaves the other one, two damaged slots are damage', async () => {
  for (const slots of [[0], [1], [0, 1]]) {
    const machine = new Machine(new Power());
    const storage = await machine.open();
    for (let index = 1; index <= 4; index++) {
      await storage.append(appendOf([entryAt(index)]));
      machine.clock.step(machine.clock.monotonic() + 20);
      await settle();
    }
    await storage.close();
    const after = machine.cut('keep');
    const content = contentOf(after, segmentPath(1));
    for (const slot of slots) content.corrupt(slot * pageBytes + 9, (byte) => byte ^ 0x10);
    if (slots.length === 2) await expectDamaged(after, segmentPath(1));
    else expect((await after.open()).entries.length).toBe(4);
  }
});

/** Groups of one entry each, about 5 KiB, every one named by a slot of its own; not closed. */
async function idleAfterEach(count: number): Promise<Machine> {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= count; index++) {
    await storage.append(appendOf([entryAt(index, 1, 5000)]));
    machine.clock.step(machine.clock.monotonic() + 20);
    await settle();
  }
  return machine.cut('keep');
}

test('the newer slot counts, and the older one still protects what it names', async () => {
  for (const count of [3, 4]) {
    const newer = await idleAfterEach(count);
    const content = contentOf(newer, segmentPath(1));
    content.corrupt(endOf(content) - 100, (byte) => byte ^ 1);
    await expectDamaged(newer, segmentPath(1));
    const older = await idleAfterEach(count);
    const damagedContent = contentOf(older, segmentPath(1));
    const end = endOf(damagedContent);
    // The headers of the last two groups, and the slot that names the last one.
    for (const at of [end - 5040, end - 10_080, (count % 2) * pageBytes + 9]) {
      for (let byte = 0; byte < 20; byte++) damagedContent.corrupt(at + byte, (old) => old ^ 0x5a);
    }
    await expectDamaged(older, segmentPath(1));
  }
});

test('an unreadable header before groups is damage, also in the newest segment', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= 20; index++) {
    await storage.append(appendOf([entryAt(index, 1, 4000)]));
  }
  const cut = machine.cut('keep');
  contentOf(cut, segmentPath(2)).corrupt(2 * pageBytes + 20, (byte) => byte ^ 1);
  await expectDamaged(cut, segmentPath(2));
});

test('a lost vote at the end of an older segment is damage', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 1)));
  await storage.append(appendOf([], { currentTerm: 9, votedFor: null, commitIndex: 0 }));
  const end = endOf(contentOf(machine, segmentPath(1)));
  await storage.append(appendOf([entryAt(2, 9, 60_000)]));
  const cut = machine.cut('keep');
  expect(cut.files.content(segmentPath(2))).not.toBeNull();
  contentOf(cut, segmentPath(1)).corrupt(end, (byte) => byte ^ 1);
  await expectDamaged(cut, segmentPath(1));
});

test('a bad last group above the slot is a torn tail, and is wiped', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= 5; index++)
    await storage.append(appendOf([entryAt(index, 1, 5000)]));
  const cut = machine.cut('keep');
  const content = contentOf(cut, segmentPath(1));
  const end = endOf(content);
  content.corrupt(end - 100, (byte) => byte ^ 1);
  const again = await cut.open();
  expect(again.entries).toEqual(entriesFrom(1, 4, 1, 5000));
  expect(endOf(content)).toBeLessThan(end - 4900);
  await again.append(appendOf([entryAt(5, 2, 10)]));
  const third = await cut.cut('drop').open();
  expect(third.entries).toEqual([...entriesFrom(1, 4, 1, 5000), entryAt(5, 2, 10)]);
});

test('a bad group above the slot is damage when a later one proves that it was durable', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= 5; index++)
    await storage.append(appendOf([entryAt(index, 1, 5000)]));
  const cut = machine.cut('keep');
  contentOf(cut, segmentPath(1)).corrupt(3 * pageBytes + 50, (byte) => byte ^ 1);
  await expectDamaged(cut, segmentPath(1));
});

test('the same holds when the next segment is ready already', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= 9; index++)
    await storage.append(appendOf([entryAt(index, 1, 5000)]));
  for (let turn = 0; turn < 10; turn++) await settle();
  const cut = machine.cut('keep');
  expect(await cut.files.list('wal')).toContain('0000000000000002.log');
  contentOf(cut, segmentPath(1)).corrupt(3 * pageBytes + 50, (byte) => byte ^ 1);
  await expectDamaged(cut, segmentPath(1));
});

test('a truncated segment is damage below the slot and a torn tail above it', async () => {
  const below = await filled();
  contentOf(below, segmentPath(2)).truncate(4 * pageBytes);
  await expectDamaged(below, segmentPath(2));
  const short = await filled();
  contentOf(short, segmentPath(2)).truncate(100);
  await expectDamaged(short, segmentPath(2));
  const above = await filled();
  const content = contentOf(above, segmentPath(2));
  content.truncate(endOf(content) + 1);
  expect((await above.open()).entries.length).toBe(20);
});

test('a segment that is missing between others is damage', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  for (let index = 1; index <= 50; index++) {
    await storage.append(appendOf([entryAt(index, 1, 4000)]));
  }
  await storage.close();
  const cut = machine.cut('keep');
  cut.files.lose(segmentPath(2));
  await expectDamaged(cut, segmentPath(2));
});

test('without its oldest segment the log begins later, and says that the state is missing', async () => {
  const machine = await filled();
  machine.files.lose(segmentPath(1));
  const storage = await machine.open();
  expect(storage.isStateMissing).toBe(true);
  const { index } = storage.start.last;
  expect(storage.logFirst).toBe(index + 1);
  expect(storage.entries).toEqual(entriesFrom(index + 1, 20 - index, 1, 4000));
});

test('a log that is gone as a whole is damage, unless nothing was ever appended', async () => {
  const machine = await filled();
  for (const name of await machine.files.list('wal')) machine.files.lose(`wal/${name}`);
  await expectDamaged(machine, 'wal/');
  machine.files.lose('wal');
  await expectDamaged(machine, 'wal/');
});

test('a missing identity beside a log is damage', async () => {
  const machine = await filled();
  machine.files.lose('identity');
  await expect(loadIdentity(machine.files)).rejects.toMatchObject({
    code: 'dataDamaged',
    details: { part: 'identity', path: 'identity' },
  });
});

test('a log that ends below what the state has applied is damage', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open({ generationBytesMax: 1 });
  for (let index = 1; index <= 3; index++) await storage.append(appendOf([entryAt(index)]));
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(3));
  await settle();
  const cut = machine.cut('keep');
  const content = contentOf(cut, segmentPath(1));
  for (let at = endOf(content) - 30; at <= endOf(content); at++) content.corrupt(at, () => 0);
  await expectDamaged(cut, segmentPath(1));
});

/** The state at entry 2 of 3, with this header. */
async function withState(header: CheckpointHeader): Promise<Machine> {
  const machine = new Machine(new Power());
  const storage = await machine.open({ generationBytesMax: 1 });
  await storage.append(appendOf(entriesFrom(1, 3)));
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => header);
  await settle();
  return machine.cut('keep');
}

test('a state of another cluster is damage of the state', async () => {
  const machine = await withState({ ...headerAt(2), clusterId: '00000000000000c2' });
  await expectDamaged(machine, 'state/1', 'state');
});

test('a log of another term than the state is damage of the log', async () => {
  await expectDamaged(await withState(headerAt(2, 2)), 'wal/');
});

test('a state that cannot be opened, or is missing, is damage of the state', async () => {
  const lost = await withState(headerAt(2));
  lost.files.database('state/1')?.lose();
  await expectDamaged(lost, 'state/1', 'state');
  const missing = await withState(headerAt(2));
  missing.files.lose('state/1');
  await expectDamaged(missing, 'state/1', 'state');
});

test('a header or mark that is bad or gone is damage of the state', async () => {
  for (const key of ['\xffcheckpoint', '\xfflog']) {
    for (const bytes of [Uint8Array.of(1, 2, 3, 4, 5), null]) {
      const machine = await withState(headerAt(2));
      await (await machine.files.openLevel('state/1')).write([[key, bytes]]);
      await expectDamaged(machine, 'state/1', 'state');
    }
  }
});

test('where both are damaged, the log comes first', async () => {
  const machine = await filled();
  const content = contentOf(machine, segmentPath(1));
  content.corrupt(3 * pageBytes + 50, (byte) => byte ^ 1);
  machine.files.database('state/1')?.lose();
  await expectDamaged(machine, 'wal/');
});

test('a state that is older than the beginning of the log is damage of the state', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open({ generationBytesMax: 1 });
  for (let index = 1; index <= 40; index++) {
    await storage.append(appendOf([entryAt(index, 1, 4000)]));
  }
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(3));
  await settle();
  const old = await recordsOf((await machine.files.openLevel('state/1')).pages('', '\xff\xff'));
  storage.overlay.write('k', Uint8Array.of(2));
  storage.applied(() => headerAt(40));
  await settle();
  await storage.releaseLog(40);
  const cut = machine.cut('keep');
  await (await cut.files.openLevel('state/1')).write(old);
  await expectDamaged(cut, 'state/1', 'state');
});

test('a log that is older than the last generation is damage of the log', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open({ generationBytesMax: 1 });
  await storage.append(appendOf(entriesFrom(1, 3)));
  const old = contentOf(machine, segmentPath(1)).read(0, 1e9);
  await storage.append(appendOf([], { currentTerm: 5, votedFor: null, commitIndex: 3 }));
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(2));
  await settle();
  const cut = machine.cut('keep');
  const content = contentOf(cut, segmentPath(1));
  for (const [at, byte] of content.read(0, 1e9).entries()) {
    if (byte !== old[at]) content.corrupt(at, () => old[at] ?? 0);
  }
  await expectDamaged(cut, 'wal/');
});

test('an identity that is older than the log is damage of the identity', async () => {
  const machine = new Machine(new Power());
  await mintIdentity(machine.files, 'a', memberId);
  await saveBirth(machine.files, birth);
  const old = contentOf(machine, 'identity').read(0, 1e9);
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 3)));
  await storage.close();
  const cut = machine.cut('keep');
  const content = contentOf(cut, 'identity');
  for (const [at, byte] of old.entries()) content.corrupt(at, () => byte);
  await expect(cut.open()).rejects.toMatchObject({
    code: 'dataDamaged',
    details: { part: 'identity' },
  });
});

test('a state without its header is damage', async () => {
  const machine = await filled();
  const level = await machine.files.openLevel('state/1');
  await level.write([['k', Uint8Array.of(1)]]);
  await expectDamaged(machine, 'state/1', 'state');
});

test('a lost state is replayed from the log', async () => {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entriesFrom(1, 3)));
  storage.overlay.write('k', Uint8Array.of(1));
  storage.applied(() => headerAt(3));
  await storage.close();
  const fresh = machine.cut('keep');
  fresh.files.database('state/1')?.clear();
  const again = await fresh.open();
  expect(again.checkpoint).toBeNull();
  expect(again.entries).toEqual(entriesFrom(1, 3));
});

test('a segment of a newer format is named as such', async () => {
  const machine = await filled();
  const content = contentOf(machine, segmentPath(2));
  const header = 2 * pageBytes;
  content.corrupt(header + 4, () => 3);
  const checksum = crc32(content.read(header, 12), numberSeed(2));
  for (let byte = 0; byte < 4; byte++) {
    content.corrupt(header + 12 + byte, () => (checksum >>> (8 * byte)) & 0xff);
  }
  await expect(machine.open()).rejects.toMatchObject({ code: 'formatTooNew' });
});
