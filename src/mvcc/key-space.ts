import { assert } from '../base/assert.ts';
import { emptyBytes } from '../base/bytes.ts';
import { damagedState } from '../base/damage.ts';
import { equalHash, type Hash64, hash64, zeroHash } from '../base/hash.ts';
import { removeCompacted } from './compaction.ts';
import type { KeyHistory } from './key-history.ts';
import { KeyIndex } from './key-index.ts';
import { matches } from './key-range.ts';
import type { ChangeCause, Key, KeyEvent, KeyRange, KeyValue, LeaseId, Revision } from './types.ts';
import type { Version } from './version-table.ts';

/** The seed of the hashes of values. */
export const valueSeed = 0x76616c75;

/**
 * Where values are kept. Null when there is none, which is damage. `keep` false: it is read as one of many
 * and is not likely to be read again soon.
 */
export type ReadValue = (revision: Revision, sub: number, keep: boolean) => Uint8Array | null;

/** One change as it was committed: all that records, leases and watches need to know of it. */
export interface Change {
  readonly event: KeyEvent;
  readonly sub: number;
  readonly valueHash: Hash64;
  /** The lease of the version before, from which the key is detached now. */
  readonly previousLeaseId: LeaseId | null;
}

/** The changes of one revision in one space. */
export interface RevisionChanges {
  readonly revision: Revision;
  readonly events: readonly KeyEvent[];
}

/** A value as the index knows it. */
export interface StoredValue {
  readonly revision: Revision;
  readonly sub: number;
  readonly length: number;
  readonly hash: Hash64;
}

const noChanges: readonly Change[] = [];
/** A page of history ends after so many changes looked at, and so many bytes of values. */
const changesPerPageMax = 4096;
const valueBytesPerPageMax = 1024 * 1024;

/**
 * One key space: the index in memory, the values behind `readValue`.
 *
 * A command is a draft: `begin` names the revision that it would make; `put` and `delete` change the
 * index at once, so that reads of the same command see them; `commit` hands out the changes and
 * `rollback` takes them back. Invariant: versions above `#newest` belong to the open draft.
 */
export class KeySpace {
  readonly index = new KeyIndex();
  readonly #readValue: ReadValue;
  #draftRevision = 0;
  #draft: Change[] = [];
  /** The newest committed revision that changed this space. */
  #newest: Revision = 0;
  #floor: Revision = 0;
  #removedThrough: Revision = 0;

  constructor(readValue: ReadValue) {
    this.#readValue = readValue;
  }

  /** The revision up to which a read of "the newest" sees. */
  get visibleRevision(): Revision {
    return this.#draft.length > 0 ? this.#draftRevision : this.#newest;
  }

  /** The oldest revision that can be read and watched from; 0 before any compaction. */
  get compactRevision(): Revision {
    return this.#floor;
  }

  /**
   * Up to which revision everything that the compaction has made superfluous is removed. Invariant: at
   * most the floor, and equal to it exactly when nothing is left to remove.
   */
  get removedRevision(): Revision {
    return this.#removedThrough;
  }

