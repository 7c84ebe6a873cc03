/** Keys and values as callers give them, and the binary strings and bytes that travel. */
import { binaryFromBytes, binaryFromUtf8, utf8Encode } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';

/** Text is taken as UTF-8; bytes are taken as they are. */
export type Key = string | Uint8Array;
/** Text is taken as UTF-8; bytes are taken as they are. */
export type Value = string | Uint8Array;

/**
 * Which keys: one key, all keys with a prefix (an empty one means every key), all keys from one on,
 * or those from `key` up to but not including `end`.
 */
export type KeySelector =
  | Key
  | { readonly prefix: Key }
  | { readonly from: Key }
  | { readonly key: Key; readonly end: Key };

export interface WireKeyRange {
  readonly key: string;
  readonly rangeEnd: string | null;
}

/** The smallest key there is. */
const zeroByte = '\u0000';
/** As `rangeEnd`: to the end of the key space. */
export const toSpaceEnd = zeroByte;

export function binaryKey(key: Key): string {
  if (typeof key !== 'string') return binaryFromBytes(checked('key', key));
  // ASCII text is its own binary string, and nearly every key is ASCII.
  for (let at = 0; at < key.length; at++) {
    if (key.charCodeAt(at) > 0x7f) return binaryFromUtf8(key);
  }
  return key;
}

export function valueBytes(value: Value): Uint8Array {
  return typeof value === 'string' ? utf8Encode(value) : checked('value', value);
}

/** Callers without types may give anything. */
function checked(name: string, given: unknown): Uint8Array {
  if (given instanceof Uint8Array) return given;
  throw new RollcallError('invalidArgument', `The ${name} must be text or bytes`);
}

/** The smallest binary string above every one that begins with `prefix`. */
export function prefixEnd(prefix: string): string {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix.charCodeAt(last);
    if (byte < 0xff) return prefix.slice(0, last) + String.fromCharCode(byte + 1);
  }
  return toSpaceEnd;
}

/** Throws `invalidArgument` for what is none of them. */
export function keyRange(selector: KeySelector): WireKeyRange {
  if (typeof selector !== 'object' || selector === null || selector instanceof Uint8Array) {
    return { key: binaryKey(selector), rangeEnd: null };
  }
  if ('prefix' in selector) {
    const prefix = binaryKey(selector.prefix);
    return { key: prefix === '' ? zeroByte : prefix, rangeEnd: prefixEnd(prefix) };
  }
  if ('from' in selector) return { key: binaryKey(selector.from), rangeEnd: toSpaceEnd };
  return { key: binaryKey(selector.key), rangeEnd: binaryKey(selector.end) };
}

/** The smallest key after `key`: where the next page of a range begins. Null when there is none. */
export function keyAfter(key: string): string | null {
  if (key.length < limits.keyBytesMax) return key + zeroByte;
  // No longer key exists, so the next one is the first without this beginning.
  const next = prefixEnd(key);
  return next === toSpaceEnd ? null : next;
}
