import type { Results, WireApplicant, WireMember, WireMembership } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import type { Router } from './router.ts';
import { Snapshot, type SnapshotOptions } from './snapshot.ts';

export type ClusterMember = WireMember;
export type Applicant = WireApplicant;
export type Membership = WireMembership & { readonly revision: number };

type ChangeMethod = 'memberAdd' | 'memberReplace' | 'memberPromote' | 'memberRemove';

/**
 * The cluster itself: its members and its leader. Members are named by their name or their id (16
 * hexadecimal digits). Changes resolve once they are committed, with the members as they are then, and
 * reject with `membershipRefused` (its `details.reason` and message say why; nothing happened),
 * `memberNotFound`, or with `leadershipLost`, `timeout` or `connectionLost`, after which
 * `members` tells what became of it.
 */
export class ClusterControl {
  readonly #router: Router;

  /** @internal */
  constructor(router: Router) {
    this.#router = router;
  }

  /** All members as the leader sees them, and the nodes that ask to be taken in. */
  async members(options?: CallOptions): Promise<Membership> {
    return (await this.#call('memberList', {}, options)) as Membership;
  }

  /**
   * Takes in a node that was started to join under this name. It begins as a learner, which gets the
   * data but does not vote, and becomes a voter by itself once it has caught up, unless `autoPromote`
   * is false.
   */
  add(
    name: string,
    options: CallOptions & { readonly autoPromote?: boolean } = {},
  ): Promise<Membership> {
    return this.#change('memberAdd', { name, autoPromote: options.autoPromote ?? true }, options);
  }

  /** Takes in the node `by`; once it has caught up it becomes a voter and `member` leaves, in one step. */
  replace(member: string, by: string, options?: CallOptions): Promise<Membership> {
    return this.#change('memberReplace', { member, by }, options);
  }

  /** Makes a voter of a learner that has caught up. */
  promote(member: string, options?: CallOptions): Promise<Membership> {
    return this.#change('memberPromote', { member }, options);
  }

  /** Removes a member, which serves nothing from then on. A leader that is removed hands over first. */
  remove(member: string, options?: CallOptions): Promise<Membership> {
    return this.#change('memberRemove', { member }, options);
  }

  /**
   * Makes a voter the leader: `to`, which may lead already, or the most suitable other one. Rejects with `transferFailed` when
   * it did not take over within an election timeout: usually the old leader goes on then, but the other
   * one may still take over (`definite` is false).
   */
  async transferLeadership(
    to: string | null = null,
    options?: CallOptions,
  ): Promise<{ readonly leaderId: string; readonly leaderName: string }> {
    const body = await this.#call('transferLeadership', { to }, options);
    const { leaderId, leaderName } = body as Results['transferLeadership'];
    return { leaderId, leaderName };
  }

  /**
   * The whole state as the bytes of a backup file: what `rollcall snapshot save` stores, and `rollcall
   * snapshot verify` and `restore` read. Rejects with `tooManyRequests` while a node gives too many.
   *
   *     await pipeline(client.cluster.snapshot(), createWriteStream('backup'));
   */
  snapshot(options: SnapshotOptions = {}): Snapshot {
    return new Snapshot(this.#router, options);
  }

  async #change(
    method: ChangeMethod,
    parameters: object,
    options: CallOptions | undefined,
  ): Promise<Membership> {
    return (await this.#call(method, parameters, options)) as Membership;
  }

  async #call(
    method: ChangeMethod | 'memberList' | 'transferLeadership',
    parameters: object,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    const body = await this.#router.call({ method, parameters, anywhere: false }, options);
    this.#router.sawRevision((body as { readonly revision: number }).revision);
    return body;
  }
}
