/**
 * Watchers that read history. Those of one group that are at the same place read it together, as a cohort;
 * cohorts take turns, a page each, and two that meet become one. So a crowd that comes back at once costs
 * one reading, and who has little to read does not wait for who has much.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { KeyEvent } from '../mvcc/types.ts';
import type { WatchBatch } from './types.ts';
import { fragmentsOf } from './watch-fragments.ts';
import { isWanted } from './watch-groups.ts';
import { WatchTurn } from './watch-turn.ts';
import type { Cohort, Watcher, WatchSource } from './watcher.ts';

export interface CatchUpEvents {
  /** Hands a batch over; removes the watcher when it is full or has ended. */
  deliver(watcher: Watcher, batch: WatchBatch): void;
  end(watcher: Watcher, error: RollcallError): void;
  /** The watcher has been told everything; it is in no cohort any more. */
  caughtUp(watcher: Watcher): void;
}

const revisionsPerPage = 64;
/** More would hold a turn for too long. */
const membersMax = 4096;

export class WatchCatchUp {
  readonly #source: WatchSource;
  readonly #clock: Clock;
  readonly #events: CatchUpEvents;
  readonly #queue = new Set<Cohort>();
  #isScheduled = false;

  constructor(source: WatchSource, clock: Clock, events: CatchUpEvents) {
    this.#source = source;
    this.#clock = clock;
    this.#events = events;
  }

  /** Only for watchers that are in no other place. */
  add(watcher: Watcher): void {
    const { group, next, offset } = watcher;
    const known = offset === 0 ? group.cohorts.get(next) : undefined;
    const hasRoom = known !== undefined && known.members.size < membersMax;
    const cohort = hasRoom ? known : { group, members: new Set<Watcher>(), next, offset };
    watcher.place = 'behind';
    watcher.cohort = cohort;
    cohort.members.add(watcher);
    if (cohort !== known) this.#enqueue(cohort);
  }

  remove(watcher: Watcher): void {
    const { cohort } = watcher;
    if (cohort === null) return;
    watcher.cohort = null;
    cohort.members.delete(watcher);
    if (cohort.members.size === 0) this.#dequeue(cohort);
  }

  #enqueue(cohort: Cohort): void {
    if (cohort.offset === 0) cohort.group.cohorts.set(cohort.next, cohort);
    this.#queue.add(cohort);
    this.#schedule(0);
  }

  #dequeue(cohort: Cohort): void {
    const { cohorts } = cohort.group;
    if (cohorts.get(cohort.next) === cohort) cohorts.delete(cohort.next);
    this.#queue.delete(cohort);
  }

  #schedule(restMs: number): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const turn = (): void => {
      this.#isScheduled = false;
      this.#turn();
    };
    if (restMs < 1) this.#clock.soon(turn);
    else this.#clock.after(restMs, () => this.#clock.soon(turn));
  }

  /** One page for each cohort in turn, until the turn is over; then others have as much time. */
  #turn(): void {
    const turn = new WatchTurn(this.#clock);
    for (const cohort of this.#queue) {
      this.#dequeue(cohort);
      this.#read(cohort, turn);
      this.#settle(cohort);
      if (turn.look()) break;
    }
    if (this.#queue.size > 0) this.#schedule(turn.tookMs);
  }

  #read(cohort: Cohort, turn: WatchTurn): void {
    const { group, members } = cohort;
    const compacted = this.#source.compactRevision(group.space);
    if (cohort.next < compacted) {
      for (const watcher of members) this.#events.end(watcher, compactedError(cohort, compacted));
      return;
    }
    const { next: begin, offset } = cohort;
    const page = this.#source.history(group.space, group, begin, revisionsPerPage);
    cohort.offset = 0;
    for (const { revision, events } of page.revisions) {
      const wanted = events.filter((event) => isWanted(group, event));
      cohort.next = revision;
      cohort.offset = revision === begin ? offset : 0;
      if (!this.#tell(cohort, wanted, turn)) return;
      cohort.next = revision + 1;
      cohort.offset = 0;
      if (turn.look()) return;
    }
    cohort.next = page.next;
  }

  /** Tells what is left of a revision; false when nobody is left, or the turn was over within it. */
  #tell(cohort: Cohort, wanted: readonly KeyEvent[], turn: WatchTurn): boolean {
    const { group, members, next, offset } = cohort;
    if (wanted.length <= offset) return true;
    for (const batch of fragmentsOf(this.#source, group, next, wanted, offset)) {
      for (const watcher of members) this.#events.deliver(watcher, batch);
      cohort.offset += batch.events.length;
      if (members.size === 0 || (batch.more && turn.look())) return false;
    }
    return true;
  }

  /** After a page: on with the next one, with those who are there already, or to live. */
  #settle(cohort: Cohort): void {
    const { group, members, next, offset } = cohort;
    if (members.size === 0) return;
    const known = offset === 0 ? group.cohorts.get(next) : undefined;
    const isLive = next > this.#source.revision;
    const isJoined = known !== undefined && known.members.size + members.size <= membersMax;
    for (const watcher of members) {
      watcher.next = next;
      watcher.offset = offset;
      if (isLive) {
        watcher.cohort = null;
        this.#events.caughtUp(watcher);
      } else if (isJoined) {
        watcher.cohort = known;
        known.members.add(watcher);
      }
    }
    if (!isLive && !isJoined) this.#enqueue(cohort);
  }
}

function compactedError({ next }: Cohort, compactRevision: number): RollcallError {
  const message = `Revision ${next} is compacted; the history begins with ${compactRevision}`;
  return new RollcallError('compacted', message, { details: { compactRevision } });
}
