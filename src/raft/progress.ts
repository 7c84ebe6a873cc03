/**
 * What a leader knows of one follower's log, and what it may send there. All transitions are here:
 *
 *                             acknowledged
 *        ┌──────────────┐ ─────────────────────▶ ┌─────────────┐
 *   ────▶│    probe     │                        │  replicate  │
 *        └──────────────┘ ◀───────────────────── └─────────────┘
 *           │        ▲     rejected, unreachable     │     ▲
 *     gone  │        │                         gone  │     │
 *           │        │ rejected, with a hint         │     │ acknowledged
 *           ▼        │ beyond what is gone           ▼     │ beyond what is gone
 *        ┌──────────────────────────────────────────────────────┐
 *        │                       snapshot                       │
 *        └──────────────────────────────────────────────────────┘
 *
 * probe:     the leader looks for the point where the logs agree. One message at a time: the next
 *            one waits for an answer, or for a heartbeat's answer in case the message was lost.
 * replicate: the logs agree up to `nextIndex − 1` unless messages were lost. Messages follow each
 *            other without waiting, as far as the in-flight window allows; a lost one shows as a
 *            rejection of its successor.
 * snapshot:  the entry at `nextIndex` is gone from the leader's disk too, so the follower needs a
 *            state. It is offered one, again with each sign of life; no entries leave until it says
 *            that it holds more than what is gone.
 *
 * Invariant: matchIndex < nextIndex. Only an acknowledgement moves matchIndex: a rejection's hint
 * says where to look, never what the follower holds.
 */
import { assert } from '../base/assert.ts';
import { Inflights } from './inflights.ts';
import type { EntryId, Index, PeerProgress, RaftOptions } from './types.ts';

export class Progress {
  #state: PeerProgress['state'] = 'probe';
  #matchIndex: Index = 0;
  #nextIndex: Index;
  /** Nothing with entries leaves before the follower gave a sign of life. */
  #isPaused = false;
  /** An empty append or an offer is due: the follower may have missed it, or must be found again. */
  #isNudged = false;
  /** The highest commit index that has been sent, lost or not; heartbeats repair what was lost. */
  #commitTold: Index = 0;
  /** Where the newest message ended. */
  #lastSent: EntryId | null = null;
  /** The newest read round that the follower has confirmed; never falls. */
  #confirmedRound = 0;
  /** Has the follower answered anything since the leader last checked its quorum? */
  #isActive = false;
  /** Had it, when the leader last checked? */
  #wasActive = false;
  readonly #inflights: Inflights;

  constructor(
    nextIndex: Index,
    bounds: Pick<RaftOptions, 'inflightMessagesMax' | 'inflightBytesMax'>,
  ) {
    this.#nextIndex = nextIndex;
    this.#inflights = new Inflights(bounds);
  }

  get state(): PeerProgress['state'] {
    return this.#state;
  }

  /** Highest index known to be durable on the follower, and equal to the leader's log up to there. */
  get matchIndex(): Index {
    return this.#matchIndex;
  }

  get nextIndex(): Index {
    return this.#nextIndex;
  }

  get lastSent(): EntryId | null {
    return this.#lastSent;
  }

  get confirmedRound(): number {
    return this.#confirmedRound;
  }

  /** In this period of the quorum check. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** In this period or the one before: just after a check nobody has had the time to answer. */
  get isRecentlyActive(): boolean {
    return this.#isActive || this.#wasActive;
  }

  /** May a message with entries leave now? */
  get maySendEntries(): boolean {
    return this.#state !== 'snapshot' && !this.#isPaused && !this.#inflights.isFull;
  }

  /** Is it time to say that only a state can help the follower? */
  get wantsOffer(): boolean {
    return this.#state === 'snapshot' && this.#isNudged;
  }

  /** Has a message left that tells that `index` is committed? */
  isToldOf(index: Index): boolean {
    return this.#commitTold >= index;
  }

