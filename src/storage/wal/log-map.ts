/**
 * Where the log's entries are, without an index of each: the indexes that every segment holds, the
 * entry at which every term begins, and the configurations that are not yet applied.
 *
 * The log begins after `base`. At first that is nothing; later it is where an older log was given up
 * for an installed state, or where the oldest segment that is kept begins:
 *
 *     segment 4           segment 5           segment 6
 *     ├───────────────────┼───────────────────┼──────────▶
 *     before: 100         before: 180         before: 240
 *     101 … 180           181 … 240           241 … last
 *
 * A segment can become the oldest one when all that stands before it is applied for good, and when
 * nothing since has replaced entries at or before that place: what a later cut would need is gone.
 *
 * Invariant: the ranges of the segments follow each other without a gap, from after `base` to `last`.
 */
import { assert } from '../../base/assert.ts';
import type { Configuration, EntryId, Index, Term } from '../../format/types.ts';
import type { Segment } from './segment.ts';

export interface SegmentRange {
  readonly segment: Segment;
  readonly first: Index;
  readonly last: Index;
}

/** A segment that is still there. */
interface HeldSegment {
  readonly segment: Segment;
  /** The last entry when it began. */
  readonly before: EntryId;
  /** Entries at or before that place were replaced since. */
  isCut: boolean;
  /** How far it is filled. */
  bytes: number;
}

export class LogMap {
  #base: EntryId;
  readonly #held: HeldSegment[] = [];
  #ranges: SegmentRange[] = [];
  /** Begins with the base. */
  #terms: EntryId[];
  #configurations: { readonly index: Index; readonly configuration: Configuration }[];
  #last: Index;
  #changes = 0;

  /** `configuration` is in force at `index`, below which no entry is replaced any more. */
  constructor(base: EntryId, index: Index, configuration: Configuration) {
    this.#base = base;
    this.#terms = [base];
    this.#last = base.index;
    this.#configurations = [{ index, configuration }];
  }

  /** The entry before the first one of the log; zeros for the very beginning. */
  get base(): EntryId {
    return this.#base;
  }

  /** The last entry, or the base of an empty log. */
  get last(): EntryId {
    return { term: this.termAt(this.#last), index: this.#last };
  }

  get configuration(): Configuration {
    const newest = this.#configurations.at(-1);
    assert(newest !== undefined, 'The first configuration is never cut');
    return newest.configuration;
  }

  /** Of the segments that are there, oldest first. */
  get numbers(): readonly number[] {
    return this.#held.map(({ segment }) => segment.number);
  }

  /** Bytes in all segments, as far as they are filled. */
  get bytes(): number {
    return this.#held.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** How often entries were cut off or given up: what was read meanwhile may be gone. */
  get changes(): number {
    return this.#changes;
  }

  /** From the base on. */
  termAt(index: Index): Term {
    assert(
      index >= this.#base.index && index <= this.#last,
      () => `No entry ${index} in a log from ${this.#base.index} to ${this.#last}`,
    );
    return findAtOrBelow(this.#terms, index, (run) => run.index).term;
  }

  /** Whether the log, or its base, has this entry. */
  holds({ term, index }: EntryId): boolean {
    return index >= this.#base.index && index <= this.#last && this.termAt(index) === term;
  }

  /** The segment that holds an entry of the log. */
  rangeOf(index: Index): SegmentRange {
    assert(
      index > this.#base.index && index <= this.#last,
      () => `No entry ${index} in a log from ${this.#base.index} to ${this.#last}`,
    );
    return findAtOrBelow(this.#ranges, index, (range) => range.first);
  }

  /** A segment begins, or was found to have begun, after `before`. */
  begin(segment: Segment, before: EntryId): void {
    this.#held.push({ segment, before, isCut: false, bytes: segment.begin.position });
  }

  /** The newest segment is filled up to this position. */
  fill(position: number): void {
    const newest = this.#held.at(-1);
    assert(newest !== undefined, 'No segment has begun');
    newest.bytes = position;
  }

  /** Entries `first` to `first + count − 1` were written to the newest segment and replace all from `first` on. */
  append(first: Index, count: number, terms: readonly EntryId[]): void {
    assert(
      first > this.#base.index && first <= this.#last + 1,
      () => `Entry ${first} in a log from ${this.#base.index} to ${this.#last}`,
    );
    const segment = this.#held.at(-1)?.segment;
    assert(segment !== undefined, 'No segment has begun');
    if (first <= this.#last) this.#cut(first);
    const newest = this.#terms.at(-1);
    for (const run of terms) {
      if (run.term !== newest?.term || run.index !== first) this.#terms.push(run);
    }
    this.#last = first + count - 1;
    const range = this.#ranges.at(-1);
    if (range?.segment.number === segment.number) {
      this.#ranges[this.#ranges.length - 1] = { ...range, last: this.#last };
    } else {
      this.#ranges.push({ segment, first, last: this.#last });
    }
  }

  /** Entry `index` of the log changes the configuration. */
  configure(index: Index, configuration: Configuration): void {
    this.#configurations.push({ index, configuration });
  }

  /** All entries are given up: the log is empty and begins after `base`. */
  reset(base: EntryId, configuration: Configuration): void {
    this.#changes++;
    this.#base = base;
    this.#terms = [base];
    this.#last = base.index;
    this.#ranges = [];
    this.#configurations = [{ index: base.index, configuration }];
    for (const held of this.#held) held.isCut = true;
  }

  /**
   * Gives up the segments whose entries are all at or before `limit`, which is applied for good, and
   * returns their numbers, oldest first. The newest segment stays.
   */
  release(limit: Index): readonly number[] {
    const kept = this.#held.findLastIndex(
      ({ before, isCut }) => !isCut && before.index <= limit && before.index >= this.#base.index,
    );
    const first = this.#held[kept];
    if (first === undefined || kept === 0) return [];
    this.#changes++;
    const gone = this.#held.splice(0, kept);
    this.#base = first.before;
    this.#terms = [this.#base, ...this.#terms.filter(({ index }) => index > this.#base.index)];
    this.#ranges = this.#ranges.filter((range) => range.first > this.#base.index);
    const inForce = this.#configurations.findLastIndex(({ index }) => index <= this.#base.index);
    this.#configurations = this.#configurations.slice(Math.max(0, inForce));
    return gone.map(({ segment }) => segment.number);
  }

  #cut(from: Index): void {
    this.#changes++;
    while ((this.#terms.at(-1)?.index ?? 0) >= from) this.#terms.pop();
    while (this.#configurations.length > 1) {
      if ((this.#configurations.at(-1)?.index ?? 0) < from) break;
      this.#configurations.pop();
    }
    this.#ranges = this.#ranges
      .filter((range) => range.first < from)
      .map((range) => (range.last < from ? range : { ...range, last: from - 1 }));
    for (const held of this.#held) held.isCut ||= held.before.index >= from;
  }
}

function findAtOrBelow<T>(list: readonly T[], index: Index, firstOf: (item: T) => Index): T {
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (firstOf(list[middle] as T) <= index) low = middle;
    else high = middle - 1;
  }
  const found = list[low];
  assert(found !== undefined && firstOf(found) <= index, () => `Nothing holds entry ${index}`);
  return found;
}
