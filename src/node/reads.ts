/**
 * Linearizable reads by ReadIndex (thesis §6.4): all reads of one turn share a request, the core
 * lets waiting requests share a confirmation round, and each is answered once the index it was given
 * is applied. Serializable reads only wait, for a bounded time, until this node has seen the revision
 * that the client has seen.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Revision } from '../mvcc/types.ts';
import type { Index, RequestId } from '../raft/types.ts';
import type { Freshness, ReadRequest } from './types.ts';

/** Answers one read from the state as it is now, or fails it. */
export interface Read {
  run(): void;
  fail(error: RollcallError): void;
}

interface Confirmed {
  readonly index: Index;
  readonly reads: readonly Read[];
}

interface Confirming {
  readonly sinceMs: number;
  readonly reads: readonly Read[];
}

interface Behind {
  readonly minRevision: Revision;
  readonly untilMs: number;
  readonly read: Read;
}

export interface ReadLimits {
  readonly timeoutMs: number;
  readonly behindMs: number;
}

/** Served in any turn, however busy it was before. */
const behindPerTurnMin = 4;

export class Reads {
  readonly #clock: Clock;
  readonly #limits: ReadLimits;
  #gathered: Read[] = [];
  readonly #confirming = new Map<RequestId, Confirming>();
  /** In ascending order of index: the core hands out read states in order. */
  #confirmed: Confirmed[] = [];
  #behind: Behind[] = [];

  constructor(clock: Clock, limits: ReadLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get gathered(): number {
    return this.#gathered.length;
  }

  /** Linearizable, unless the request says otherwise. */
  add(request: ReadRequest | Freshness, read: Read): void {
    if ('serializable' in request && request.serializable) {
      this.addSerializable(request.minRevision, read);
    } else {
      this.#gathered.push(read);
    }
  }

  addSerializable(minRevision: Revision, read: Read): void {
    const untilMs = this.#clock.monotonic() + this.#limits.behindMs;
    this.#behind.push({ minRevision, untilMs, read });
  }

  /** Hands the gathered reads over to one ReadIndex request. */
  request(id: RequestId): void {
    this.#confirming.set(id, { reads: this.#gathered, sinceMs: this.#clock.monotonic() });
    this.#gathered = [];
  }

  confirmed(id: RequestId, index: Index): void {
    const confirming = this.#confirming.get(id);
    if (confirming === undefined) return;
    this.#confirming.delete(id);
    this.#confirmed.push({ index, reads: confirming.reads });
  }

  dropped(id: RequestId, error: RollcallError): void {
    const confirming = this.#confirming.get(id);
    this.#confirming.delete(id);
    for (const read of confirming?.reads ?? []) read.fail(error);
  }

  refuseGathered(error: RollcallError): void {
    const reads = this.#gathered;
    this.#gathered = [];
    for (const read of reads) read.fail(error);
  }

  /**
   * Answers what the applied index and the revision allow, until `mayGoOn` says that the turn is
   * over. Some of either kind are answered in any turn, so that neither starves the other.
   * Returns whether some are left that could be answered now.
   */
  run(applied: Index, revision: Revision, mayGoOn: () => boolean): boolean {
    const behindLeft = this.#behind.length > 0 && this.#runBehind(revision, mayGoOn);
    while (this.#confirmed.length > 0) {
      const next = this.#confirmed[0] as Confirmed;
      if (next.index > applied) break;
      const left = runUntil(next.reads, mayGoOn);
      if (left.length > 0) {
        this.#confirmed[0] = { index: next.index, reads: left };
        return true;
      }
      this.#confirmed.shift();
    }
    return behindLeft;
  }

  /** Fails those that have waited too long. Reads change nothing, so each failure is definite. */
  expire(revision: Revision): void {
    const nowMs = this.#clock.monotonic();
    for (const [id, confirming] of this.#confirming) {
      if (nowMs - confirming.sinceMs < this.#limits.timeoutMs) break;
      const message = 'No majority has confirmed the leader in time';
      this.dropped(id, new RollcallError('timeout', message, { definite: true }));
    }
    const isLate = (one: Behind): boolean => one.untilMs <= nowMs && one.minRevision > revision;
    const late = this.#behind.filter(isLate);
    if (late.length === 0) return;
    this.#behind = this.#behind.filter((one) => !isLate(one));
    for (const { read, minRevision } of late) {
      read.fail(new RollcallError('behind', `This node has not seen revision ${minRevision} yet`));
    }
  }

  close(error: RollcallError): void {
    this.refuseGathered(error);
    for (const id of [...this.#confirming.keys()]) this.dropped(id, error);
    for (const { reads } of this.#confirmed) for (const read of reads) read.fail(error);
    for (const { read } of this.#behind) read.fail(error);
    this.#confirmed = [];
    this.#behind = [];
  }

  #runBehind(revision: Revision, mayGoOn: () => boolean): boolean {
    const now = this.#behind.filter((one) => one.minRevision <= revision);
    if (now.length === 0) return false;
    const later = this.#behind.filter((one) => one.minRevision > revision);
    let count = 0;
    while (count < now.length && (count < behindPerTurnMin || mayGoOn())) {
      (now[count] as Behind).read.run();
      count++;
    }
    this.#behind = [...now.slice(count), ...later];
    return count < now.length;
  }
}

/** What is left when the turn was over first; at least one is answered. */
function runUntil(reads: readonly Read[], mayGoOn: () => boolean): readonly Read[] {
  for (let at = 0; at < reads.length; at++) {
    if (at > 0 && !mayGoOn()) return reads.slice(at);
    (reads[at] as Read).run();
  }
  return [];
}
