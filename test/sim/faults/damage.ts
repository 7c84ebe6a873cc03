/**
 * Disks that do not give back what was written: rot, records and files that cannot be read, are cut or
 * gone, older copies in the place of newer ones. Some of it strikes under a running member, and some
 * can only be while nobody has the files open: then the node crashes first. Half of the worlds have none.
 */
import { type Random, randomBelow } from '../../../src/base/prng.ts';
import type { DamagedPart } from '../../../src/storage/damage.ts';
import { groupHeaderBytes, groupMagic } from '../../../src/storage/wal/group.ts';
import { headerAt, pageBytes, segmentNumber } from '../../../src/storage/wal/segment.ts';
import { newestSlot, slotBytes } from '../../../src/storage/wal/slot.ts';
import type { FileContent } from '../file-content.ts';
import type { SimulatedLevelStore } from '../level.ts';
import { isUp, type SimNode } from '../node.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { type Fault, type FaultFamily, nothing, type Struck } from './fault.ts';

/** The second character of the keys of values in Level. */
const valueKind = 0x76;

export const damageFaults: FaultFamily = (random) => {
  if (chance(random, 0.5)) return [];
  const kinds: readonly Fault[] = [
    onDisk('rotRecord', 2, rotRecord),
    rotRecordsOfLeader(),
    onDisk('unreadableRecords', 1, garbleRecords),
    atCrash('forgottenBatches', 2, forgetBatches),
    atCrash('lostState', 1, loseState),
    olderState(),
    onDisk('rotFile', 2, rotFile),
    atCrash('rotFileAtCrash', 2, rotFile),
    onDisk('lostFile', 1, loseFile),
    atCrash('cutFile', 1, cutFile),
  ];
  return kinds.filter(() => chance(random, 0.5));
};

/** Returns what was done, or null when there was nothing to do it to. */
type Inflict = (world: World, node: SimNode) => string | null;

/** Under a member that runs, or on the disk of one that does not. */
function onDisk(name: string, weight: number, inflict: Inflict): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const node = victim(world);
      return node === null ? null : struck(node, inflict(world, node));
    },
  };
}

function atCrash(name: string, weight: number, inflict: Inflict): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const node = victim(world);
      return node === null ? null : crashAnd(world, node, inflict);
    },
  };
}

/** Clients read mostly from who leads. */
function rotRecordsOfLeader(): Fault {
  return {
    name: 'rotRecordsOfLeader',
    weight: 2,
    strike: (world) => {
      const node = world.leader();
      if (node === null || !world.damages.mayHurt(node)) return null;
      const texts = [rotRecord, rotRecord, rotRecord].map((rot) => rot(world, node));
      return struck(node, texts.find((text) => text !== null) ?? null);
    },
  };
}

/** A state is copied, and some time later that copy is put in its place. */
function olderState(): Fault {
  return {
    name: 'olderState',
    weight: 1,
    strike: (world) => {
      const node = victim(world);
      const path = node === null ? null : statePath(world.random, node);
      const copy = path === null ? null : (node?.files.copy(path) ?? null);
      if (node === null || path === null || copy === null) return null;
      const { id } = node;
      world.clock.after(between(world.random, 50, 2500), () => {
        // A disk that was lost meanwhile is another member's now.
        if (world.isHealing || node.id !== id || !world.damages.mayHurt(node)) return;
        // The state is another one by now.
        if (node.files.database(path) === null) return;
        crashAnd(world, node, () => {
          node.files.putBack(path, copy);
          world.damages.inflict(node, { part: 'state', isThere: null });
          return path;
        });
      });
      return { text: `${node.name}, a copy of ${path}`, lastsMs: 0, end: nothing };
    },
  };
}

function crashAnd(world: World, node: SimNode, inflict: Inflict): Struck | null {
  if (isUp(node)) {
    world.crash(node, pick(world.random, ['kill', 'power']));
    world.restartLater(node, between(world.random, 1, 300));
  }
  return struck(node, inflict(world, node));
}

function struck(node: SimNode, text: string | null): Struck | null {
  return text === null ? null : { text: `${node.name}, ${text}`, lastsMs: 0, end: nothing };
}

function victim(world: World): SimNode | null {
  const nodes = world.nodes.filter((node) => world.damages.mayHurt(node));
  return sample(world.random, nodes, 1)[0] ?? null;
}

