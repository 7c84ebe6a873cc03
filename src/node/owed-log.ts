/**
 * The log that members will need once they have the state that they are receiving. It is kept however
 * much there is of it, from the first piece of the state until they have caught up: otherwise a member
 * could receive one state after the other and never get there.
 */
import type { Index, NodeId, PeerProgress } from '../raft/types.ts';

/** So near to the end of the log a member lives on what is sent to everybody. */
const caughtUpEntries = 1000;

export class OwedLog {
  /** The entries after this index. */
  readonly #owed = new Map<NodeId, Index>();

  /** Everything after this index is owed to somebody; null when nothing is. */
  get floor(): Index | null {
    return this.#owed.size === 0 ? null : Math.min(...this.#owed.values());
  }

  /** To be called now and then, with whom a state is on its way to, and at which index it stands. */
  update(
    receivers: ReadonlyMap<NodeId, Index>,
    progress: readonly PeerProgress[],
    lastIndex: Index,
  ): void {
    for (const [id, index] of receivers) this.#owed.set(id, index);
    for (const [id, index] of this.#owed) {
      const known = progress.find((one) => one.id === id);
      const matchIndex = Math.max(index, known?.matchIndex ?? 0);
      const isDone = known?.state === 'replicate' && lastIndex - matchIndex <= caughtUpEntries;
      const isGone = !receivers.has(id) && known?.isRecentlyActive !== true;
      if (isDone || isGone) this.#owed.delete(id);
      else this.#owed.set(id, matchIndex);
    }
  }
}
