/**
 * What of the log and the hard state is on disk. The disk is an input like any other: at most one
 * append is out, everything that changes meanwhile gathers for the next one, and nothing waits for
 * it but what is said to others on its strength (see Promises) and what is applied.
 *
 *     ────────────────●──────────────────●──────────────────●
 *              persistedIndex      handedOutIndex      log.lastIndex
 *       durable,              in the append        for the next
 *       as in the log         that is out          append
 *
 * Entries that were cut off since they were handed out count as never handed out: a cut pulls both
 * marks down, so what the disk still has above them does not matter. The next append overwrites it.
 * A snapshot that takes the place of the log is a cut like that: only what is sure to be part of it
 * still counts, until the append that carries it is done.
 *
 * Invariant: persistedIndex ≤ handedOutIndex ≤ log.lastIndex.
 */
import { assert } from '../base/assert.ts';
import type { Log } from './log.ts';
import type { Append, HardState, Index, NodeId, SnapshotMetadata, Term } from './types.ts';

export class Persistence {
  #number = 0;
  #out: Append | null = null;
  #handedOutIndex: Index;
  #persistedIndex: Index;
  /** Has taken the place of the log, and is for the next append. */
  #snapshot: SnapshotMetadata | null = null;
  /** What the disk will hold once the append that is out, if any, has come back. */
  #handedOut: HardState;
  #durable: HardState;

  constructor(hardState: HardState, lastIndex: Index) {
    this.#handedOut = hardState;
    this.#durable = hardState;
    this.#handedOutIndex = lastIndex;
    this.#persistedIndex = lastIndex;
  }

  /** Up to here the disk holds the log as it is now. */
  get persistedIndex(): Index {
    return this.#persistedIndex;
  }

  get handedOutIndex(): Index {
    return this.#handedOutIndex;
  }

  /** Is a snapshot on its way to the disk, or about to be? */
  get isRestoring(): boolean {
    return this.#snapshot !== null || (this.#out?.snapshot ?? null) !== null;
  }

  isDurable(term: Term, votedFor: NodeId | null): boolean {
    return this.#durable.currentTerm === term && this.#durable.votedFor === votedFor;
  }

  isTermDurable(term: Term): boolean {
    return this.#durable.currentTerm === term;
  }

  /** The entries from `index` on are about to be cut off. */
  truncateFrom(index: Index): void {
    this.#handedOutIndex = Math.min(this.#handedOutIndex, index - 1);
    this.#persistedIndex = Math.min(this.#persistedIndex, index - 1);
  }

  /** `snapshot` takes the place of the log up to it; the next append says so to the disk. */
  restore(snapshot: SnapshotMetadata): void {
    this.#snapshot = snapshot;
  }

  /**
   * The next append, or null while one is out or nothing needs the disk. The commit index is only a
   * hint for the next start: it never causes an append, and rides on one that is needed anyway.
   */
  take(term: Term, votedFor: NodeId | null, commitIndex: Index, log: Log): Append | null {
    if (this.#out !== null) return null;
    const handedOut = this.#handedOut;
    const isStateNew = handedOut.currentTerm !== term || handedOut.votedFor !== votedFor;
    const snapshot = this.#snapshot;
    const isLogNew = snapshot !== null || this.#handedOutIndex < log.lastIndex;
    if (!isStateNew && !isLogNew) return null;
    const isHintNew = handedOut.commitIndex !== commitIndex;
    const hardState = isStateNew || isHintNew ? { currentTerm: term, votedFor, commitIndex } : null;
    // What is handed out already and stands after the snapshot, the disk keeps.
    const entries = log.slice(Math.max(this.#handedOutIndex, log.base.index), log.lastIndex);
    this.#handedOut = hardState ?? handedOut;
    this.#handedOutIndex = log.lastIndex;
    this.#snapshot = null;
    this.#number++;
    this.#out = { number: this.#number, hardState, snapshot, entries };
    return this.#out;
  }

  /** The append that was out is durable. Returns the snapshot that it carried. */
  complete(number: number): SnapshotMetadata | null {
    assert(
      this.#out?.number === number,
      () => `Append ${number} is persisted while ${this.#out?.number ?? 'none'} is out`,
    );
    const { snapshot } = this.#out;
    this.#out = null;
    this.#durable = this.#handedOut;
    // Nothing is handed out while an append is out, so this mark is the end of what it carried,
    // less what was cut off since.
    this.#persistedIndex = this.#handedOutIndex;
    return snapshot;
  }
}
