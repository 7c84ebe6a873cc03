/** Who leads, as this node knows it, and what to tell those who asked the wrong node. */
import { RollcallError } from '../base/errors.ts';
import type { Index, Member, NodeId, SoftState } from '../raft/types.ts';

export class Leadership {
  #softState: SoftState = { role: 'follower', leaderId: null };
  /** Since when nobody leads; null while somebody does. */
  #leaderlessSinceMs: number | null;
  /** What was committed when this node learned of its leader. */
  #readyIndex = Number.POSITIVE_INFINITY;

  constructor(nowMs: number) {
    this.#leaderlessSinceMs = nowMs;
  }

  get leads(): boolean {
    return this.#softState.role === 'leader';
  }

  get leaderId(): NodeId | null {
    return this.#softState.leaderId;
  }

  /** This node knows of a leader, and has applied all that was committed when it learned of it. */
  isReady(applied: Index): boolean {
    return applied >= this.#readyIndex;
  }

  update(softState: SoftState, nowMs: number, commitIndex: Index): void {
    if (softState.leaderId === null) this.#readyIndex = Number.POSITIVE_INFINITY;
    else if (softState.leaderId !== this.leaderId) this.#readyIndex = commitIndex;
    this.#softState = softState;
    if (softState.leaderId !== null) this.#leaderlessSinceMs = null;
    else this.#leaderlessSinceMs ??= nowMs;
  }

  leaderlessMs(nowMs: number): number {
    return this.#leaderlessSinceMs === null ? 0 : nowMs - this.#leaderlessSinceMs;
  }

  /** The refusal of a request that only the leader can take. */
  refusal(members: readonly Member[]): RollcallError {
    const { leaderId } = this.#softState;
    const leader = members.find((member) => member.id === leaderId);
    if (leader === undefined) {
      return new RollcallError('noLeader', 'The cluster has no leader that this node knows of');
    }
    return new RollcallError('notLeader', `${leader.name} leads, at ${leader.clientAddress}`, {
      details: { leaderId: leader.id, leaderAddress: leader.clientAddress },
    });
  }
}