  /** Raises the floor to a revision that exists. What that makes superfluous is removed by `removeSteps`. */
  compact(revision: Revision): void {
    assert(revision > this.#floor, () => `Floor ${revision} after ${this.#floor}`);
    // Once more the last floor's own: its tombstones stayed.
    if (this.#removedThrough === this.#floor) this.#removedThrough = Math.max(0, this.#floor - 1);
    this.#floor = revision;
  }

  /**
   * Goes on with the removal, over whole revisions until at least `changesMin` changes were looked at,
   * with pauses. No draft may be open. `dropped` is told of each version before it goes.
   */
  *removeSteps(
    changesMin: number,
    dropped: (key: Key, version: Version) => void,
  ): Generator<undefined, void> {
    const { table } = this.index;
    const walk = { after: this.#removedThrough, floor: this.#floor, changesMin };
    this.#removedThrough = yield* removeCompacted(this.index, walk, ({ key }, slot) =>
      dropped(key, table.get(slot)),
    );
  }

  begin(revision: Revision): void {
    assert(this.#draft.length === 0, 'One draft at a time');
    assert(revision > this.#newest, () => `Draft ${revision} after ${this.#newest}`);
    this.#draftRevision = revision;
  }

  put(key: Key, value: Uint8Array, leaseId: LeaseId | null): void {
    const history = this.index.find(key);
    const { table } = this.index;
    const newest = history === undefined ? -1 : history.newest;
    const before = newest === -1 || table.isTombstone(newest) ? -1 : newest;
    const revision = this.#draftRevision;
    const pair: KeyValue = {
      key,
      value,
      createRevision: before === -1 ? revision : table.createRevision(before),
      modRevision: revision,
      version: before === -1 ? 1 : table.version(before) + 1,
      leaseId,
    };
    this.#append(history, before, pair, 'request');
  }

  /** Deletes a key that exists. */
  delete(key: Key, cause: ChangeCause): void {
    const history = this.index.present(key);
    assert(history !== undefined, 'Only a key that exists can be deleted');
    const pair: KeyValue = {
      key,
      value: emptyBytes,
      createRevision: 0,
      modRevision: this.#draftRevision,
      version: 0,
      leaseId: null,
    };
    this.#append(history, history.newest, pair, cause);
  }

  /** Ends the draft and returns its changes in the order in which they were made. */
  commit(): readonly Change[] {
    if (this.#draft.length === 0) return noChanges;
    const changes = this.#draft;
    this.#draft = [];
    this.#newest = this.#draftRevision;
    return changes;
  }

  rollback(): void {
    for (let left = this.#draft.length; left > 0; left--) this.index.undo();
    this.#draft = [];
  }

  /** Takes in a stored version, in the order of (revision, sub). Returns the lease of the one before. */
  load(key: Key, version: Version): LeaseId | null {
    const { table, log } = this.index;
    const history = this.index.find(key);
    const { newest } = log;
    const follows =
      newest === -1 ||
      version.revision > table.revision(newest) ||
      (version.revision === table.revision(newest) && version.sub > table.sub(newest));
    const changesOnce = history === undefined || table.revision(history.newest) < version.revision;
    if (!follows || !changesOnce) {
      throw damagedState(`Record of revision ${version.revision} out of order`);
    }
    const before = history === undefined ? null : table.leaseId(history.newest);
    this.index.append(key, version, history);
    this.#newest = version.revision;
    return before;
  }

  /** The key as it is now, inside a draft with the draft's own changes. */
  get(key: Key): KeyValue | null {
    const history = this.index.present(key);
    return history === undefined ? null : this.pair(history, history.newest, true);
  }

  /** Takes in how far the stored space is compacted. */
  loadCompaction(compactRevision: Revision, removedRevision: Revision): void {
    this.#floor = compactRevision;
    this.#removedThrough = removedRevision;
  }

  /** The key as it was just before `revision`; null as well where that is compacted. */
  before(key: Key, revision: Revision): KeyValue | null {
    if (revision <= this.#floor) return null;
    const history = this.index.find(key);
    if (history === undefined) return null;
    const slot = this.index.visible(history, revision - 1);
    return slot === -1 ? null : this.pair(history, slot, true);
  }

  /** The pair of a put's version; without its value when that is not asked for. */
  pair(history: KeyHistory, slot: number, withValue: boolean): KeyValue {
    const { table } = this.index;
    return {
      key: history.key,
      value: withValue ? this.value(slot) : emptyBytes,
      createRevision: table.createRevision(slot),
      modRevision: table.revision(slot),
      version: table.version(slot),
      leaseId: table.leaseId(slot),
    };
  }

  /** Throws `dataDamaged` when the stored value is not the one that was put. */
  value(slot: number, keep = true): Uint8Array {
    const { table } = this.index;
    const revision = table.revision(slot);
    const sub = table.sub(slot);
    if (revision > this.#newest) return (this.#draft[sub] as Change).event.pair.value;
    const value = this.#readValue(revision, sub, keep);
    if (value === null || !equalHash(hash64(value, valueSeed), table.valueHash(slot))) {
      throw damagedState(`The value of ${revision}.${sub} is not what was put`);
    }
    return value;
  }

  /**
   * What changed keys of the range from `from` on, whole revisions in order, up to `revisionsMax` of
   * them. A page is bounded: `next` is the revision at which the next one begins, null at the end.
   */
  history(
    range: KeyRange,
    from: Revision,
    revisionsMax: number,
  ): { readonly revisions: readonly RevisionChanges[]; readonly next: Revision | null } {
    if (range.rangeEnd === null) return this.#keyHistory(range.key, from, revisionsMax);
    const { log, table } = this.index;
    const revisions: { revision: Revision; events: KeyEvent[] }[] = [];
    let visited = 0;
    let valueBytes = 0;
    let previous = 0;
    for (const slot of log.from(from)) {
      const revision = table.revision(slot);
      const isFull =
        visited >= changesPerPageMax ||
        valueBytes >= valueBytesPerPageMax ||
        revisions.length >= revisionsMax;
      if (isFull && revision !== previous) return { revisions, next: revision };
      previous = revision;
      visited++;
      const history = this.index.owner(slot);
      if (!matches(range, history.key)) continue;
      if (revisions.at(-1)?.revision !== revision) revisions.push({ revision, events: [] });
      revisions.at(-1)?.events.push(this.#event(history, slot));
      valueBytes += table.valueLength(slot);
    }
    return { revisions, next: null };
  }

  /** All values that have to be stored, in the order of (revision, sub). Changes must not come between. */
  *storedValues(): Generator<StoredValue, undefined> {
    const { log, table } = this.index;
    for (const slot of log.from(0)) {
      if (table.isTombstone(slot)) continue;
      yield {
        revision: table.revision(slot),
        sub: table.sub(slot),
        length: table.valueLength(slot),
        hash: table.valueHash(slot),
      };
    }
  }

  /** Of one key its own versions are read, not all that happened meanwhile. */
  #keyHistory(
    key: Key,
    from: Revision,
    revisionsMax: number,
  ): { readonly revisions: readonly RevisionChanges[]; readonly next: Revision | null } {
    const { table } = this.index;
    const history = this.index.find(key);
    const slots = history?.from(table, from, revisionsMax + 1) ?? [];
    const revisions: RevisionChanges[] = [];
    let valueBytes = 0;
    for (const slot of slots) {
      const revision = table.revision(slot);
      const isFull = valueBytes >= valueBytesPerPageMax || revisions.length >= revisionsMax;
      if (isFull) return { revisions, next: revision };
      revisions.push({ revision, events: [this.#event(history as KeyHistory, slot)] });
      valueBytes += table.valueLength(slot);
    }
    return { revisions, next: null };
  }

  #event(history: KeyHistory, slot: number): KeyEvent {
    const isDelete = this.index.table.isTombstone(slot);
    return {
      type: isDelete ? 'delete' : 'put',
      pair: this.pair(history, slot, !isDelete),
      cause: this.index.table.cause(slot),
    };
  }

  #append(
    history: KeyHistory | undefined,
    before: number,
    pair: KeyValue,
    cause: ChangeCause,
  ): void {
    const tombstone = pair.version === 0;
    const valueHash = tombstone ? zeroHash : hash64(pair.value, valueSeed);
    const sub = this.#draft.length;
    const previousLeaseId = before === -1 ? null : this.index.table.leaseId(before);
    this.index.append(
      pair.key,
      {
        revision: pair.modRevision,
        sub,
        createRevision: pair.createRevision,
        version: pair.version,
        leaseId: pair.leaseId,
        tombstone,
        cause,
        valueLength: pair.value.length,
        valueHash,
      },
      history,
    );
    const event: KeyEvent = { type: tombstone ? 'delete' : 'put', pair, cause };
    this.#draft.push({ event, sub, valueHash, previousLeaseId });
  }
}
