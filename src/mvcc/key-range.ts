/** What a KeyRange means in keys. */
import type { Key, KeyRange } from './types.ts';

/** As `rangeEnd`: to the end of the space. */
const spaceEnd: Key = '\0';

/** The half-open interval [from, to) of a range; `to` null is without an end. */
export interface KeyBounds {
  readonly from: Key;
  readonly to: Key | null;
}

export function boundsOf(range: KeyRange): KeyBounds {
  if (range.rangeEnd === null) return { from: range.key, to: `${range.key}\0` };
  return { from: range.key, to: range.rangeEnd === spaceEnd ? null : range.rangeEnd };
}

export function matches(range: KeyRange, key: Key): boolean {
  if (range.rangeEnd === null) return key === range.key;
  return key >= range.key && (range.rangeEnd === spaceEnd || key < range.rangeEnd);
}

/** Every key that begins with `prefix`. */
export function prefixRange(prefix: Key): KeyRange {
  let length = prefix.length;
  while (length > 0 && prefix.charCodeAt(length - 1) === 0xff) length--;
  if (length === 0) return { key: prefix === '' ? '\0' : prefix, rangeEnd: spaceEnd };
  const last = String.fromCharCode(prefix.charCodeAt(length - 1) + 1);
  return { key: prefix, rangeEnd: prefix.slice(0, length - 1) + last };
}
