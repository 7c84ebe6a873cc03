/**
 * What the core goes on with after a restart: the entries after the point that the state stands at.
 * Without a state that point moves with what the log itself says is committed.
 *
 * Invariant: the entries follow each other and the point without a gap, once the log was read whole.
 */
import type { Configuration, Entry, EntryId, Index, SnapshotMetadata } from '../../format/types.ts';

export class LogTail {
  #start: SnapshotMetadata;
  #moves: boolean;
  #entries: Entry[] = [];

  /** `moves`: no state stands at the point. */
  constructor(start: SnapshotMetadata, moves: boolean) {
    this.#start = start;
    this.#moves = moves;
  }

  get start(): SnapshotMetadata {
    return this.#start;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Entries from `first` on are replaced by those of the next `push`. */
  cut(first: Index): void {
    const left = Math.max(0, first - this.#start.last.index - 1);
    if (left < this.#entries.length) this.#entries.length = left;
  }

  push(entry: Entry): void {
    if (entry.index > this.#start.last.index) this.#entries.push(entry);
  }

  /** An installed state took the place of the log so far. */
  reset(last: EntryId, configuration: Configuration): void {
    this.#entries = [];
    if (this.#start.last.index >= last.index) return;
    this.#start = { last, configuration };
    this.#moves = true;
  }

  /** Entries up to `index`, which the log holds, will never be replaced. */
  commit(index: Index): void {
    const count = index - this.#start.last.index;
    if (!this.#moves || count <= 0) return;
    let { last, configuration } = this.#start;
    for (const entry of this.#entries.splice(0, count)) {
      last = { term: entry.term, index: entry.index };
      if (entry.type === 'configuration') configuration = entry.configuration;
    }
    this.#start = { last, configuration };
  }
}
