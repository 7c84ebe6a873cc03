/** Who watches, and what several of them watch alike. */
import type { KeyRange, KeyValue, Revision } from '../mvcc/types.ts';
import type { KeySpaceName, RevisionEvents } from '../state-machine/types.ts';
import type { StreamHandle, WatchSink } from './types.ts';

/** What watches read of the state. */
export interface WatchSource {
  readonly revision: Revision;
  /** The oldest revision whose changes can still be told; 0 before any compaction. */
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
  /** The pair as it was before `revision`; null as well where that is compacted (etcd does the same). */
  before(space: KeySpaceName, key: string, revision: Revision): KeyValue | null;
}

/** What is the same for all watchers of a group, so that they are told the very same batches. */
export interface Watched extends KeyRange {
  readonly space: KeySpaceName;
  readonly previous: boolean;
  /** Kinds of changes that are left out. */
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

export interface WatchGroup extends Watched {
  readonly name: string;
  /** Watchers of this group, wherever they are. */
  size: number;
  /** Those who have been told everything. */
  readonly live: Set<Watcher>;
  /** Those who read history, by the revision that they read from. */
  readonly cohorts: Map<Revision, Cohort>;
}

/**
 * Watchers of one group that read history from the same place, so that it is read once for all.
 * `offset` are the changes of `next` that they have been told already.
 */
export interface Cohort {
  readonly group: WatchGroup;
  readonly members: Set<Watcher>;
  next: Revision;
  offset: number;
}

/** `paused`: its sink is full, and it is in no set but that of all. */
export type WatcherPlace = 'live' | 'behind' | 'paused' | 'over';

export type HubSink = Pick<WatchSink, 'send' | 'progress' | 'end'>;

export interface Watcher extends StreamHandle {
  readonly group: WatchGroup;
  readonly sink: HubSink;
  /** How often it gets a bookmark while nothing happens; 0: never. */
  readonly progressMs: number;
  place: WatcherPlace;
  /** Null unless it is behind. */
  cohort: Cohort | null;
  /** The first revision that it has not been told as a whole. While live it may lie in the future, or far back. */
  next: Revision;
  /** How many changes of `next` it has been told. */
  offset: number;
  /** It was told something since its bookmark was last due. */
  wasTold: boolean;
  /** It asked for a bookmark and has not had it. */
  owesProgress: boolean;
}
