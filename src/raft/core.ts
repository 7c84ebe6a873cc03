/**
 * The state of one member (Raft, Figure 2), and the only functions that change its role, term and
 * vote: the `become…` methods. What a member does in a role stands in `election.ts`, `follower.ts`
 * and `leader.ts`; the order of one round of work in `raft.ts`.
 *
 *                    timeout              quorum would vote           quorum has voted
 *     ┌──────────┐ ─────────▶ ┌────────────┐ ─────────▶ ┌───────────┐ ─────────▶ ┌────────┐
 *     │ follower │            │preCandidate│            │ candidate │            │ leader │
 *     └──────────┘ ◀───────── └────────────┘ ◀───────── └───────────┘            └────────┘
 *          ▲         refused,       timeout (again)           │                      │
 *          └──────── or a leader of this term, or any higher term, or no quorum ─────┘
 */
import { assert } from '../base/assert.ts';
import { EarlyCampaign } from './early-campaign.ts';
import { ElectionTimer } from './election-timer.ts';
import { Leadership } from './leadership.ts';
import { Log } from './log.ts';
import { Outbox } from './outbox.ts';
import { Persistence } from './persistence.ts';
import { Promises } from './promises.ts';
import type {
  Entry,
  Index,
  NodeId,
  RaftOptions,
  Restored,
  Role,
  SnapshotMetadata,
  SoftState,
  Term,
} from './types.ts';

const none: readonly never[] = [];

/** No leader was heard for a timeout; or its process is gone; or it asked for this. */
type CampaignCause = 'timeout' | 'leaderGone' | 'transfer';

export class Core {
  readonly id: NodeId;
  readonly options: RaftOptions;
  readonly log: Log;
  readonly persistence: Persistence;
  readonly promises = new Promises();
  readonly outbox = new Outbox();
  readonly timer: ElectionTimer;
  readonly earlyCampaign: EarlyCampaign;
  /** What each voter said to the campaign that is under way; empty in other roles. */
  readonly votes = new Map<NodeId, boolean>();
  /** The LogReads whose answers are outstanding, whichever term asked for them. */
  readonly logReads = new Map<NodeId, Index>();
  /** False while the disk or the state is sick: this member votes, but does not campaign. */
  isEligible = true;

  /** Latest term this member has seen. Invariant: never falls; at or above every term in the log. */
  #currentTerm: Term;
  /** Who got this member's vote in currentTerm. Invariant: once set it stays for the term. */
  #votedFor: NodeId | null;
  #role: Role = 'follower';
  #leaderId: NodeId | null = null;
  /** Says something only while this member campaigns. */
  #campaignCause: CampaignCause = 'timeout';
  /** Highest index known to be committed. Invariant: never falls; at most log.lastIndex. */
  #commitIndex: Index;
  /** Highest index handed out to be applied. Invariant: at most commitIndex and persistedIndex. */
  #lastApplied: Index;
  /** Not null exactly while the role is leader. */
  #leadership: Leadership | null = null;

  constructor(options: RaftOptions, restored: Restored) {
    const { hardState, snapshot, entries, lastApplied } = restored;
    this.id = options.id;
    this.options = options;
    this.log = new Log(snapshot, entries);
    const { lastIndex, last } = this.log;
    this.persistence = new Persistence(hardState, lastIndex);
    this.timer = new ElectionTimer(options.electionTicks, options.random);
    this.earlyCampaign = new EarlyCampaign(options.earlyCampaignTicks, options.random);
    this.#currentTerm = hardState.currentTerm;
    this.#votedFor = hardState.votedFor;
    // The commit index on disk is a hint that may be old; what is applied is committed for sure.
    this.#commitIndex = Math.max(hardState.commitIndex, lastApplied);
    this.#lastApplied = lastApplied;
    assert(
      last.term <= this.#currentTerm,
      `Restored term ${this.#currentTerm}, but the log ends in term ${last.term}`,
    );
    assert(
      this.#commitIndex <= lastIndex,
      `Restored commit index ${this.#commitIndex}, but the log ends at ${lastIndex}`,
    );
    assert(
      lastApplied >= snapshot.last.index,
      `Restored applied index ${lastApplied}, but the log begins after ${snapshot.last.index}`,
    );
  }

  get currentTerm(): Term {
    return this.#currentTerm;
  }

  get votedFor(): NodeId | null {
    return this.#votedFor;
  }

  get role(): Role {
    return this.#role;
  }

  get leaderId(): NodeId | null {
    return this.#leaderId;
  }

