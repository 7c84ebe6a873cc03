/**
 * Linearizable reads without a log entry (Raft §8, thesis §6.4). A leader may answer a read from its
 * commit index once it knows that it still led after the read came in: a quorum has answered a
 * heartbeat that left later. All reads that wait share such a round:
 *
 *     add ──▶ gathering ──start──▶ in the round ──confirm──▶ answered
 *
 * At most one round is under way; the reads that come in meanwhile share the next one. A round's
 * index is the commit index at its start, which is at or above that at each of its reads.
 */
import type { Index, ReadState, RequestId } from './types.ts';

export class ReadIndex {
  /** The newest round. Invariant: rises by one with each start; 0 before the first. */
  #round = 0;
  #roundIndex: Index = 0;
  #inRound: RequestId[] = [];
  #gathering: RequestId[] = [];

  get round(): number {
    return this.#round;
  }

  get isUnderWay(): boolean {
    return this.#inRound.length > 0;
  }

  add(id: RequestId): void {
    this.#gathering.push(id);
  }

  /** Starts a round if reads wait for one and none is under way. The next heartbeats carry it. */
  maybeStart(commitIndex: Index): boolean {
    if (this.isUnderWay || this.#gathering.length === 0) return false;
    this.#round++;
    this.#roundIndex = commitIndex;
    this.#inRound = this.#gathering;
    this.#gathering = [];
    return true;
  }

  /** A quorum has confirmed every round up to `round`. Returns the reads that this answers. */
  confirm(round: number): readonly ReadState[] {
    if (!this.isUnderWay || round < this.#round) return [];
    const index = this.#roundIndex;
    const answered = this.#inRound.map((id) => ({ id, index }));
    this.#inRound = [];
    return answered;
  }

  /** Empties everything: the reads that can no longer be answered. */
  drain(): readonly RequestId[] {
    const waiting = [...this.#inRound, ...this.#gathering];
    this.#inRound = [];
    this.#gathering = [];
    return waiting;
  }
}