  /** Is an append without entries worth its while: asked for, or news of the commit index at a tick? */
  wantsEmptyAppend(commitIndex: Index, isTick: boolean): boolean {
    if (this.#state === 'snapshot') return false;
    if (this.#isNudged) return true;
    if (this.#state === 'probe' || !isTick) return false;
    return Math.min(commitIndex, this.#nextIndex - 1) > this.#commitTold;
  }

  /** Notes a message that carries `count` entries from nextIndex on, and ends with `last`. */
  sent(last: EntryId, count: number, bytes: number, leaderCommit: Index): void {
    assert(
      last.index === this.#nextIndex - 1 + count,
      () => `Sent ${count} entries to ${last.index}, next was ${this.#nextIndex}`,
    );
    this.#isNudged = false;
    this.#lastSent = last;
    this.#commitTold = Math.max(this.#commitTold, Math.min(leaderCommit, last.index));
    if (this.#state === 'probe') {
      this.#isPaused = true;
    } else if (count > 0) {
      this.#nextIndex = last.index + 1;
      this.#inflights.add(last.index, bytes);
    }
  }

  /** The follower holds everything up to `matchIndex` on its disk. True if that was news. */
  acknowledged(matchIndex: Index): boolean {
    this.#isActive = true;
    // Acknowledgements overtake each other; an older one says nothing.
    if (matchIndex < this.#matchIndex) return false;
    const isNews = matchIndex > this.#matchIndex;
    this.#matchIndex = matchIndex;
    const isBeyondGap = this.#state === 'snapshot' && matchIndex >= this.#nextIndex;
    if (this.#state === 'probe' || isBeyondGap) this.#becomeReplicate();
    this.#nextIndex = Math.max(this.#nextIndex, matchIndex + 1);
    this.#inflights.freeThrough(matchIndex);
    return isNews;
  }

  /** The follower's log does not agree at `rejected`; it may at or below `probeIndex`. */
  rejected(rejected: Index, probeIndex: Index): void {
    this.#isActive = true;
    if (this.#state === 'replicate') {
      // What is acknowledged cannot be missing: an old rejection that was overtaken.
      if (rejected <= this.#matchIndex) return;
      this.#becomeProbe(this.#matchIndex + 1);
      return;
    }
    if (this.#state === 'snapshot') {
      if (probeIndex >= this.#nextIndex) this.#becomeProbe(probeIndex + 1);
      return;
    }
    // A probe is out at nextIndex − 1 only; anything else answers an older one.
    if (rejected !== this.#nextIndex - 1) return;
    this.#nextIndex = Math.max(Math.min(rejected, probeIndex + 1), this.#matchIndex + 1);
    this.#isPaused = false;
  }

  /** The stored log begins after nextIndex. The follower is told at once. */
  entriesGone(): void {
    this.#state = 'snapshot';
    this.#isNudged = true;
    this.#inflights.clear();
  }

  /** Notes that a state was offered. */
  offered(): void {
    this.#isNudged = false;
  }

  /** What was on its way may be lost. Waits for a heartbeat's answer, not to send into the void. */
  unreachable(): void {
    // A state travels by other ways; the offer is repeated anyway.
    if (this.#state === 'snapshot') return;
    // While it is looked for where the logs agree, matchIndex may be far below that, even where the
    // stored log has begun long after it: then going back would end in a state that nobody needs.
    this.#becomeProbe(this.#state === 'probe' ? this.#nextIndex : this.#matchIndex + 1);
    this.#isPaused = true;
  }

  /** The follower lives: what is not acknowledged by now may have been lost, so ask. */
  heartbeatAnswered(readRound: number, lastIndex: Index): void {
    this.#isActive = true;
    this.#confirmedRound = Math.max(this.#confirmedRound, readRound);
    this.#isPaused = false;
    if (this.#state !== 'replicate' || this.#matchIndex < lastIndex) this.#isNudged = true;
  }

  /** The stored log could not be read; the next heartbeat's answer starts another try. */
  readFailed(): void {
    this.#isPaused = true;
    this.#isNudged = false;
  }

  /** Begins a new period of the quorum check. */
  forgetActivity(): void {
    this.#wasActive = this.#isActive;
    this.#isActive = false;
  }

  #becomeProbe(nextIndex: Index): void {
    assert(
      nextIndex > this.#matchIndex,
      () => `Probe at ${nextIndex}, matched up to ${this.#matchIndex}`,
    );
    this.#state = 'probe';
    this.#nextIndex = nextIndex;
    this.#isPaused = false;
    this.#isNudged = false;
    this.#commitTold = 0;
    this.#inflights.clear();
  }

  #becomeReplicate(): void {
    this.#state = 'replicate';
    this.#nextIndex = this.#matchIndex + 1;
    this.#isPaused = false;
    this.#isNudged = false;
    this.#inflights.clear();
  }
}
