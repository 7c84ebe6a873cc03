/**
 * What a log should hold after a number of appends: a list that is cut and extended, and that begins
 * anew where a state was installed which it does not lead to.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Append, Entry, EntryId, HardState, Index } from '../../src/format/types.ts';
import type { Storage } from '../../src/storage/types.ts';

export class LogModel {
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #base: EntryId = { term: 0, index: 0 };
  #entries: readonly Entry[] = [];
  /** The state has applied at least so much. */
  #installed: Index = 0;

  get last(): Index {
    return this.#base.index + this.#entries.length;
  }

  /** Before the first entry that could be there. */
  get base(): Index {
    return this.#base.index;
  }

  get committed(): Index {
    return Math.max(this.#hardState.commitIndex, this.#installed);
  }

  entryAt(index: Index): Entry {
    return this.#entries[index - this.#base.index - 1] as Entry;
  }

  /** Null where the log does not say. */
  idAt(index: Index): EntryId | null {
    const { term } = index === this.#base.index ? this.#base : (this.entryAt(index) ?? {});
    return term === undefined ? null : { term, index };
  }

  append({ hardState, snapshot, entries }: Append): void {
    this.#hardState = hardState ?? this.#hardState;
    if (snapshot !== null) {
      const { last } = snapshot;
      this.#installed = last.index;
      if (!isDeepStrictEqual(this.idAt(last.index), last)) {
        this.#base = last;
        this.#entries = [];
      }
    }
    const first = entries[0];
    if (first === undefined) return;
    this.#entries = [...this.#entries.slice(0, first.index - this.#base.index - 1), ...entries];
  }

  copy(): LogModel {
    const copy = new LogModel();
    copy.#hardState = this.#hardState;
    copy.#base = this.#base;
    copy.#entries = this.#entries;
    copy.#installed = this.#installed;
    return copy;
  }

  /** Whether a storage came back with exactly this. */
  matches(storage: Storage): boolean {
    const applied = storage.checkpoint?.applied.index ?? 0;
    return (
      applied >= this.#installed &&
      storage.start.last.index === applied &&
      isEqual(storage.hardState, this.#hardState) &&
      isEqual(storage.entries, this.#entries.slice(applied - this.#base.index))
    );
  }

  /** Whether reading back from the segments gives the same as well. */
  async matchesReading(storage: Storage): Promise<boolean> {
    const first = storage.logFirst;
    if (first <= this.#base.index || first > this.last + 1) return false;
    if (first > this.last) return true;
    const { prev, entries } = await storage.readLog(first, 1e9);
    const expected = this.#entries.slice(first - this.#base.index - 1);
    return isEqual(prev, this.idAt(first - 1)) && isEqual(entries, expected);
  }
}

function isEqual(left: unknown, right: unknown): boolean {
  return isDeepStrictEqual(plain(left), plain(right));
}

/** The same with all bytes as plain arrays of bytes, whoever made them. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
}
