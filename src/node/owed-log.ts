/**
 * The log that members will need once they have the state that they are receiving. It is kept however
 * much there is of it, from the first piece of the state until they need nothing but what is kept
 * anyway: otherwise a member could receive one state after the other and never get there. Who does not
 * come any nearer is owed nothing after a while, because writes stop when too much is kept.
 */
import type { Index, NodeId, PeerProgress } from '../raft/types.ts';

export interface Receiver {
  /** Where the state stands that is on its way. */
  readonly index: Index;
  /** When it last asked for a piece, or said that it had one. */
  readonly heardMs: number;
}

export class OwedLog {
  readonly #patienceMs: number;
  /** The entries after the index, to one who last came nearer at `heardMs`. */
  readonly #owed = new Map<NodeId, Receiver>();

  /** So long the log is kept for one who neither asks for a piece nor acknowledges an entry. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Everything after this index is owed to somebody; null when nothing is. */
  get floor(): Index | null {
    if (this.#owed.size === 0) return null;
    return Math.min(...[...this.#owed.values()].map(({ index }) => index));
  }

  /**
   * To be called now and then, with whom a state is on its way to. What comes after `keptFrom` stays,
   * whether it is owed or not.
   */
  update(
    receivers: ReadonlyMap<NodeId, Receiver>,
    progress: readonly PeerProgress[],
    keptFrom: Index,
    nowMs: number,
  ): void {
    for (const [id, { index, heardMs }] of receivers) {
      const known = this.#owed.get(id) ?? { index, heardMs };
      this.#owed.set(id, {
        index: Math.max(index, known.index),
        heardMs: Math.max(heardMs, known.heardMs),
      });
    }
    for (const [id, { index, heardMs }] of this.#owed) {
      const known = progress.find((one) => one.id === id);
      const matchIndex = Math.max(index, known?.matchIndex ?? 0);
      const nearerMs = matchIndex > index ? nowMs : heardMs;
      const isDone = known?.state === 'replicate' && matchIndex >= keptFrom;
      // A member that is silent may be back soon, and would need another state: that is for the patience.
      const isGone = known === undefined && !receivers.has(id);
      const isStuck = nowMs - nearerMs > this.#patienceMs;
      if (isDone || isGone || isStuck) this.#owed.delete(id);
      else this.#owed.set(id, { index: matchIndex, heardMs: nearerMs });
    }
  }
}
