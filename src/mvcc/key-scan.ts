import type { SortedMapCursor } from '../base/sorted-map.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyBounds } from './key-range.ts';
import type { KeySpace } from './key-space.ts';
import type { Key, Revision, SortOrder } from './types.ts';

/**
 * The keys of an interval in order: those that exist and, for an old revision, those that existed. Any
 * change of the space invalidates it; `from` begins anew behind the last key.
 */
export interface KeyScan {
  next(): KeyHistory | null;
}

export function scanKeys(
  space: KeySpace,
  bounds: KeyBounds,
  revision: Revision,
  order: SortOrder = 'ascend',
): KeyScan {
  const withPast = revision < space.visibleRevision;
  return order === 'ascend'
    ? new AscendingScan(space, bounds, withPast)
    : new DescendingScan(space, bounds, withPast);
}

/** What is left of the interval after `key`. */
export function boundsAfter(bounds: KeyBounds, key: Key, order: SortOrder): KeyBounds {
  return order === 'ascend' ? { from: `${key}\0`, to: bounds.to } : { from: bounds.from, to: key };
}

class AscendingScan implements KeyScan {
  readonly #to: Key | null;
  readonly #present: SortedMapCursor<KeyHistory>;
  readonly #past: SortedMapCursor<KeyHistory> | null;

  constructor({ index }: KeySpace, { from, to }: KeyBounds, withPast: boolean) {
    this.#to = to;
    this.#present = index.presentFrom(from);
    this.#past = withPast ? index.pastFrom(from) : null;
  }

  next(): KeyHistory | null {
    let cursor = this.#present;
    const pastKey = this.#past?.key;
    if (
      this.#past &&
      pastKey !== undefined &&
      !(cursor.key !== undefined && cursor.key < pastKey)
    ) {
      cursor = this.#past;
    }
    const { key } = cursor;
    if (key === undefined || (this.#to !== null && key >= this.#to)) return null;
    const history = cursor.value;
    cursor.advance();
    return history;
  }
}

class DescendingScan implements KeyScan {
  readonly #space: KeySpace;
  readonly #from: Key;
  #present: KeyHistory | null;
  #past: KeyHistory | null;

  constructor(space: KeySpace, { from, to }: KeyBounds, withPast: boolean) {
    this.#space = space;
    this.#from = from;
    this.#present = space.index.presentBefore(to);
    this.#past = withPast ? space.index.pastBefore(to) : null;
  }

  next(): KeyHistory | null {
    const { index } = this.#space;
    const present = this.#present;
    const past = this.#past;
    const isPast = past !== null && (present === null || past.key > present.key);
    const history = isPast ? past : present;
    if (history === null || history.key < this.#from) return null;
    if (isPast) this.#past = index.pastBefore(history.key);
    else this.#present = index.presentBefore(history.key);
    return history;
  }
}
