/**
 * Streams of changes: ordered, unique, reliable, atomic, resumable, bookmarkable (etcd's words).
 *
 * Each watcher has the next revision that it must see. A **live** watcher has been told everything and is
 * handed each revision as it is applied; one that is **behind** reads history until it has caught up
 * (watch-catch-up.ts). A sink that is full **pauses** its watcher, which keeps nothing but its place
 * meanwhile, so a slow consumer costs no memory and delays nobody.
 *
 * Watchers of the same keys form a group: a change finds groups, not watchers, and all of a group are
 * told the same batch object, so that whoever encodes it does so once.
 *
 * Invariant: a live watcher has been handed everything up to `#toldRevision` that it is to see, and
 * changes reach a watcher through one way only, that of its place.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { KeyEvent, Revision } from '../mvcc/types.ts';
import type { RevisionEvents } from '../state-machine/types.ts';
import type { WatchBatch, WatchHandle } from './types.ts';
import { WatchCatchUp } from './watch-catch-up.ts';
import { fragmentsOf } from './watch-fragments.ts';
import { WatchGroups } from './watch-groups.ts';
import { WatchProgress } from './watch-progress.ts';
import { WatchTurn } from './watch-turn.ts';
import type { HubSink, Watched, Watcher, WatchGroup, WatchSource } from './watcher.ts';

export interface WatchOptions extends Watched {
  /** The first revision to see. */
  readonly from: Revision;
  /** Milliseconds; 0: bookmarks only when asked for. */
  readonly progressMs: number;
}

export class WatchHub {
  readonly #source: WatchSource;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  readonly #groups = new WatchGroups();
  readonly #catchUp: WatchCatchUp;
  readonly #progress: WatchProgress;
  /** Live watchers have been told up to here. The state may be ahead of it, within an entry. */
  #toldRevision: Revision;

