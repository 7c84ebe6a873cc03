/**
 * What a member owes to others and may say only once its own disk backs it:
 *
 * - A granted vote: told and then forgotten in a crash, it could be given a second time in the same
 *   term, and the term would have two leaders (Raft §5.2).
 * - An acknowledged entry: told and then lost, it may be missing from a log that a majority elects,
 *   though the leader counted it as committed (Raft §5.4).
 *
 * The third of the kind, a candidate's own vote, is waited for in `election.ts`. Nothing is queued
 * here: a promise is a fact about the current term, compared with the disk whenever messages leave.
 * So promises of one kind merge into one message, and all of them lapse when the term moves on.
 * Refusals and answers to heartbeats promise nothing and do not wait.
 */
import { assert } from '../base/assert.ts';
import type { Persistence } from './persistence.ts';
import type { Index, Message, NodeId, Term } from './types.ts';

interface Own {
  readonly id: NodeId;
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
}

export class Promises {
  #owesVote = false;
  /** Who leads the current term, once it has sent entries. */
  #leaderId: NodeId | null = null;
  /** Up to here the log equals that leader's. Invariant: never cut within the term. */
  #matchIndex: Index = 0;
  /**
   * Where the leader's first message in this term ended. What the disk held before says less than
   * the leader asked for, and would only make it send again what is about to be durable.
   */
  #firstMatchIndex: Index = 0;
  /** The highest index acknowledged in this term. Invariant: acknowledgedIndex ≤ matchIndex. */
  #acknowledgedIndex: Index = 0;
  /** The leader asks again about what is acknowledged already: the answer may have been lost. */
  #owesRepeat = false;

  get matchIndex(): Index {
    return this.#matchIndex;
  }

  oweVote(): void {
    this.#owesVote = true;
  }

  oweAcknowledgement(leaderId: NodeId, matchIndex: Index): void {
    assert(
      this.#leaderId === null || this.#leaderId === leaderId,
      () => `Two leaders in one term: ${this.#leaderId} and ${leaderId}`,
    );
    if (this.#leaderId === null) this.#firstMatchIndex = matchIndex;
    this.#leaderId = leaderId;
    this.#matchIndex = Math.max(this.#matchIndex, matchIndex);
    if (matchIndex <= this.#acknowledgedIndex) this.#owesRepeat = true;
  }

  /** A new term: what was promised in the old one helps nobody any more. */
  lapse(): void {
    this.#owesVote = false;
    this.#leaderId = null;
    this.#matchIndex = 0;
    this.#firstMatchIndex = 0;
    this.#acknowledgedIndex = 0;
    this.#owesRepeat = false;
  }

  /** Sends what the disk backs by now. */
  keep(own: Own, persistence: Persistence, send: (message: Message) => void): void {
    if (this.#owesVote) this.#keepVote(own, persistence, send);
    if (this.#leaderId !== null) this.#keepAcknowledgement(this.#leaderId, own, persistence, send);
  }

  #keepAcknowledgement(
    leaderId: NodeId,
    own: Own,
    persistence: Persistence,
    send: (message: Message) => void,
  ): void {
    const index = Math.min(persistence.persistedIndex, this.#matchIndex);
    if (index < this.#firstMatchIndex || !persistence.isTermDurable(own.currentTerm)) return;
    if (index === this.#acknowledgedIndex && !this.#owesRepeat) return;
    assert(
      index >= this.#acknowledgedIndex,
      () => `Disk backs ${index} in term ${own.currentTerm}, told ${this.#acknowledgedIndex}`,
    );
    this.#acknowledgedIndex = index;
    this.#owesRepeat = false;
    send({
      type: 'appendEntriesResponse',
      from: own.id,
      to: leaderId,
      term: own.currentTerm,
      success: true,
      matchIndex: index,
    });
  }

  #keepVote(own: Own, persistence: Persistence, send: (message: Message) => void): void {
    assert(own.votedFor !== null, () => `A vote is owed in term ${own.currentTerm} to nobody`);
    if (!persistence.isDurable(own.currentTerm, own.votedFor)) return;
    this.#owesVote = false;
    send({
      type: 'requestVoteResponse',
      from: own.id,
      to: own.votedFor,
      term: own.currentTerm,
      preVote: false,
      voteGranted: true,
      isSticky: false,
    });
  }
}
