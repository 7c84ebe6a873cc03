import { assert } from '../base/assert.ts';
import type { Hash64 } from '../base/hash.ts';
import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import type { TimeMark } from '../format/checkpoint.ts';
import { boundsOf } from '../mvcc/key-range.ts';
import type { KeySpace } from '../mvcc/key-space.ts';
import { checkRevision } from '../mvcc/operation.ts';
import { checkRange } from '../mvcc/operation-check.ts';
import { type Reading, rangeSteps, readRange } from '../mvcc/range.ts';
import {
  type Key,
  type KeyRange,
  type KeyValue,
  type LeaseId,
  plainRange,
  type RangeRequest,
  type RangeResult,
  type Revision,
} from '../mvcc/types.ts';
import {
  instanceRange,
  namespaceRange,
  registeredInstance,
  serviceOf,
} from '../registry/instances.ts';
import type { RegisteredInstance, ServiceName } from '../registry/types.ts';
import { CommandRunner } from './command-runner.ts';
import { numberOf, State, type StateHeader } from './state.ts';
import type {
  Applied,
  CommandEntry,
  KeySpaceName,
  Outcome,
  Records,
  RevisionEvents,
  SessionId,
} from './types.ts';

const wholePage = { bytesMax: Number.POSITIVE_INFINITY, counted: true };

/** How many changes are looked at in the removal of what is compacted, with each entry. */
const removedWhenIdle = 4096;
const removedAtLeast = 256;
/** From this feature level on the state knows about when its revisions were made. */
const compactionLevel = 2;

/**
 * The replicated state: two key spaces with one revision counter, leases and the time, as a function
 * of the log alone. Every node that applied the same entries has the same records and digest.
 *
 * An entry is applied in this order: its time; keys of ended leases and ended sessions, a bounded number;
 * its commands; the records of the sessions that had commands; a bounded part of what is compacted is
 * removed.
 *
 * To go on from stored records: `loadPage` for each page of `loadedRanges`, in order, then
 * `finishLoad`.
 */
export class StateMachine {
  readonly #state: State;
  readonly #runner: CommandRunner;

  constructor(records: Records) {
    this.#state = new State(records);
    this.#runner = new CommandRunner(this.#state);
  }

  get appliedIndex(): number {
    return this.#state.appliedIndex;
  }

  /** The newest revision; 1 while nothing was ever written. */
  get revision(): Revision {
    return this.#state.revision;
  }

  /** Of the cluster, as far as entries were applied. */
  get featureLevel(): number {
    return this.#state.featureLevel;
  }

  get logTimeMs(): number {
    return this.#state.logTimeMs;
  }

  get wallTimeMs(): number {
    return this.#state.wallTimeMs;
  }

  get digest(): Hash64 {
    return this.#state.store.digest;
  }

  /** The oldest revisions that can be read, by the number of the space; 0 before any compaction. */
  get compactRevisions(): readonly Revision[] {
    return this.#state.spaces.map(({ compactRevision }) => compactRevision);
  }

  /** Up to where what is compacted is removed as well, by the number of the space. */
  get removedRevisions(): readonly Revision[] {
    return this.#state.spaces.map(({ removedRevision }) => removedRevision);
  }

  /** What all versions that are kept take, about as much as on the disk. The same on all nodes. */
  get storedBytes(): number {
    return this.#state.spaces.reduce((sum, { index }) => sum + index.bytes, 0);
  }

  /** About when which revision was the newest, in log time. */
  get timeMarks(): readonly TimeMark[] {
    return this.#state.timeMarks.list;
  }

  /** Whether something that is compacted waits for the next entries to be removed. */
  get compactionUnfinished(): boolean {
    return this.#state.compactionUnfinished;
  }

  /** A revision that was the newest at this log time or earlier; 0 when none is known. */
  revisionBefore(logTimeMs: number): Revision {
    return this.#state.timeMarks.before(logTimeMs);
  }

  /** Whether log time must go on even without commands. */
  get deadlinesPending(): boolean {
    return this.#state.lessor.size > 0 || this.#state.sessions.size > 0;
  }

