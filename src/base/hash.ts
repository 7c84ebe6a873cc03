/**
 * A seeded 64-bit hash for checksums of state, kept in two 32-bit halves so that no BigInt is made on
 * the write path. Two multiply-and-rotate lanes (after MurmurHash3's mixing steps), crossed at the end.
 * Not cryptographic.
 */
import { formatId } from './bytes.ts';

/** Unsigned halves. */
export interface Hash64 {
  readonly high: number;
  readonly low: number;
}

export const zeroHash: Hash64 = { high: 0, low: 0 };

export function hash64(bytes: Uint8Array, seed = 0): Hash64 {
  let a = (seed ^ 0x9368e53c) | 0;
  let b = (seed ^ 0x586dcd20) | 0;
  const whole = bytes.length & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    a = step(a, word, 0xcc9e2d51, 0x1b873593);
    b = step(b, word, 0x85ebca77, 0x27d4eb2f);
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at--) tail = (tail << 8) | (bytes[at] as number);
  a = finalize(step(a, tail, 0xcc9e2d51, 0x1b873593) ^ bytes.length);
  b = finalize(step(b, tail, 0x85ebca77, 0x27d4eb2f) ^ bytes.length ^ a);
  return { high: finalize(a + b) >>> 0, low: b >>> 0 };
}

function step(lane: number, word: number, first: number, second: number): number {
  let mixed = Math.imul(word, first);
  mixed = (mixed << 15) | (mixed >>> 17);
  mixed = lane ^ Math.imul(mixed, second);
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

function finalize(lane: number): number {
  let mixed = lane ^ (lane >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Sum modulo 2^64: the order of the parts does not matter, and a part can be taken out again. */
export function addHash(left: Hash64, right: Hash64): Hash64 {
  const low = left.low + right.low;
  const carry = low > 0xffffffff ? 1 : 0;
  return { high: (left.high + right.high + carry) >>> 0, low: low >>> 0 };
}

export function subtractHash(left: Hash64, right: Hash64): Hash64 {
  const low = left.low - right.low;
  const borrow = low < 0 ? 1 : 0;
  return { high: (left.high - right.high - borrow) >>> 0, low: low >>> 0 };
}

export function equalHash(left: Hash64, right: Hash64): boolean {
  return left.high === right.high && left.low === right.low;
}

export function formatHash(hash: Hash64): string {
  return formatId(hash.high, hash.low);
}
