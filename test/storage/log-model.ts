/** What a log should hold after a number of appends: a list, cut and extended. */
import { isDeepStrictEqual } from 'node:util';
import type { Append, Entry, HardState } from '../../src/format/types.ts';
import type { Storage } from '../../src/storage/types.ts';

export class LogModel {
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #entries: readonly Entry[] = [];

  get last(): number {
    return this.#entries.length;
  }

  get committed(): number {
    return this.#hardState.commitIndex;
  }

  entryAt(index: number): Entry {
    return this.#entries[index - 1] as Entry;
  }

  append(append: Append): void {
    this.#hardState = append.hardState ?? this.#hardState;
    const first = append.entries[0];
    if (first === undefined) return;
    this.#entries = [...this.#entries.slice(0, first.index - 1), ...append.entries];
  }

  copy(): LogModel {
    const copy = new LogModel();
    copy.#hardState = this.#hardState;
    copy.#entries = this.#entries;
    return copy;
  }

  /** Whether a storage came back with exactly this. */
  matches(storage: Storage): boolean {
    const applied = storage.checkpoint?.applied.index ?? 0;
    return (
      isEqual(storage.hardState, this.#hardState) &&
      isEqual(storage.entries, this.#entries.slice(applied))
    );
  }

  /** Whether reading back from the segments gives the same as well. */
  async matchesReading(storage: Storage): Promise<boolean> {
    if (this.#entries.length === 0) return true;
    return isEqual((await storage.readLog(1, 1e9)).entries, this.#entries);
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
