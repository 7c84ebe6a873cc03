/**
 * The part of the log that is in memory.
 *
 *      base            base.index + 1                       lastIndex
 *     ──●──────────────────●────────●────────●────────●────────●
 *   stored only,       entries[0]                          entries.at(-1)
 *   committed, applied
 *
 * Invariants: indexes are contiguous, terms never fall, and everything up to `base` is committed, so
 * a cut never reaches it. What of this is on disk is the business of Persistence.
 */
import { assert } from '../base/assert.ts';
import { Configurations } from './configurations.ts';
import type { Configuration, Entry, EntryId, Index, SnapshotMetadata, Term } from './types.ts';

/** How much may go into one message or one answer; one entry always may. */
export interface SliceBounds {
  readonly entriesPerMessageMax: number;
  readonly bytesPerMessageMax: number;
}

export class Log {
  #base: EntryId;
  #entries: Entry[] = [];
  readonly #configurations: Configurations;

  constructor(snapshot: SnapshotMetadata, entries: readonly Entry[]) {
    this.#base = snapshot.last;
    this.#configurations = new Configurations(snapshot.last.index, snapshot.configuration);
    for (const entry of entries) this.append(entry);
  }

  get base(): EntryId {
    return this.#base;
  }

  get lastIndex(): Index {
    return this.#base.index + this.#entries.length;
  }

  get last(): EntryId {
    const { term, index } = this.#entries.at(-1) ?? this.#base;
    return { term, index };
  }

  /** The newest configuration in the log, committed or not. */
  get configuration(): Configuration {
    return this.#configurations.current;
  }

  /** The index of its entry, or any at or below the base. */
  get configurationIndex(): Index {
    return this.#configurations.currentIndex;
  }

  /** The newest at or before `index`, which is not below the base. */
  configurationAt(index: Index): Configuration {
    return this.#configurations.at(index);
  }

  /** Null where this log has no entry in memory to tell. */
  termAt(index: Index): Term | null {
    if (index === this.#base.index) return this.#base.term;
    return this.#entries[index - this.#base.index - 1]?.term ?? null;
  }

  /** By the log matching property (Raft §5.3) this vouches for everything before `id` as well. */
  matches(id: EntryId): boolean {
    return this.termAt(id.index) === id.term;
  }

  /** Is a log that ends in `last` at least as up to date as this one (Raft §5.4.1)? */
  isCoveredBy(last: EntryId): boolean {
    const own = this.#entries.at(-1) ?? this.#base;
    return last.term > own.term || (last.term === own.term && last.index >= own.index);
  }

  append(entry: Entry): void {
    const last = this.#entries.at(-1) ?? this.#base;
    assert(entry.index === last.index + 1, () => `Entry ${entry.index} follows ${last.index}`);
    assert(
      entry.term >= last.term,
      () => `Entry ${entry.index} of term ${entry.term} follows term ${last.term}`,
    );
    this.#entries.push(entry);
    if (entry.type === 'configuration') {
      this.#configurations.append(entry.index, entry.configuration);
    }
  }

  /** Cuts the entries from `index` on, and with them the configurations that they brought. */
  truncateFrom(index: Index): void {
    assert(
      index > this.#base.index && index <= this.lastIndex,
      () => `Cut at ${index} of a log from ${this.#base.index} to ${this.lastIndex}`,
    );
    this.#entries.length = index - this.#base.index - 1;
    this.#configurations.truncateFrom(index);
  }

  /** Drops the entries up to `index` from memory; does nothing where they are gone already. */
  compact(index: Index): void {
    if (index <= this.#base.index) return;
    const term = this.termAt(index);
    assert(term !== null, () => `Compaction at ${index} of a log that ends at ${this.lastIndex}`);
    this.#entries = this.#entries.slice(index - this.#base.index);
    this.#base = { term, index };
    this.#configurations.compact(index);
  }

  /**
   * Begins anew after a snapshot that goes beyond what is known to be committed. What follows it here
   * stays if the entry at that point is the snapshot's last; otherwise nothing says that it does follow.
   */
  restore({ last, configuration }: SnapshotMetadata): void {
    if (this.matches(last)) {
      this.compact(last.index);
      return;
    }
    this.#base = last;
    this.#entries = [];
    this.#configurations.restart(last.index, configuration);
  }

  /** The entries after `after`, up to and including `through`. */
  slice(after: Index, through: Index): readonly Entry[] {
    assert(
      after >= this.#base.index && through <= this.lastIndex,
      () => `Slice (${after}, ${through}] of (${this.#base.index}, ${this.lastIndex}]`,
    );
    return this.#entries.slice(after - this.#base.index, through - this.#base.index);
  }

  /** As many of the entries after `after` as one message may carry. */
  sliceBounded(after: Index, bounds: SliceBounds): readonly Entry[] {
    assert(
      after >= this.#base.index,
      () => `Slice after ${after} of a log after ${this.#base.index}`,
    );
    const start = after - this.#base.index;
    return this.#entries.slice(start, start + boundedCount(this.#entries, start, bounds));
  }

  /**
   * The last entry at or below `index` whose term is not above `term`: no entry between it and
   * `index` can be in a log that has `term` at `index`. Never looks below `floor`; where the term is
   * no longer known it says 0.
   */
  lastNotAbove(term: Term, index: Index, floor: Index): EntryId {
    let at = Math.min(index, this.lastIndex);
    while (at > floor && (this.termAt(at) ?? 0) > term) at--;
    return { term: this.termAt(at) ?? 0, index: at };
  }
}

/** How many entries from position `start` on fit the bounds; at least one if there is one. */
export function boundedCount(
  entries: readonly Entry[],
  start: number,
  bounds: SliceBounds,
): number {
  const countMax = Math.min(entries.length - start, bounds.entriesPerMessageMax);
  let bytes = 0;
  for (let count = 0; count < countMax; count++) {
    bytes += entryBytes(entries[start + count] as Entry);
    if (bytes > bounds.bytesPerMessageMax && count > 0) return count;
  }
  return Math.max(0, countMax);
}

/** About what the entries take on the wire. */
export function bytesOf(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

const envelopeBytes = 32;
const memberBytes = 512;

/** Exact enough for a bound, and free of encoding it. */
function entryBytes(entry: Entry): number {
  switch (entry.type) {
    case 'command':
      return envelopeBytes + entry.command.length;
    case 'configuration':
      return envelopeBytes + memberBytes * entry.configuration.members.length;
    case 'noop':
      return envelopeBytes;
  }
}