  /** Whether ended sessions or keys of ended leases wait for the next entry. */
  get expiryUnfinished(): boolean {
    const { lessor, sessions, logTimeMs } = this.#state;
    return lessor.ended(logTimeMs) !== null || sessions.ended(logTimeMs) !== null;
  }

  /** Those that have ended and are not removed yet included. */
  get sessionIds(): Iterable<SessionId> {
    return this.#state.sessions.ids;
  }

  /** Throws `dataDamaged` or `formatTooNew`. */
  loadPage(records: Iterable<readonly [key: string, bytes: Uint8Array]>): void {
    for (const [key, bytes] of records) this.#state.load(key, bytes);
  }

  /** Throws `dataDamaged` when the loaded records do not have the header's digest. */
  finishLoad(header: StateHeader): void {
    this.#state.loadHeader(header);
  }

  apply(index: number, entry: CommandEntry): Applied {
    const steps = this.applySteps(index, entry);
    let step = steps.next();
    while (!step.done) step = steps.next();
    return step.value;
  }

  /**
   * Applies an entry with a pause after each command, and some in what follows them, for entries that
   * would hold the event loop too long. Nothing else may be applied, and no generation be frozen, before
   * the last step.
   */
  *applySteps(index: number, entry: CommandEntry): Generator<undefined, Applied> {
    const state = this.#state;
    assert(index > state.appliedIndex, () => `Entry ${index} after ${state.appliedIndex}`);
    state.appliedIndex = index;
    state.logTimeMs = Math.max(state.logTimeMs, entry.logTimeMs);
    state.wallTimeMs = entry.wallTimeMs;
    const revisions: RevisionEvents[] = [];
    const outcomes: Outcome[] = [];
    this.#expire(revisions);
    for (const command of entry.commands) {
      if (outcomes.length > 0) yield;
      outcomes.push(this.#runner.run(command, revisions));
    }
    yield* state.sessionRecords.writeSteps();
    this.#noteTime();
    yield* this.#removeCompacted(entry, revisions);
    return { outcomes, revisions };
  }

  /**
   * Reads at one revision, with pauses between which entries may be applied; refused are revisions that
   * do not exist yet or are compacted, be it while this reads. The answer ends (`more`) before its keys and
   * values, with what the wire adds to them, exceed `bytesMax`, but not before the first pair.
   */
  *rangeSteps(
    space: KeySpaceName,
    request: RangeRequest,
    page: Pick<Reading, 'bytesMax' | 'counted'> = wholePage,
  ): Generator<undefined, RangeResult | Refusal> {
    const refusal =
      checkRange(request) ??
      checkRevision(request.revision, {
        revision: this.revision,
        compactRevision: this.compactRevision(space),
      });
    if (refusal !== null) return refusal;
    // Fixed here: the newest revision of the space may be older than what is compacted.
    const revision = request.revision || this.revision;
    const compactRevision = () => this.compactRevision(space);
    return yield* rangeSteps(
      this.#space(space),
      { ...request, revision },
      {
        ...page,
        budget: null,
        compactRevision,
      },
    );
  }

  /**
   * What changed keys of the range, by revision from `from` on, and the first revision that was not
   * looked at. `from` is not compacted.
   */
  history(
    space: KeySpaceName,
    range: KeyRange,
    from: Revision,
    revisionsMax: number,
  ): { readonly revisions: readonly RevisionEvents[]; readonly next: Revision } {
    const page = this.#space(space).history(range, from, revisionsMax);
    return {
      revisions: page.revisions.map((changes) => ({ space, ...changes })),
      next: page.next ?? Math.max(from, this.revision + 1),
    };
  }

  /** The pair as it was before `revision`. */
  before(space: KeySpaceName, key: Key, revision: Revision): KeyValue | null {
    return this.#space(space).before(key, revision);
  }

  compactRevision(space: KeySpaceName): Revision {
    return this.#space(space).compactRevision;
  }

  /** The revision of the change of this space that so many newer ones follow; 0 when there are not so many. */
  revisionFollowedBy(space: KeySpaceName, changes: number): Revision {
    return this.#space(space).index.log.revisionFollowedBy(changes);
  }

  removedRevision(space: KeySpaceName): Revision {
    return this.#space(space).removedRevision;
  }

  /**
   * Null when there is no such lease, or no more. Its keys of the kv space come in order, at most
   * `keysMax` from `from` on.
   */
  leaseTimeToLive(
    leaseId: LeaseId,
    keysMax: number,
    from: Key = '',
  ): {
    readonly grantedTtlMs: number;
    readonly remainingMs: number;
    readonly keys: readonly Key[];
  } | null {
    const { lessor, logTimeMs } = this.#state;
    const lease = lessor.alive(leaseId, logTimeMs);
    if (lease === null) return null;
    return {
      grantedTtlMs: lease.ttlMs,
      remainingMs: lease.deadlineMs - logTimeMs,
      keys: lessor.keys(leaseId, numberOf('kv'), keysMax, from),
    };
  }

  /** At most `max` by id, from `from` on. */
  leaseList(
    max = Number.POSITIVE_INFINITY,
    from: LeaseId = '',
  ): {
    readonly leaseId: LeaseId;
    readonly ttlMs: number;
    readonly remainingMs: number;
  }[] {
    const { lessor, logTimeMs } = this.#state;
    return lessor.list(logTimeMs, max, from).map(({ id, ttlMs, deadlineMs }) => ({
      leaseId: id,
      ttlMs,
      remainingMs: deadlineMs - logTimeMs,
    }));
  }

  /** The instances of a service, by id. */
  discover(service: ServiceName): readonly RegisteredInstance[] {
    const range = readRange(this.#space('registry'), { ...plainRange, ...instanceRange(service) });
    assert(!(range instanceof Refusal), 'Nothing bounds this reading');
    const { pairs } = range;
    return pairs.map(registeredInstance);
  }

  /** The services of a namespace with how many instances each has, by name. */
  services(namespace: string): { readonly service: string; readonly instances: number }[] {
    const { index } = this.#space('registry');
    const { key: from, rangeEnd } = namespaceRange(namespace);
    const services: { service: string; instances: number }[] = [];
    let { key } = index.presentFrom(from);
    while (key !== undefined && key < (rangeEnd as string)) {
      const service = serviceOf(key);
      const range = instanceRange({ namespace, service });
      services.push({ service, instances: index.countPresent(boundsOf(range)) });
      key = index.presentFrom(range.rangeEnd as string).key;
    }
    // In keys the name is followed by a slash, which comes after `-` and `.`.
    return services.sort((left, right) => (left.service < right.service ? -1 : 1));
  }

  /**
   * Ended leases lose their keys in turn, so many per entry; a lease without keys counts as one, as does
   * each record of an ended session.
   */
  #expire(revisions: RevisionEvents[]): void {
    const { lessor, sessions, sessionRecords, logTimeMs } = this.#state;
    let left: number = limits.endedKeysMax;
    while (left > 0) {
      const lease = lessor.ended(logTimeMs);
      if (lease === null) break;
      const cause = lease.revoked ? 'leaseRevoked' : 'leaseExpired';
      left -= Math.max(1, this.#state.endLease(lease, left, cause, revisions));
    }
    while (left > 0) {
      const session = sessions.ended(logTimeMs);
      if (session === null) return;
      left -= Math.max(1, sessionRecords.remove(session.id));
    }
  }

  /** Of a level that knows of it, as it is a part of the state. */
  #noteTime(): void {
    const { featureLevel, timeMarks, revision, logTimeMs } = this.#state;
    if (featureLevel >= compactionLevel) timeMarks.note(revision, logTimeMs);
  }

  /**
   * An entry without commands, which only moves the time on, does more than one that clients wait for;
   * but any looks at more changes than it made itself, so that removal is never outrun.
   */
  *#removeCompacted(
    { commands }: CommandEntry,
    revisions: readonly RevisionEvents[],
  ): Generator<undefined, void> {
    if (!this.#state.compactionUnfinished) return;
    yield;
    const changes = revisions.reduce((sum, { events }) => sum + events.length, 0);
    const least = commands.length === 0 ? removedWhenIdle : removedAtLeast;
    yield* this.#state.removeCompacted(least + 2 * changes);
  }

  #space(name: KeySpaceName): KeySpace {
    return this.#state.spaces[numberOf(name)] as KeySpace;
  }
}
