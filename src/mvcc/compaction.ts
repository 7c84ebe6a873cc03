/**
 * Removes what no read and no watch from the floor on can see: all versions of a key before the newest
 * one at or below the floor, and that one too if it is a tombstone, unless it is of the floor's own
 * revision, where a watch may begin.
 *
 * It walks over the log from the last floor to the new one, never over all keys: a version becomes
 * superfluous when another one follows it, so the changes between the floors tell of all that has to go.
 * Invariant: of each key at most one version is at or below the revision up to which the walk has come.
 */
import type { KeyHistory } from './key-history.ts';
import type { KeyIndex } from './key-index.ts';
import type { Revision } from './types.ts';

/** Told of each version before it goes. */
export type Dropped = (history: KeyHistory, slot: number) => void;

/**
 * So many changes are looked at between two pauses, and at most twice as many versions removed: each change
 * takes the one before it along and, if it is a tombstone, goes itself.
 */
const changesPerStep = 512;

/**
 * Goes on behind revision `after`, up to `floor`, over whole revisions until it has looked at
 * `changesMin` changes, with pauses in between. Returns the last revision that is done.
 */
export function* removeCompacted(
  index: KeyIndex,
  { after, floor, changesMin }: { after: Revision; floor: Revision; changesMin: number },
  dropped: Dropped,
): Generator<undefined, Revision> {
  const { slots, through } = nextChanges(index, after, floor, changesMin);
  for (let at = 0; at < slots.length; at += changesPerStep) {
    if (at > 0) yield;
    removeFollowed(index, slots.slice(at, at + changesPerStep), floor, dropped);
  }
  return through;
}

/** Removes what these changes, which follow each other in the log, have made superfluous. */
function removeFollowed(
  index: KeyIndex,
  slots: readonly number[],
  floor: Revision,
  dropped: Dropped,
): void {
  const { table } = index;
  const gone = new Set<number>();
  // From the newest one: the first that is met of a key takes all before it along at once.
  for (const slot of slots.toReversed()) {
    if (gone.has(slot)) continue;
    const history = index.owner(slot);
    const keeps = !table.isTombstone(slot) || table.revision(slot) === floor;
    index.forget(history, slot, keeps, (older) => {
      dropped(history, older);
      gone.add(older);
    });
  }
}

function nextChanges(
  { log, table }: KeyIndex,
  after: Revision,
  floor: Revision,
  changesMin: number,
): { readonly slots: readonly number[]; readonly through: Revision } {
  const slots: number[] = [];
  let previous = after;
  for (const slot of log.from(after + 1)) {
    const revision = table.revision(slot);
    if (revision > floor) break;
    if (slots.length >= changesMin && revision !== previous) return { slots, through: previous };
    previous = revision;
    slots.push(slot);
  }
  return { slots, through: floor };
}
