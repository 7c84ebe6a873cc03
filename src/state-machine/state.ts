import { damagedState } from '../base/damage.ts';
import { equalHash, formatHash, type Hash64 } from '../base/hash.ts';
import type { TimeMark } from '../format/checkpoint.ts';
import { firstFeatureLevel } from '../format/feature-level.ts';
import { type Lease, Lessor } from '../lease/lessor.ts';
import { Sessions } from '../lease/sessions.ts';
import { type Change, KeySpace } from '../mvcc/key-space.ts';
import type { ChangeCause, Revision } from '../mvcc/types.ts';
import { decodeRecord, type IndexRecord, keySpaces, type LeaseRecord } from './record-codec.ts';
import { RecordStore } from './record-store.ts';
import { SessionRecords } from './session-records.ts';
import { TimeMarks } from './time-marks.ts';
import type { KeySpaceName, Records, RevisionEvents } from './types.ts';

/** What must be known beside the records to go on from them; a CheckpointHeader has it. */
export interface StateHeader {
  readonly applied: { readonly index: number };
  readonly featureLevel: number;
  readonly revision: Revision;
  readonly logTimeMs: number;
  readonly wallTimeMs: number;
  /** One per key space, in the order of their numbers. */
  readonly compactRevisions: readonly Revision[];
  readonly removedRevisions: readonly Revision[];
  readonly timeMarks: readonly TimeMark[];
  readonly digest: Hash64;
}

const skippedRevisions = 2 ** 32;

/**
 * All that is replicated, and the steps in which it changes: a draft of one revision is committed to
 * the index, the records, the leases and the watches together.
 *
 * Invariant: what is in memory follows from the records and the header alone.
 */
export class State {
  /** By number. */
  readonly spaces: readonly KeySpace[];
  readonly lessor = new Lessor();
  readonly sessions = new Sessions();
  readonly sessionRecords: SessionRecords;
  readonly store: RecordStore;
  featureLevel: number = firstFeatureLevel;
  /** As in etcd a store in which nothing was ever written is at 1: the first write makes 2. */
  revision: Revision = 1;
  logTimeMs = 0;
  wallTimeMs = 0;
  appliedIndex = 0;
  readonly timeMarks = new TimeMarks();

  constructor(records: Records) {
    const store = new RecordStore(records);
    this.store = store;
    this.sessionRecords = new SessionRecords(this.sessions, store);
    this.spaces = keySpaces.map(
      (_, space) =>
        new KeySpace((revision, sub, keep) => store.readValue(space, revision, sub, keep)),
    );
  }

  /** The space, with a draft of the next revision open. */
  begin(space: number): KeySpace {
    const keySpace = this.spaces[space] as KeySpace;
    keySpace.begin(this.revision + 1);
    return keySpace;
  }

  /** Makes the drafts of all spaces one revision; without changes there is none. */
  commit(events: RevisionEvents[]): void {
    const revision = this.revision + 1;
    for (const [number, space] of this.spaces.entries()) {
      const changes = space.commit();
      if (changes.length === 0) continue;
      this.revision = revision;
      for (const change of changes) this.#store(number, change);
      events.push({
        space: nameOf(number),
        revision,
        events: changes.map(({ event }) => event),
      });
    }
  }

  /** Leaves so many revisions unused that nobody can have seen the next one, whatever this log has lost. */
  skipRevisions(): void {
    this.revision += skippedRevisions;
  }

  /** Never down: two leaders may raise it one after the other. */
  raiseFeatureLevel(level: number): void {
    this.featureLevel = Math.max(this.featureLevel, level);
  }