function rotRecord(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  const key = store === null ? null : pickKey(random, store);
  const bytes = key === null ? null : (store?.peek(key) ?? null);
  if (path === null || store === null || key === null || bytes === null) return null;
  if (bytes.length === 0) return null;
  const wrong = rotten(random, bytes);
  store.corrupt(key, wrong);
  const isThere = (): boolean => sameBytes(storeAt(node, path)?.peek(key) ?? null, wrong);
  world.damages.inflict(node, { part: 'state', isThere });
  return `${path} ${JSON.stringify(key)}`;
}

/** A block of a table, which holds neighbours. */
function garbleRecords(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  if (path === null || store === null) return null;
  const keys = [...store.keys].sort();
  if (keys.length === 0) return null;
  const from = randomBelow(random, keys.length);
  const block = keys.slice(from, from + pick(random, [1, 4, 20]));
  for (const key of block) store.garble(key);
  const isThere = (): boolean => block.some((key) => storeAt(node, path)?.isUnreadable(key));
  world.damages.inflict(node, { part: 'state', isThere });
  return `${block.length} records of ${path}`;
}

/** The database's own log has a hole, or has lost its end. */
function forgetBatches(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  if (path === null || store === null || store.journaled === 0) return null;
  const first = randomBelow(random, store.journaled);
  const count = chance(random, 0.5) ? 1 : store.journaled - first;
  store.forget(first, count);
  world.damages.inflict(node, { part: 'state', isThere: null });
  return `${count} batches of ${path}`;
}

function loseState(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  if (path === null || store === null) return null;
  const how = pick(random, ['an unreadable database', 'no directory', 'an empty directory']);
  if (how === 'no directory') node.files.lose(path);
  else if (how === 'an empty directory') store.clear();
  else store.lose();
  world.damages.inflict(node, { part: 'state', isThere: null });
  return `${path}: ${how}`;
}

/** A bit, or a page, of a file of the log or of the identity. */
function rotFile(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = filePath(random, node);
  const content = path === null ? null : node.files.content(path);
  if (path === null || content === null || content.size === 0) return null;
  const at = placeIn(random, content);
  const [from, length] = chance(random, 0.7) ? [at, 1] : [at - (at % pageBytes), pageBytes];
  // Without its slots what was damaged before could pass for a torn end.
  if (from < headerAt && world.damages.isHurt(node)) return null;
  if (from + length > noticeable(world, node, path)) return null;
  const before = content.read(from, length);
  const wrong = length === 1 ? flipped(random, before) : new Uint8Array(before.length);
  if (sameBytes(before, wrong)) return null;
  content.overwrite(from, wrong);
  const isThere = (): boolean => {
    return sameBytes(node.files.content(path)?.read(from, wrong.length) ?? null, wrong);
  };
  world.damages.inflict(node, { part: partOf(path), isThere });
  return `${path}, ${wrong.length} bytes at ${from}`;
}

/** Whoever has it open goes on with it, and the next start does not find it. */
function loseFile(world: World, node: SimNode): string | null {
  const path = filePath(world.random, node);
  if (path === null || isLastFile(node, path)) return null;
  node.files.lose(path);
  world.damages.inflict(node, { part: partOf(path), isThere: null });
  return `${path} is gone`;
}

function cutFile(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = filePath(random, node);
  const content = path === null ? null : node.files.content(path);
  if (path === null || content === null || content.size === 0) return null;
  const size = chance(random, 0.5) ? placeIn(random, content) : randomBelow(random, content.size);
  const isShort = size < 3 * pageBytes;
  if (path === newestSegment(node) && !isShort && size < endOf(content)) return null;
  content.truncate(size);
  world.damages.inflict(node, { part: partOf(path), isThere: null });
  return `${path} ends at ${size}`;
}

/**
 * The end of the log could be what was being written when the machine went down: nobody who has only the
 * directory can tell that from damage. Everything below this byte is proven by what follows it, or by a
 * slot, as long as that is not damaged in its turn.
 */
function noticeable(world: World, node: SimNode, path: string): number {
  const content = path === newestSegment(node) ? node.files.content(path) : null;
  if (content === null) return Number.POSITIVE_INFINITY;
  // The head of the last group may be torn.
  const followed = groupsIn(content).at(-2) ?? groupsBegin(content);
  if (world.damages.isHurt(node) || content.unsynced().length > 0) return followed;
  const number = segmentNumber(path.slice(path.indexOf('/') + 1)) ?? 0;
  const [one, other] = [0, pageBytes].map((at) => content.read(at, slotBytes)) as [
    Uint8Array,
    Uint8Array,
  ];
  return Math.max(followed, newestSlot(one, other, number)?.place.position ?? 0);
}

