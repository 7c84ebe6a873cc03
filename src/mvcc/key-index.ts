import { assert } from '../base/assert.ts';
import { SortedMap, type SortedMapCursor } from '../base/sorted-map.ts';
import { KeyHistory } from './key-history.ts';
import type { KeyBounds } from './key-range.ts';
import { KeyTable } from './key-table.ts';
import { RevisionLog } from './revision-log.ts';
import type { Key, Revision } from './types.ts';
import { type Version, VersionTable } from './version-table.ts';

/**
 * The index of one space: every key's history, in key order, and the log of all changes. Keys that
 * exist now stand apart from those that only have a past, so that reads of the newest revision never
 * step over deleted keys and their count costs O(log n).
 *
 * Invariants: a key is in `#present` exactly when its newest version is a put, in `#past` exactly when
 * it is a tombstone, and `#byKey` has both; the log holds each version of each history once, ordered
 * by (revision, sub).
 */
export class KeyIndex {
  readonly table = new VersionTable();
  readonly log = new RevisionLog(this.table);
  readonly #byKey = new KeyTable();
  readonly #present = new SortedMap<KeyHistory>();
  readonly #past = new SortedMap<KeyHistory>();
  readonly #histories: KeyHistory[] = [];
  readonly #freeNumbers: number[] = [];
  #bytes = 0;

  /** What all versions take, about as much as their records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The history of a key that exists now. */
  present(key: Key): KeyHistory | undefined {
    const history = this.#byKey.get(key);
    return history === undefined || this.table.isTombstone(history.newest) ? undefined : history;
  }

  /** The history of a key that exists or existed. */
  find(key: Key): KeyHistory | undefined {
    return this.#byKey.get(key);
  }

  /** Whose version stands in the slot. */
  owner(slot: number): KeyHistory {
    return this.#histories[this.table.keyNumber(slot)] as KeyHistory;
  }

  /** How many keys of the interval exist now. */
  countPresent({ from, to }: KeyBounds): number {
    return this.#present.count(from, to);
  }

  /** How many keys of the interval exist or existed. */
  countAll({ from, to }: KeyBounds): number {
    return this.#present.count(from, to) + this.#past.count(from, to);
  }

  /** Adds the newest version of a key. `history` is the key's own, when the caller has it. */
  append(key: Key, version: Version, history = this.find(key)): number {
    const own = history ?? this.#create(key);
    const { newest } = own;
    assert(
      newest === -1 || this.table.revision(newest) < version.revision,
      () => `Revision ${version.revision} changes a key twice or comes late`,
    );
    const wasPresent = newest === -1 ? null : !this.table.isTombstone(newest);
    const slot = this.table.add(own.number, version);
    own.append(slot);
    this.#bytes += versionBytes(key, version.valueLength);
    this.log.append(slot);
    if (wasPresent === version.tombstone || wasPresent === null) {
      this.#move(own, !version.tombstone);
    }
    return slot;
  }

  /** Takes the newest change of all back. */
  undo(): void {
    const slot = this.log.newest;
    const history = this.owner(slot);
    this.log.pop();
    assert(history.pop() === slot, 'The newest change is the newest of its key');
    const wasPresent = !this.table.isTombstone(slot);
    this.#bytes -= versionBytes(history.key, this.table.valueLength(slot));
    this.table.remove(slot);
    const { newest } = history;
    if (newest === -1) {
      this.#drop(history, wasPresent);
      return;
    }
    const isPresent = !this.table.isTombstone(newest);
    if (isPresent !== wasPresent) this.#move(history, isPresent);
  }

  /**
   * Takes all versions of a history before `slot` away, and that one as well unless `keeps`, which makes
   * it the newest one of a key that is gone. `dropped` is told of each before it goes.
   */
  forget(history: KeyHistory, slot: number, keeps: boolean, dropped: (slot: number) => void): void {
    const older = history.before(slot);
    if (keeps && older.length === 0) return;
    for (const one of older) this.#forget(history, one, dropped);
    history.forget(older.length + (keeps ? 0 : 1));
    if (keeps) return;
    const wasPresent = !this.table.isTombstone(slot);
    this.#forget(history, slot, dropped);
    if (history.newest === -1) this.#drop(history, wasPresent);
  }

  /** At the first key from `from` on that exists now. */
  presentFrom(from: Key): SortedMapCursor<KeyHistory> {
    return this.#present.cursor(from);
  }

  /** At the first key from `from` on that exists no more. */
  pastFrom(from: Key): SortedMapCursor<KeyHistory> {
    return this.#past.cursor(from);
  }

  /** The last key before `to` that exists now; the very last for null. */
  presentBefore(to: Key | null): KeyHistory | null {
    return this.#present.lastBefore(to) ?? null;
  }

  /** The last key before `to` that exists no more; the very last for null. */
  pastBefore(to: Key | null): KeyHistory | null {
    return this.#past.lastBefore(to) ?? null;
  }

  /** The version of the key at the revision: its slot, or −1 when the key was absent. */
  visible(history: KeyHistory, revision: Revision): number {
    const slot = history.at(this.table, revision);
    return slot === -1 || this.table.isTombstone(slot) ? -1 : slot;
  }

  #forget({ key }: KeyHistory, slot: number, dropped: (slot: number) => void): void {
    dropped(slot);
    this.#bytes -= versionBytes(key, this.table.valueLength(slot));
    this.log.remove(slot);
    this.table.remove(slot);
  }

  #create(key: Key): KeyHistory {
    const number = this.#freeNumbers.pop() ?? this.#histories.length;
    const history = new KeyHistory(key, number);
    this.#histories[number] = history;
    this.#byKey.add(history);
    return history;
  }

  #drop(history: KeyHistory, wasPresent: boolean): void {
    (wasPresent ? this.#present : this.#past).delete(history.key);
    this.#byKey.remove(history);
    this.#freeNumbers.push(history.number);
  }

  #move(history: KeyHistory, toPresent: boolean): void {
    (toPresent ? this.#past : this.#present).delete(history.key);
    (toPresent ? this.#present : this.#past).set(history.key, history);
  }
}

/** Its two records with their keys. */
const recordsBytes = 64;

function versionBytes(key: Key, valueLength: number): number {
  return recordsBytes + key.length + valueLength;
}
