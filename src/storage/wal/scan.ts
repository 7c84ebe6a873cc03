/** Reading a segment from front to back, in windows. */
import { crc32 } from 'node:zlib';
import { equalHash } from '../../base/hash.ts';
import type { File } from '../types.ts';
import { chainAfter, groupHeaderBytes, groupMagic, readGroupHeader } from './group.ts';
import type { Place } from './segment.ts';

const windowBytes = 1024 * 1024;
/** A longer run of unsynced zeros would hold up the log's own syncs. */
const unsyncedZerosMax = 4 * windowBytes;
const zeros = Buffer.alloc(windowBytes);

/** Called for each whole group in order; `body` stays valid. */
export type VisitGroup = (body: Uint8Array, position: number) => void;

/**
 * Visits the groups from a place on, up to the first byte that is not part of a whole group linked
 * to the one before it, and returns that place. Nothing at or after `end` is looked at.
 */
export async function scanGroups(
  file: File,
  salt: number,
  from: Place,
  end: number,
  visit: VisitGroup,
): Promise<Place> {
  let place = from;
  let wanted = groupHeaderBytes;
  while (place.position + wanted <= end) {
    const length = Math.min(Math.max(wanted, windowBytes), end - place.position);
    const window = await file.read(place.position, length);
    if (window.length < wanted) return place;
    const step = scanWindow(window, salt, place, visit);
    if (step.wanted === 0) return step.place;
    place = step.place;
    wanted = step.wanted;
  }
  return place;
}

/** `wanted` is the size of the group that the window does not hold whole, 0 at the end of the log. */
function scanWindow(
  window: Uint8Array,
  salt: number,
  from: Place,
  visit: VisitGroup,
): { readonly place: Place; readonly wanted: number } {
  let place = from;
  let at = 0;
  while (window.length - at >= groupHeaderBytes) {
    const header = readGroupHeader(window, at, salt);
    if (header === null || header.sequence !== place.sequence) return { place, wanted: 0 };
    if (!equalHash(header.chain, place.chain)) return { place, wanted: 0 };
    const total = groupHeaderBytes + header.length;
    if (window.length - at < total) return { place, wanted: total };
    const body = window.subarray(at + groupHeaderBytes, at + total);
    if (crc32(body, salt) !== header.bodyCrc) return { place, wanted: 0 };
    visit(body, place.position);
    place = {
      position: place.position + total,
      sequence: place.sequence + 1,
      chain: chainAfter(window, at),
    };
    at += total;
  }
  return { place, wanted: groupHeaderBytes };
}

/** Whether a whole group stands at this place. */
export async function isGroupAt(file: File, salt: number, place: Place): Promise<boolean> {
  const head = await file.read(place.position, groupHeaderBytes);
  const header = head.length < groupHeaderBytes ? null : readGroupHeader(head, 0, salt);
  if (header === null || header.sequence !== place.sequence) return false;
  const body = await file.read(place.position + groupHeaderBytes, header.length);
  return body.length === header.length && crc32(body, salt) === header.bodyCrc;
}

/** Where a group later than `sequence` begins, or null: it proves that all before it was durable. */
export async function findLaterGroup(
  file: File,
  salt: number,
  from: number,
  sequence: number,
): Promise<number | null> {
  const size = await file.size();
  for (let start = from; start < size; start += windowBytes) {
    const window = Buffer.from(await file.read(start, windowBytes + groupHeaderBytes - 1));
    if (isZero(window)) continue;
    let at = window.indexOf(groupMagic);
    while (at !== -1 && window.length - at >= groupHeaderBytes) {
      const header = readGroupHeader(window, at, salt);
      if (header !== null && header.sequence > sequence) return start + at;
      at = window.indexOf(groupMagic, at + 1);
    }
  }
  return null;
}

/** Writes zeros over whatever else stands in the range, also where the file ends too early, and syncs. */
export async function zeroRange(file: File, from: number, to: number): Promise<void> {
  let unsynced = 0;
  for (let start = from; start < to; start += windowBytes) {
    const length = Math.min(windowBytes, to - start);
    const window = await file.read(start, length);
    if (window.length === length && isZero(window)) continue;
    await file.write(start, zeros.subarray(0, length));
    unsynced += length;
    if (unsynced < unsyncedZerosMax) continue;
    unsynced = 0;
    await file.sync();
  }
  await file.sync();
}

function isZero(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (zeros.compare(part, 0, part.length, 0, part.length) !== 0) return false;
  }
  return true;
}
