import type { SortedMapCursor } from '../base/sorted-map.ts';
import type { KeyHistory } from './key-history.ts';
import type { KeyIndex } from './key-index.ts';
import { boundsOf, type KeyBounds } from './key-range.ts';
import type { KeySpace } from './key-space.ts';
import type { Key, KeyValue, RangeRequest, RangeResult, Revision } from './types.ts';

/** A long range gives the event loop back after so many keys. */
const keysPerStep = 1024;

/** Asked before a pair is taken, with the bytes of what is read of it; false ends the reading there. */
export type Admit = (keyLength: number, valueLength: number) => boolean;

/**
 * Reads a range in steps. Between two steps the space may change: the revision is fixed at the first
 * one, so the answer is of one moment all the same. What `admit` cuts off is told by `more`.
 */
export function* rangeSteps(
  space: KeySpace,
  request: RangeRequest,
  admit: Admit,
): Generator<undefined, RangeResult> {
  const { index } = space;
  const bounds = boundsOf(request);
  const revision = request.revision === 0 ? space.visibleRevision : request.revision;
  const limit = request.countOnly ? 0 : request.limit || Number.POSITIVE_INFINITY;
  const total = revision >= space.visibleRevision ? index.countPresent(bounds) : null;
  const pairs: KeyValue[] = [];
  let count = 0;
  let isFull = limit === 0;
  let visited = 0;
  let scan = new KeyScan(space, bounds, revision);
  while (!(isFull && total !== null)) {
    const history = scan.next();
    if (history === null) break;
    const slot = index.visible(history, revision);
    if (slot !== -1) {
      count++;
      const valueLength = request.keysOnly ? 0 : index.table.valueLength(slot);
      if (!isFull) isFull = !admit(history.key.length, valueLength);
      if (!isFull) pairs.push(space.pair(history, slot, !request.keysOnly));
      isFull ||= pairs.length === limit;
    }
    if (++visited % keysPerStep !== 0) continue;
    yield;
    scan = new KeyScan(space, { from: `${history.key}\0`, to: bounds.to }, revision);
  }
  count = total ?? count;
  return { pairs, count, more: !request.countOnly && count > pairs.length };
}

/** The same, at once. */
export function readRange(space: KeySpace, request: RangeRequest, admit: Admit): RangeResult {
  const steps = rangeSteps(space, request, admit);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** The keys of an interval in order: those that exist and, for an old revision, those that existed. */
class KeyScan {
  readonly #to: Key | null;
  readonly #present: SortedMapCursor<KeyHistory>;
  readonly #past: SortedMapCursor<KeyHistory> | null;

  constructor(space: KeySpace, { from, to }: KeyBounds, revision: Revision) {
    const index: KeyIndex = space.index;
    this.#to = to;
    this.#present = index.presentFrom(from);
    this.#past = revision < space.visibleRevision ? index.pastFrom(from) : null;
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

/** The keys of an interval that exist now, in order; no more than `max` of them. */
export function presentKeys(space: KeySpace, bounds: KeyBounds, max: number): Key[] {
  const keys: Key[] = [];
  const scan = new KeyScan(space, bounds, space.visibleRevision);
  for (let history = scan.next(); history !== null && keys.length < max; history = scan.next()) {
    keys.push(history.key);
  }
  return keys;
}