/**
 * That a log has lost its last segment looks as if it had never begun, also if that was made ahead and is
 * written to only now, by whoever has it open.
 */
function isLastFile(node: SimNode, path: string): boolean {
  return `wal/${node.files.names('wal').findLast(isSegment)}` === path;
}

/** The one that the log ends in; null when nothing legible is there. */
function newestSegment(node: SimNode): string | null {
  const paths = node.files.names('wal').filter(isSegment);
  const found = paths.findLast((name) => {
    const content = node.files.content(`wal/${name}`);
    return content?.read(headerAt, 4).some((byte) => byte !== 0) === true;
  });
  return found === undefined ? null : `wal/${found}`;
}

function isSegment(name: string): boolean {
  return segmentNumber(name) !== null;
}

/** Where groups begin, as far as one follows the other. */
function groupsIn(content: FileContent): readonly number[] {
  const places: number[] = [];
  let at = groupsBegin(content);
  for (;;) {
    const head = content.read(at, groupHeaderBytes);
    if (head.length < groupHeaderBytes || !sameBytes(head.subarray(0, 4), groupMagic))
      return places;
    places.push(at);
    at += groupHeaderBytes + longAt(head, 4);
  }
}

function groupsBegin(content: FileContent): number {
  const bodyBytes = longAt(content.read(headerAt, 12), 8);
  return headerAt + Math.ceil((16 + bodyBytes + 4) / pageBytes) * pageBytes;
}

function endOf(content: FileContent): number {
  const last = groupsIn(content).at(-1);
  if (last === undefined) return groupsBegin(content);
  return last + groupHeaderBytes + longAt(content.read(last, groupHeaderBytes), 4);
}

function longAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

/** Mostly one of the newest segments. */
function filePath(random: Random, node: SimNode): string | null {
  const names = node.files.names('wal').filter(isSegment);
  const segments = names.map((name) => `wal/${name}`);
  const files = [...segments, ...segments.slice(-2), ...segments.slice(-2), 'identity'];
  const there = files.filter((path) => node.files.content(path) !== null);
  return there.length === 0 ? null : pick(random, there);
}

function partOf(path: string): DamagedPart {
  return path === 'identity' ? 'identity' : 'log';
}

/** Where something stands, or somewhere. Most of what comes before the groups of a segment is empty. */
function placeIn(random: Random, content: FileContent): number {
  const bytes = content.read(0, content.size);
  const used = bytes.findLastIndex((byte) => byte !== 0) + 1;
  const groups = used > headerAt ? groupsIn(content) : [];
  // The newest of them are what a start looks at most closely.
  const newest = sample(random, [1, 4, groups.length], 1)[0] ?? 1;
  const begin = groups.at(-newest) ?? groups[0] ?? used;
  if (used > begin && chance(random, 0.8)) return begin + randomBelow(random, used - begin);
  return randomBelow(random, used > 0 && chance(random, 0.9) ? used : content.size);
}

function flipped(random: Random, bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  const at = randomBelow(random, wrong.length);
  wrong[at] = (wrong[at] as number) ^ (1 << randomBelow(random, 8));
  return wrong;
}

/** The newest, or any. */
function statePath(random: Random, node: SimNode): string | null {
  const names = node.files.names('state');
  if (names.length === 0) return null;
  return `state/${chance(random, 0.8) ? names.at(-1) : pick(random, names)}`;
}

function storeAt(node: SimNode, path: string | null): SimulatedLevelStore | null {
  return path === null ? null : node.files.database(path);
}

/** Those of the storage itself stand behind all others, and are few. */
function pickKey(random: Random, store: SimulatedLevelStore): string | null {
  const { keys } = store;
  if (keys.length === 0) return null;
  const own = keys.filter((key) => key.charCodeAt(0) === 0xff);
  if (own.length > 0 && chance(random, 0.1)) return pick(random, own);
  // What clients read is mostly what was written last.
  const values = keys.filter((key) => key.charCodeAt(1) === valueKind).sort();
  return pick(random, values.length > 0 && chance(random, 0.4) ? values.slice(-12) : keys);
}

/** A bit that flipped, a page of zeros, or an end that is gone. */
function rotten(random: Random, bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  switch (randomBelow(random, 4)) {
    case 0:
      return wrong.fill(0);
    case 1:
      return wrong.subarray(0, randomBelow(random, wrong.length));
    default:
      return flipped(random, bytes);
  }
}

function sameBytes(left: Uint8Array | null, right: Uint8Array): boolean {
  return left !== null && Buffer.compare(left, right) === 0;
}