  constructor(source: WatchSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
    this.#toldRevision = source.revision;
    this.#catchUp = new WatchCatchUp(source, clock, {
      deliver: (watcher, batch) => this.#deliver(watcher, batch),
      end: (watcher, error) => this.#end(watcher, error),
      caughtUp: (watcher) => this.#enliven(watcher),
    });
    this.#progress = new WatchProgress(clock, (watcher) => this.#bookmark(watcher));
  }

  get size(): number {
    return this.#watchers.size;
  }

  watch(options: WatchOptions, sink: HubSink): WatchHandle {
    const { from, progressMs, ...watched } = options;
    const watcher: Watcher = {
      group: this.#groups.join(watched),
      sink,
      place: 'paused',
      cohort: null,
      next: from,
      offset: 0,
      progressMs,
      wasTold: false,
      owesProgress: false,
      resume: () => this.#resume(watcher),
      cancel: () => this.#remove(watcher),
    };
    this.#watchers.add(watcher);
    if (progressMs > 0) this.#progress.add(watcher);
    this.#place(watcher);
    return {
      resume: watcher.resume,
      cancel: watcher.cancel,
      requestProgress: () => this.#requestProgress(watcher),
    };
  }

  /** Entries were applied; `revisions` are what they changed, in order. */
  applied(revisions: readonly RevisionEvents[]): void {
    const turn = new WatchTurn(this.#clock);
    for (const changes of revisions) {
      this.#groups.match(changes, (group, events) => {
        this.#tell(group, changes.revision, events, turn);
      });
      this.#toldRevision = changes.revision;
    }
  }

  /** The source has another, newer state now: everybody reads on from its history. */
  restored(): void {
    const seen = this.#toldRevision;
    this.#toldRevision = this.#source.revision;
    for (const watcher of this.#watchers) {
      const wasLive = watcher.place === 'live';
      if (wasLive) watcher.next = Math.max(watcher.next, seen + 1);
      if (watcher.place === 'paused') continue;
      this.#displace(watcher);
      this.#place(watcher);
    }
  }

  /** Ends every stream: the node has no leader, or is closing. */
  endAll(error: RollcallError): void {
    for (const watcher of [...this.#watchers]) this.#end(watcher, error);
  }

  /**
   * Hands the changes of a revision to the live watchers of a group. Who is not told before the turn is over
   * reads the rest from history.
   */
  #tell(group: WatchGroup, revision: Revision, events: readonly KeyEvent[], turn: WatchTurn): void {
    const parts = fragmentsOf(this.#source, group, revision, events, 0);
    for (;;) {
      const part = turn.isOver ? null : parts.next();
      if (part?.done) return;
      for (const watcher of group.live) {
        if (revision < watcher.next) continue;
        if (part === null || turn.isOver) {
          this.#fallBehind(watcher, revision);
        } else {
          this.#deliver(watcher, part.value);
          turn.told();
        }
      }
      if (part === null) return;
      // The values from before that are in a part may have taken long to read.
      if (part.value.more) turn.look();
    }
  }

  #fallBehind(watcher: Watcher, revision: Revision): void {
    watcher.next = revision;
    this.#displace(watcher);
    this.#catchUp.add(watcher);
  }

  /** Hands over a batch. A watcher that is full, or has ended by it, is in no other set afterwards. */
  #deliver(watcher: Watcher, batch: WatchBatch): void {
    const { revision, events, more } = batch;
    watcher.next = more ? revision : revision + 1;
    watcher.offset = more ? watcher.offset + events.length : 0;
    watcher.wasTold = true;
    if (watcher.sink.send(batch) || watcher.place === 'over') return;
    this.#displace(watcher);
  }

  #resume(watcher: Watcher): void {
    if (watcher.place === 'paused') this.#place(watcher);
  }

  /** Only for watchers that are in no set. */
  #place(watcher: Watcher): void {
    if (watcher.next > this.#source.revision) this.#enliven(watcher);
    else this.#catchUp.add(watcher);
  }

  #enliven(watcher: Watcher): void {
    watcher.place = 'live';
    this.#groups.addLive(watcher);
    if (watcher.owesProgress) this.#bookmark(watcher);
  }

  /** Takes a watcher out of where it is; it is paused then. */
  #displace(watcher: Watcher): void {
    if (watcher.place === 'live') this.#groups.removeLive(watcher);
    if (watcher.place === 'behind') this.#catchUp.remove(watcher);
    watcher.place = 'paused';
  }

  #requestProgress(watcher: Watcher): void {
    watcher.owesProgress = true;
    if (watcher.place === 'live') this.#bookmark(watcher);
  }

  /** Says up to where the watcher has been told everything, unless it cannot take anything now. */
  #bookmark(watcher: Watcher): void {
    if (watcher.place === 'paused' || watcher.place === 'over') return;
    const isLive = watcher.place === 'live';
    const told = isLive ? Math.max(this.#toldRevision, watcher.next - 1) : watcher.next - 1;
    if (isLive) watcher.owesProgress = false;
    // One that waits for a revision to come has been told of nothing that does not exist yet.
    watcher.sink.progress(Math.min(told, this.#source.revision));
  }

  /** The error says where a watch that takes this one's place is to begin. */
  #end(watcher: Watcher, { code, message, definite, details, cause }: RollcallError): void {
    const { place, next } = watcher;
    const { compactRevision = 0 } = details;
    const told = place === 'live' ? Math.max(next, this.#toldRevision + 1) : next;
    const resumeRevision = Math.max(told, Number(compactRevision));
    this.#remove(watcher);
    const options = { definite, cause, details: { ...details, resumeRevision } };
    watcher.sink.end(new RollcallError(code, message, options));
  }

  #remove(watcher: Watcher): void {
    if (watcher.place === 'over') return;
    this.#displace(watcher);
    watcher.place = 'over';
    this.#watchers.delete(watcher);
    if (watcher.progressMs > 0) this.#progress.remove(watcher);
    this.#groups.leave(watcher.group);
  }
}
