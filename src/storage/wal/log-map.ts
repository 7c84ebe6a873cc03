/**
 * Where the log's entries are, without an index of each: the indexes that every segment holds, the
 * entry at which every term begins, and the configurations that are not yet applied.
 *
 * Invariant: the ranges of the segments follow each other without a gap, from 1 to `last.index`.
 */
import { assert } from '../../base/assert.ts';
import type { Configuration, EntryId, Index, Term } from '../../format/types.ts';
import type { Segment } from './segment.ts';

export interface SegmentRange {
  readonly segment: Segment;
  readonly first: Index;
  readonly last: Index;
}

export class LogMap {
  #ranges: SegmentRange[] = [];
  readonly #terms: EntryId[] = [];
  readonly #configurations: { readonly index: Index; readonly configuration: Configuration }[];
  #last: Index = 0;
  #cuts = 0;

  /** `configuration` is in force at `index`, below which no entry is replaced any more. */
  constructor(index: Index, configuration: Configuration) {
    this.#configurations = [{ index, configuration }];
  }

  /** Number and term of the last entry, zeros for an empty log. */
  get last(): EntryId {
    return { term: this.termAt(this.#last), index: this.#last };
  }

  get configuration(): Configuration {
    const newest = this.#configurations.at(-1);
    assert(newest !== undefined, 'The first configuration is never cut');
    return newest.configuration;
  }

  /** How often entries were cut off: what was read across a cut may be gone. */
  get cuts(): number {
    return this.#cuts;
  }

  /** 0 for index 0. */
  termAt(index: Index): Term {
    assert(
      index >= 0 && index <= this.#last,
      () => `No entry ${index} in a log up to ${this.#last}`,
    );
    if (index === 0) return 0;
    return findAtOrBelow(this.#terms, index, (run) => run.index).term;
  }

  /** The segment that holds an entry of the log. */
  rangeOf(index: Index): SegmentRange {
    assert(
      index >= 1 && index <= this.#last,
      () => `No entry ${index} in a log up to ${this.#last}`,
    );
    return findAtOrBelow(this.#ranges, index, (range) => range.first);
  }

  /** Entries `first` to `first + count − 1` were written to a segment; they replace all from `first` on. */
  append(segment: Segment, first: Index, count: number, terms: readonly EntryId[]): void {
    assert(first >= 1 && first <= this.#last + 1, () => `Entry ${first} after ${this.#last}`);
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

  #cut(from: Index): void {
    this.#cuts++;
    while ((this.#terms.at(-1)?.index ?? 0) >= from) this.#terms.pop();
    while (this.#configurations.length > 1) {
      if ((this.#configurations.at(-1)?.index ?? 0) < from) break;
      this.#configurations.pop();
    }
    this.#ranges = this.#ranges
      .filter((range) => range.first < from)
      .map((range) => (range.last < from ? range : { ...range, last: from - 1 }));
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