  /**
   * Deletes up to `keysMax` keys of an ended lease in one revision of their own, and the lease with
   * the last of them. Returns how many were deleted.
   */
  endLease(lease: Lease, keysMax: number, cause: ChangeCause, events: RevisionEvents[]): number {
    let deleted = 0;
    for (const [number, space] of this.spaces.entries()) {
      const keys = this.lessor.keys(lease.id, number, keysMax - deleted);
      if (keys.length === 0) continue;
      space.begin(this.revision + 1);
      for (const key of keys) space.delete(key, cause);
      deleted += keys.length;
    }
    this.commit(events);
    if (lease.keyCount === 0) {
      this.store.writeLease(lease.id, lease, null);
      this.lessor.remove(lease.id);
    }
    return deleted;
  }

  /** Whether something that a compaction made superfluous is still there. */
  get compactionUnfinished(): boolean {
    return this.spaces.some((space) => space.removedRevision < space.compactRevision);
  }

  /** Raises the floor of a space. */
  compact(number: number, revision: Revision): void {
    (this.spaces[number] as KeySpace).compact(revision);
    this.timeMarks.forgetThrough(
      Math.min(...this.spaces.map(({ compactRevision }) => compactRevision)),
    );
  }

  /** Goes on with the removal of what is compacted, in one space after the other. */
  *removeCompacted(changesMin: number): Generator<undefined, void> {
    for (const [number, space] of this.spaces.entries()) {
      if (space.removedRevision === space.compactRevision) continue;
      yield* space.removeSteps(changesMin, (key, version) => {
        this.store.removeVersion(number, key, version);
      });
      return;
    }
  }

  /** Takes in a stored record. Records come in the order of their keys. */
  load(key: string, bytes: Uint8Array): void {
    const record = decodeRecord(key, bytes);
    if (record === null) return;
    const hash = this.store.loaded(key, bytes);
    if (record.type === 'lease') this.#loadLease(record);
    else if (record.type === 'index') this.#loadIndex(record);
    else this.sessionRecords.load(record, hash);
  }

  /** Takes in the header; throws `dataDamaged` when the records are not those that it was made of. */
  loadHeader(header: StateHeader): void {
    const { digest } = this.store;
    if (!equalHash(digest, header.digest)) {
      throw damagedState(
        `The stored state has digest ${formatHash(digest)}, its header says ${formatHash(header.digest)}`,
      );
    }
    this.sessionRecords.finishLoad();
    this.appliedIndex = header.applied.index;
    this.featureLevel = header.featureLevel;
    this.revision = header.revision;
    this.logTimeMs = header.logTimeMs;
    this.wallTimeMs = header.wallTimeMs;
    for (const [number, space] of this.spaces.entries()) {
      const floor = header.compactRevisions[number] ?? 0;
      space.loadCompaction(floor, header.removedRevisions[number] ?? 0);
    }
    this.timeMarks.load(header.timeMarks);
  }

  #store(number: number, change: Change): void {
    this.store.writeChange(number, change);
    const { key, leaseId } = change.event.pair;
    if (leaseId === change.previousLeaseId) return;
    if (change.previousLeaseId !== null) this.lessor.detach(change.previousLeaseId, number, key);
    if (leaseId !== null) this.lessor.attach(leaseId, number, key);
  }

  #loadLease({ leaseId, state }: LeaseRecord): void {
    const isEarly = this.spaces.every((space) => space.visibleRevision === 0);
    if (!isEarly || this.lessor.has(leaseId)) {
      throw damagedState(`Record of lease ${leaseId} out of order`);
    }
    this.lessor.add(leaseId, state);
  }

  /** A lease that is gone by now is passed over: its keys were deleted or moved by later versions. */
  #loadIndex({ space, key, version }: IndexRecord): void {
    const number = numberOf(space);
    const before = (this.spaces[number] as KeySpace).load(key, version);
    const { leaseId } = version;
    if (leaseId === before) return;
    if (before !== null && this.lessor.has(before)) this.lessor.detach(before, number, key);
    if (leaseId !== null && this.lessor.has(leaseId)) this.lessor.attach(leaseId, number, key);
  }
}

export function numberOf(space: KeySpaceName): number {
  return space === 'kv' ? 0 : 1;
}

function nameOf(number: number): KeySpaceName {
  return number === 0 ? 'kv' : 'registry';
}
