/**
 * Streams of changes: ordered, unique, reliable, atomic, resumable (etcd's words).
 *
 * Each watcher has the next revision that it must see. A **synced** watcher has seen everything and is
 * handed each revision as it is applied; any other reads history in pages until it has caught up. A
 * sink that is full pauses its watcher, which keeps nothing but its revision meanwhile, so a slow
 * consumer costs no memory and delays nobody.
 *
 * Invariant: a watcher in `#synced` has been handed everything up to the state's revision and is neither
 * paused nor cancelled. It is never in `#behind` as well: events reach it through one way only.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { KeyEvent, KeyRange, KeyValue, Revision } from '../mvcc/types.ts';
import type { KeySpaceName, RevisionEvents } from '../state-machine/types.ts';
import { SyncedWatchers } from './synced-watchers.ts';
import type { StreamHandle, WatchBatch, WatchedEvent, WatchSink } from './types.ts';

/** What the hub reads of the state. */
export interface WatchSource {
  readonly revision: Revision;
  compactRevision(space: KeySpaceName): Revision;
  /**
   * Batches of up to `revisionsMax` revisions from `from` on that touch the range, and the first
   * revision that was not looked at.
   */
  history(
    space: KeySpaceName,
    range: KeyRange,
    from: Revision,
    revisionsMax: number,
  ): { readonly revisions: readonly RevisionEvents[]; readonly next: Revision };
  /** The pair as it was before `revision`. */
  before(space: KeySpaceName, key: string, revision: Revision): KeyValue | null;
}

export interface Watcher extends StreamHandle {
  readonly space: KeySpaceName;
  readonly range: KeyRange;
  readonly previous: boolean;
  readonly sink: Pick<WatchSink, 'send' | 'end'>;
  next: Revision;
  paused: boolean;
  open: boolean;
}

export interface WatchOptions extends KeyRange {
  readonly space: KeySpaceName;
  /** The first revision to see. */
  readonly from: Revision;
  readonly previous: boolean;
}

const revisionsPerPage = 64;
const turnMs = 8;

export class WatchHub {
  readonly #source: WatchSource;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  readonly #synced = new SyncedWatchers();
  /** Those with history to read, in turn. */
  readonly #behind = new Set<Watcher>();
  #scheduled = false;

  constructor(source: WatchSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  watch(options: WatchOptions, sink: Pick<WatchSink, 'send' | 'end'>): StreamHandle {
    const watcher: Watcher = {
      space: options.space,
      range: { key: options.key, rangeEnd: options.rangeEnd },
      previous: options.previous,
      sink,
      next: options.from,
      paused: false,
      open: true,
      resume: () => this.#resume(watcher),
      cancel: () => this.#remove(watcher),
    };
    this.#watchers.add(watcher);
    this.#place(watcher);
    return watcher;
  }

  /** A batch of entries was applied; `revisions` are what it changed, in order. */
  applied(revisions: readonly RevisionEvents[]): void {
    for (const { space, revision, events } of revisions) {
      const matched = this.#synced.match(space, events);
      for (const [watcher, matching] of matched) {
        if (revision < watcher.next) continue;
        this.#deliver(watcher, { space, revision, events: matching });
        if (watcher.paused) this.#synced.delete(watcher);
      }
    }
  }

  /** The source has another, newer state now: everybody reads on from its history. */
  restored(): void {
    for (const watcher of this.#watchers) {
      this.#synced.delete(watcher);
      this.#behind.delete(watcher);
      if (!watcher.paused) this.#place(watcher);
    }
  }

  /** Ends every stream: the node has no leader, or is closing. */
  endAll(error: RollcallError): void {
    for (const watcher of [...this.#watchers]) this.#end(watcher, error);
  }

  #resume(watcher: Watcher): void {
    if (!watcher.open || !watcher.paused) return;
    watcher.paused = false;
    this.#place(watcher);
  }

  #place(watcher: Watcher): void {
    if (watcher.next > this.#source.revision) {
      this.#synced.add(watcher);
      return;
    }
    this.#behind.add(watcher);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.soon(() => {
      this.#scheduled = false;
      this.#catchUp();
    });
  }

  /** One page for each watcher in turn, until the turn is over. */
  #catchUp(): void {
    const startMs = this.#clock.monotonic();
    for (const watcher of this.#behind) {
      this.#behind.delete(watcher);
      if (!watcher.open || watcher.paused) continue;
      this.#readPage(watcher);
      if (watcher.open && !watcher.paused) this.#place(watcher);
      if (this.#clock.monotonic() - startMs > turnMs) break;
    }
    if (this.#behind.size > 0) this.#schedule();
  }

  #readPage(watcher: Watcher): void {
    const compacted = this.#source.compactRevision(watcher.space);
    if (watcher.next <= compacted) {
      const message = `Revision ${watcher.next} is compacted; the history begins after ${compacted}`;
      const details = { compactRevision: compacted };
      this.#end(watcher, new RollcallError('compacted', message, { details }));
      return;
    }
    const { space, range, next } = watcher;
    const page = this.#source.history(space, range, next, revisionsPerPage);
    for (const revision of page.revisions) {
      this.#deliver(watcher, revision);
      if (watcher.paused || !watcher.open) return;
    }
    watcher.next = page.next;
  }

  #deliver(watcher: Watcher, { space, revision, events }: RevisionEvents): void {
    watcher.next = revision + 1;
    const batch: WatchBatch = {
      revision,
      events: events.map((event) => this.#withPrevious(watcher, space, revision, event)),
    };
    if (!watcher.sink.send(batch)) watcher.paused = true;
  }

  #withPrevious(
    watcher: Watcher,
    space: KeySpaceName,
    revision: Revision,
    event: KeyEvent,
  ): WatchedEvent {
    const previous = watcher.previous ? this.#source.before(space, event.pair.key, revision) : null;
    return { ...event, previous };
  }

  #end(watcher: Watcher, error: RollcallError): void {
    this.#remove(watcher);
    watcher.sink.end(error);
  }

  #remove(watcher: Watcher): void {
    watcher.open = false;
    this.#watchers.delete(watcher);
    this.#synced.delete(watcher);
    this.#behind.delete(watcher);
  }
}
