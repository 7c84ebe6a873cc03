import { Refusal } from '../base/refusal.ts';
import type { Budget } from './budget.ts';
import type { KeyHistory } from './key-history.ts';
import { boundsOf, type KeyBounds } from './key-range.ts';
import { boundsAfter, scanKeys } from './key-scan.ts';
import type { KeySpace } from './key-space.ts';
import { type Candidate, isWithin, numberOf, selected, sizeOf } from './selected.ts';
import type { Key, KeyValue, RangeRequest, RangeResult, Revision } from './types.ts';

/** A long range gives the event loop back after so much work; a key that is visited counts 1. */
const workPerStep = 1024;
const workPerValue = 2;
const bytesPerWork = 512;
/** The values of a range with more keys are read past what memory keeps of values. */
const keptKeysMax = 4096;

/** What bounds a reading, besides its request. */
export interface Reading {
  /** See AnswerBounds. */
  readonly bytesMax: number;
  /** False: `count` tells only how many keys were seen until the answer was full. */
  readonly counted: boolean;
  /** Of a command: what it may still read. Such a reading makes no pauses that anything happens in. */
  readonly budget: Budget | null;
  /** The oldest revision that can be read now. */
  readonly compactRevision: () => Revision;
}

/**
 * Reads a range in steps. Between two steps the space may change: the revision is fixed at the first
 * one, so the answer is of one moment all the same. Refused with `compacted` when a compaction passes that
 * moment between two steps, and with what the budget says.
 */
export function* rangeSteps(
  space: KeySpace,
  request: RangeRequest,
  reading: Reading,
): Generator<undefined, RangeResult | Refusal> {
  const range = new RangeReader(space, request, reading);
  for (;;) {
    const refusal = range.visit();
    if (refusal !== null) return refusal;
    if (range.isVisited) break;
    yield;
    if (range.isCompacted) return compacted(reading.compactRevision());
  }
  const { candidates, more } = range.finish();
  const pairs: KeyValue[] = [];
  let work = 0;
  for (const candidate of candidates) {
    if (work > workPerStep) {
      yield;
      if (range.isCompacted) return compacted(reading.compactRevision());
      work = 0;
    }
    const pair = range.pair(candidate);
    if (pair instanceof Refusal) return pair;
    work += workOf(pair.value.length);
    pairs.push(pair);
  }
  return { pairs, count: range.count, more };
}

/** The same, at once. */
export function readRange(
  space: KeySpace,
  request: RangeRequest,
  reading: Partial<Reading> = {},
): RangeResult | Refusal {
  const steps = rangeSteps(space, request, { ...unbounded, ...reading });
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

const unbounded: Reading = {
  bytesMax: Number.POSITIVE_INFINITY,
  counted: true,
  budget: null,
  compactRevision: () => 0,
};

export function compacted(compactRevision: Revision): Refusal {
  return new Refusal('compacted', `Revision ${compactRevision} is the oldest that is kept`, {
    compactRevision,
  });
}

function workOf(valueLength: number): number {
  return workPerValue + valueLength / bytesPerWork;
}

class RangeReader {
  readonly #space: KeySpace;
  readonly #request: RangeRequest;
  readonly #reading: Reading;
  readonly #revision: Revision;
  /** Null where only a visit of all keys tells how many there are. */
  readonly #total: number | null;
  readonly #selected: ReturnType<typeof selected>;
  /** What is left to visit. */
  #bounds: KeyBounds;
  #seen = 0;
  #isVisited = false;

  constructor(space: KeySpace, request: RangeRequest, reading: Reading) {
    this.#space = space;
    this.#request = request;
    this.#reading = reading;
    this.#revision = request.revision === 0 ? space.visibleRevision : request.revision;
    this.#bounds = boundsOf(request);
    const isNewest = this.#revision >= space.visibleRevision;
    this.#total = isNewest ? space.index.countPresent(this.#bounds) : null;
    this.#selected = selected(request, { limit: request.limit, bytesMax: reading.bytesMax });
  }

  get isVisited(): boolean {
    return this.#isVisited;
  }

  get isCompacted(): boolean {
    return this.#revision < this.#reading.compactRevision();
  }

  get count(): number {
    return this.#total ?? this.#seen;
  }

  finish() {
    return this.#selected.finish();
  }

  /** One step. */
  visit(): Refusal | null {
    const { order, sortBy, countOnly } = this.#request;
    const direction = sortBy === 'key' ? order : 'ascend';
    const scan = scanKeys(this.#space, this.#bounds, this.#revision, direction);
    let last: KeyHistory | null = null;
    for (let work = 0; work < workPerStep && !this.#mayEnd(); work++) {
      const history = scan.next();
      if (history === null) {
        this.#isVisited = true;
        return null;
      }
      last = history;
      const slot = this.#space.index.visible(history, this.#revision);
      if (slot === -1) continue;
      this.#seen++;
      if (countOnly || !isWithin(this.#space.index.table, slot, this.#request)) continue;
      const candidate = this.#candidate(history, slot);
      if (candidate instanceof Refusal) return candidate;
      if (typeof candidate.rank !== 'number') work += workOf(candidate.rank.length);
      this.#selected.add(candidate);
    }
    if (last !== null) this.#bounds = boundsAfter(this.#bounds, last.key, direction);
    return null;
  }

  /** With its value, where that is asked for; a value by which it was sorted is not read again. */
  pair({ history, slot, rank }: Candidate): KeyValue | Refusal {
    const pair = this.#space.pair(history, slot, false);
    if (this.#request.keysOnly) return pair;
    if (typeof rank !== 'number') return { ...pair, value: rank };
    const value = this.#value(slot);
    return value instanceof Refusal ? value : { ...pair, value };
  }

  #mayEnd(): boolean {
    const isFull = this.#request.countOnly || this.#selected.isDone;
    this.#isVisited ||= isFull && (this.#total !== null || !this.#reading.counted);
    return this.#isVisited;
  }

  #candidate(history: KeyHistory, slot: number): Candidate | Refusal {
    const { keysOnly, sortBy } = this.#request;
    const { table } = this.#space.index;
    // A value by which is sorted is held until the end, and so counts also where it is not answered.
    const isHeld = !keysOnly || sortBy === 'value';
    const bytes = sizeOf(history, isHeld ? table.valueLength(slot) : 0);
    if (sortBy !== 'value') return { history, slot, bytes, rank: numberOf(table, slot, sortBy) };
    const value = this.#value(slot);
    return value instanceof Refusal ? value : { history, slot, bytes, rank: value };
  }

  #value(slot: number): Uint8Array | Refusal {
    const refusal = this.#reading.budget?.read(this.#space.index.table.valueLength(slot)) ?? null;
    return refusal ?? this.#space.value(slot, this.#total !== null && this.#total <= keptKeysMax);
  }
}

/** The keys of an interval that exist now, in order; no more than `max` of them. */
export function presentKeys(space: KeySpace, bounds: KeyBounds, max: number): Key[] {
  const keys: Key[] = [];
  const scan = scanKeys(space, bounds, space.visibleRevision);
  for (let history = scan.next(); history !== null && keys.length < max; history = scan.next()) {
    keys.push(history.key);
  }
  return keys;
}
