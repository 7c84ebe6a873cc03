/**
 * Compares digests between members: equal logs make equal states, so two digests at one applied index
 * that differ mean that a state was damaged or a program is not deterministic. Every node tells its
 * newest digest now and then; whoever has another one at that index asks all members, once for each
 * index, and whom a majority contradicts is wrong.
 */
import { equalHash, type Hash64 } from '../base/hash.ts';
import type { DigestReport } from '../format/node-message.ts';
import type { Revision } from '../mvcc/types.ts';
import type { Configuration, Index, NodeId } from '../raft/types.ts';

/** How many of the newest applied entries can be compared. */
const remembered = 4096;
/** About so many indexes are asked at once at most. More than all members tell in a second or two. */
const disputesMax = 16;

/** What a state is compared by. */
export interface StateDigest {
  readonly digest: Hash64;
  readonly revision: Revision;
}

/** What each member says of one index, this one included. */
type Dispute = Map<NodeId, Hash64>;

export class Digests {
  readonly #id: NodeId;
  readonly #send: (report: DigestReport) => void;
  /** A majority has another digest than this node at `index`. */
  readonly #onWrong: (index: Index) => void;
  readonly #indexes = new Float64Array(remembered);
  readonly #highs = new Uint32Array(remembered);
  readonly #lows = new Uint32Array(remembered);
  readonly #revisions = new Float64Array(remembered);
  #newest: Index = 0;
  #told: Index = 0;
  /** By index. Answers come late and in any order, so one dispute must not end another. */
  readonly #disputes = new Map<Index, Dispute>();
  /**
   * Nobody is asked about this index or any before it again: answers about some of them may still be
   * on their way, and to ask again for each of those would never end. Invariant: below all disputes.
   */
  #forgottenThrough: Index = 0;
  /** Its own digest is worth nothing any more, and what others say is known. */
  #isWrong = false;

  constructor(id: NodeId, send: (report: DigestReport) => void, onWrong: (index: Index) => void) {
    this.#id = id;
    this.#send = send;
    this.#onWrong = onWrong;
  }

  /** Exactly the entries up to `index` are applied. */
  applied(index: Index, { digest: { high, low }, revision }: StateDigest): void {
    const slot = index % remembered;
    this.#indexes[slot] = index;
    this.#revisions[slot] = revision;
    this.#highs[slot] = high;
    this.#lows[slot] = low;
    this.#newest = index;
  }

  /** To be called every second or so: tells the others, unless nothing was applied since. */
  tell({ members }: Configuration): void {
    if (this.#newest === this.#told) return;
    this.#told = this.#newest;
    this.#tellAll(members, this.#newest, false);
  }

  onReport({ from, index, digest, asks }: DigestReport, configuration: Configuration): void {
    const own = this.at(index)?.digest ?? null;
    if (own === null || this.#isWrong) return;
    if (asks) this.#report(from, index, own, false);
    const isNew = !this.#disputes.has(index) && !equalHash(own, digest);
    if (isNew) this.#open(index, own, configuration);
    const dispute = this.#disputes.get(index);
    if (dispute === undefined) return;
    dispute.set(from, digest);
    this.#decide(index, dispute, configuration);
  }

  /** Of the state that had applied exactly the entries up to `index`; null if that is not remembered. */
  at(index: Index): StateDigest | null {
    const slot = index % remembered;
    if (this.#indexes[slot] !== index || index === 0) return null;
    return {
      digest: { high: this.#highs[slot] as number, low: this.#lows[slot] as number },
      revision: this.#revisions[slot] as Revision,
    };
  }

  /** Asks all members about `index`, where this one has `own`, unless that is too long ago. */
  #open(index: Index, own: Hash64, { members }: Configuration): void {
    if (index <= this.#forgottenThrough) return;
    if (this.#disputes.size === disputesMax) {
      const oldest = Math.min(...this.#disputes.keys());
      if (index < oldest) return;
      this.#disputes.delete(oldest);
      this.#forgottenThrough = oldest;
    }
    this.#disputes.set(index, new Map([[this.#id, own]]));
    this.#tellAll(members, index, true);
  }

  #decide(index: Index, dispute: Dispute, { voters }: Configuration): void {
    const own = dispute.get(this.#id) as Hash64;
    for (const digest of dispute.values()) {
      if (equalHash(digest, own)) continue;
      const agreeing = voters.filter((id) => {
        const said = dispute.get(id);
        return said !== undefined && equalHash(said, digest);
      });
      if (agreeing.length * 2 > voters.length) {
        this.#isWrong = true;
        this.#onWrong(index);
        return;
      }
    }
  }

  #tellAll(members: readonly { readonly id: NodeId }[], index: Index, asks: boolean): void {
    const digest = this.at(index)?.digest;
    if (digest === undefined) return;
    for (const { id } of members) if (id !== this.#id) this.#report(id, index, digest, asks);
  }

  #report(to: NodeId, index: Index, digest: Hash64, asks: boolean): void {
    this.#send({ type: 'digestReport', from: this.#id, to, index, digest, asks });
  }
}
