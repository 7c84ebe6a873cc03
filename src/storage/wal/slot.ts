/**
 * The two slots of a segment. A slot names a place up to which an earlier sync had made the log
 * durable; it is a promise about bytes that were safe before it was written, so it is true whenever
 * it reaches the disk. The slots are written in turn, and one that is torn leaves the other.
 */
import { crc32 } from 'node:zlib';
import { damaged } from '../damage.ts';
import type { File } from '../types.ts';
import { numberSeed, type Place, pageBytes, segmentPath } from './segment.ts';

const magic = 0x544c5352;
export const slotBytes = 40;

export interface Slot {
  /** How many slots were written in this segment, this one included; the newer slot counts. */
  readonly count: number;
  /** All groups before this place are durable. */
  readonly place: Place;
}

export function encodeSlot(
  number: number,
  slot: Slot,
): { readonly position: number; readonly bytes: Uint8Array } {
  const bytes = new Uint8Array(slotBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic, true);
  view.setUint32(4, slot.count, true);
  setLong(view, 8, slot.place.position);
  setLong(view, 16, slot.place.sequence);
  view.setUint32(24, slot.place.chain.high, true);
  view.setUint32(28, slot.place.chain.low, true);
  view.setUint32(36, crc32(bytes.subarray(0, 36), numberSeed(number)), true);
  return { position: (slot.count % 2) * pageBytes, bytes };
}

/** The newest whole slot, or null while none was written. */
export async function readSlots(file: File, number: number): Promise<Slot | null> {
  const first = await file.read(0, slotBytes);
  const second = await file.read(pageBytes, slotBytes);
  const newest = newestSlot(first, second, number);
  if (newest === null && !isZero(first) && !isZero(second)) {
    // They are written one after the other, each durable before the next: a cut tears one at most.
    throw damaged('log', segmentPath(number), 0, 'both slots are unreadable');
  }
  return newest;
}

/** Of the bytes of the two slots of segment `number` in either order; null when neither is whole. */
export function newestSlot(one: Uint8Array, other: Uint8Array, number: number): Slot | null {
  const left = decodeSlot(one, number);
  const right = decodeSlot(other, number);
  if (left === null || right === null) return left ?? right;
  return left.count > right.count ? left : right;
}

function decodeSlot(bytes: Uint8Array, number: number): Slot | null {
  if (bytes.length < slotBytes) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== magic) return null;
  if (view.getUint32(36, true) !== crc32(bytes.subarray(0, 36), numberSeed(number))) return null;
  return {
    count: view.getUint32(4, true),
    place: {
      position: getLong(view, 8),
      sequence: getLong(view, 16),
      chain: { high: view.getUint32(24, true), low: view.getUint32(28, true) },
    },
  };
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

function setLong(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true);
}

function getLong(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000;
}