  get softState(): SoftState {
    return { role: this.#role, leaderId: this.#leaderId };
  }

  get campaignCause(): CampaignCause {
    return this.#campaignCause;
  }

  get leadership(): Leadership | null {
    return this.#leadership;
  }

  get commitIndex(): Index {
    return this.#commitIndex;
  }

  get lastApplied(): Index {
    return this.#lastApplied;
  }

  /** Follows `leaderId`, or nobody yet, in `term`. */
  becomeFollower(term: Term, leaderId: NodeId | null): void {
    assert(
      term >= this.#currentTerm,
      () => `Follower of term ${term} after term ${this.#currentTerm}`,
    );
    assert(leaderId !== this.id, () => `Follower of itself in term ${term}`);
    if (term > this.#currentTerm) this.#enterTerm(term, null);
    const waiting = this.#leadership?.reads.drain() ?? none;
    for (const id of waiting) this.outbox.drop({ id, leaderId });
    this.#leadership = null;
    this.#role = 'follower';
    this.#leaderId = leaderId;
    this.votes.clear();
    if (leaderId === null) this.earlyCampaign.cancel();
    else this.earlyCampaign.reset();
    this.timer.restart();
  }

  /** Gives this term's vote to `candidate`, and its election the time to succeed. */
  becomeSupporterOf(candidate: NodeId): void {
    assert(
      this.#votedFor === null || this.#votedFor === candidate,
      () => `Second vote in term ${this.#currentTerm}: ${candidate} after ${this.#votedFor}`,
    );
    this.becomeFollower(this.#currentTerm, this.#leaderId);
    this.#votedFor = candidate;
  }

  /** Asks who would vote for it, without a change of term or vote (thesis §9.6). */
  becomePreCandidate(cause: 'timeout' | 'leaderGone'): void {
    assert(this.#role !== 'leader', () => `Leader of term ${this.#currentTerm} campaigns`);
    this.#role = 'preCandidate';
    this.#leaderId = null;
    this.#campaignCause = cause;
    this.votes.clear();
    this.earlyCampaign.cancel();
    this.timer.restart();
  }

  /** After a pre-vote was won, or at the leader's own request. */
  becomeCandidate(cause: CampaignCause): void {
    assert(
      this.#role === (cause === 'transfer' ? 'follower' : 'preCandidate'),
      () => `${this.#role} becomes a candidate because of ${cause}`,
    );
    this.#enterTerm(this.#currentTerm + 1, this.id);
    this.#role = 'candidate';
    this.#leaderId = null;
    this.#campaignCause = cause;
    this.votes.clear();
    this.earlyCampaign.cancel();
    this.timer.restart();
  }

  /**
   * Leads the term. Its first entry is a no-op: only entries of its own term may be counted as
   * committed, so without one nothing before would ever be known to be (Raft §5.4.2, §8).
   */
  becomeLeader(): void {
    assert(this.#role === 'candidate', () => `${this.#role} becomes a leader`);
    assert(
      this.persistence.isDurable(this.#currentTerm, this.id),
      () => `Leader of term ${this.#currentTerm} without its own vote on disk`,
    );
    const firstIndex = this.log.lastIndex + 1;
    this.#role = 'leader';
    this.#leaderId = this.id;
    this.#leadership = new Leadership(this.options, this.log.configuration, firstIndex);
    this.votes.clear();
    this.timer.restart();
    this.log.append({ term: this.#currentTerm, index: firstIndex, type: 'noop' });
  }

  commitTo(index: Index): void {
    if (index <= this.#commitIndex) return;
    assert(
      index <= this.log.lastIndex,
      () => `Commit index ${index}, but the log ends at ${this.log.lastIndex}: entries were lost`,
    );
    this.#commitIndex = index;
  }

  /** Cuts the log from `index` on, because the leader has other entries there. */
  truncateFrom(index: Index): void {
    assert(
      index > this.#commitIndex,
      () => `Cut at ${index}, committed up to ${this.#commitIndex}`,
    );
    assert(
      index > this.promises.matchIndex,
      () => `Cut at ${index}, equal to its leader's up to ${this.promises.matchIndex}`,
    );
    this.log.truncateFrom(index);
    this.persistence.truncateFrom(index);
  }

  /**
   * Takes a received state for the log up to it. As with any promise, nobody is told that this member
   * holds it, and nothing after it is applied, before the disk does. What this member's disk holds of
   * the log still counts as far as that is the committed one: what it has acknowledged in this term
   * is, because the leader has both it and the state.
   */
  restore(snapshot: SnapshotMetadata): void {
    const { last } = snapshot;
    assert(this.#role === 'follower', () => `${this.#role} takes a snapshot`);
    assert(
      last.index > this.#commitIndex && last.term <= this.#currentTerm,
      () => `Snapshot ${last.term}/${last.index} in ${this.#currentTerm}/${this.#commitIndex}`,
    );
    if (!this.log.matches(last)) {
      const equalThrough = Math.max(this.#commitIndex, this.promises.matchIndex);
      assert(
        equalThrough < last.index,
        () => `The log equals the leader's up to ${equalThrough}, but not at ${last.index}`,
      );
      this.persistence.truncateFrom(equalThrough + 1);
    }
    this.persistence.restore(snapshot);
    this.log.restore(snapshot);
    this.#commitIndex = last.index;
    if (this.#leaderId !== null) this.promises.oweAcknowledgement(this.#leaderId, last.index);
  }

  /** A state that was taken is durable: what follows it may be applied. */
  restored(snapshot: SnapshotMetadata): void {
    assert(
      snapshot.last.index > this.#lastApplied,
      () => `Restored ${snapshot.last.index}, applied up to ${this.#lastApplied}`,
    );
    this.#lastApplied = snapshot.last.index;
    this.outbox.restore(snapshot);
  }

  /**
   * What is newly committed and on this member's disk; each entry once, in order. None while the term
   * is not: it may be this term's leader that the log was found to be equal to, and a crash would bring
   * this member back, with what it applied, to an older term whose leader it must not follow so far.
   */
  takeCommitted(): readonly Entry[] {
    if (!this.persistence.isTermDurable(this.#currentTerm)) return none;
    const through = Math.min(this.#commitIndex, this.persistence.persistedIndex);
    // While a state is on its way to the disk, the log in memory begins after what comes next.
    if (through <= this.#lastApplied || this.log.base.index > this.#lastApplied) return none;
    const entries = this.log.slice(this.#lastApplied, through);
    this.#lastApplied = through;
    return entries;
  }

  #enterTerm(term: Term, votedFor: NodeId | null): void {
    this.#currentTerm = term;
    this.#votedFor = votedFor;
    this.promises.lapse();
  }
}
