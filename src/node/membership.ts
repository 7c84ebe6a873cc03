/**
 * Who belongs to the cluster, as the leader sees it: nodes that ask to be taken in, what operators
 * want, and what the leader changes by itself:
 *
 * - A learner that is to vote is promoted once it has caught up.
 * - A node that asks under the name of a member that is silent has lost its directory: it is taken in
 *   as a learner that replaces that member. While the old member answers, nothing is replaced.
 * - A member whose addresses or features changed is updated.
 *
 * Nobody is taken in, or kept as what it says of itself, who knows less than the cluster's feature level.
 */
import { RollcallError } from '../base/errors.ts';
import type { Configuration, Member, MemberChange, NodeId, Status, Term } from '../raft/types.ts';
import type {
  Applicant,
  MemberReport,
  MembershipReport,
  MembershipRequest,
  Standing,
} from './types.ts';

type OperatorRequest = Exclude<MembershipRequest, { type: 'transferLeadership' }>;

export interface MembershipOptions {
  /** An applicant that was silent for so long is gone. */
  readonly applicantMs: number;
  /** A change that was refused is not made again before so long. */
  readonly retryMs: number;
  /** So long a new leader listens before it takes a member for silent. */
  readonly listenMs: number;
  /** The cluster's feature level: whoever knows less is not taken in by a leader. */
  readonly levelAllowed: () => number;
}

/** So near to the end of the log a learner has caught up. */
const caughtUpEntries = 1000;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #applicants = new Map<
    NodeId,
    { readonly applicant: Applicant; readonly atMs: number }
  >();
  /** Since this process began. Ids never come back: who was removed meanwhile may seem to ask still. */
  readonly #admitted = new Set<NodeId>();
  /** What members last said of themselves, this node included. */
  readonly #greeted = new Map<NodeId, Applicant>();
  /** Whom changes that were refused were about, and until when they wait. */
  readonly #refused = new Map<NodeId, number>();
  /** Since when this node leads, and in which term. */
  #led: { readonly term: Term; readonly sinceMs: number } | null = null;
  /** Of the configuration that was looked at last; null before the first one. */
  #members: ReadonlySet<NodeId> | null = null;

  constructor(options: MembershipOptions) {
    this.#options = options;
  }

  knock(applicant: Applicant, nowMs: number): void {
    if (this.#admitted.has(applicant.id)) return;
    // In the order in which they were heard: of two with one name the first has perhaps become the second.
    this.#applicants.delete(applicant.id);
    this.#applicants.set(applicant.id, { applicant, atMs: nowMs });
  }

  /** A committed configuration has these members. */
  admitted({ members }: Configuration): void {
    for (const { id } of members) {
      this.#admitted.add(id);
      this.#applicants.delete(id);
    }
  }

  /** Other configurations before this one were passed over: who still asks will ask again. */
  restored(configuration: Configuration): void {
    this.#applicants.clear();
    this.admitted(configuration);
  }

  greeted(member: Applicant): void {
    this.#greeted.set(member.id, member);
  }

  /** A change that the leader made by itself was refused: its cause may pass. Others go on meanwhile. */
  refused(changes: readonly MemberChange[], nowMs: number): void {
    const last = changes.at(-1);
    if (last !== undefined) this.#refused.set(subjectOf(last), nowMs + this.#options.retryMs);
  }

  /** What the leader changes by itself now; null when there is nothing. */
  next(status: Status, nowMs: number): readonly MemberChange[] | null {
    this.#forgetPredecessors(status);
    this.#forget(status, nowMs);
    this.#led = ledSince(this.#led, status, nowMs);
    if (this.#led === null) return null;
    // One change at a time.
    if (status.configuration.votersOutgoing.length > 0) return null;
    const hasListened = nowMs - this.#led.sinceMs >= this.#options.listenMs;
    return (
      this.#promotion(status) ??
      (hasListened ? this.#replacement(status) : null) ??
      this.#update(status)
    );
  }

  /** The changes that an operator asks for. */
  changesOf(request: OperatorRequest, status: Status): readonly MemberChange[] | RollcallError {
    switch (request.type) {
      case 'memberAdd':
        return this.#admission(request.name, null, request.autoPromote, status);
      case 'memberReplace': {
        const replaced = memberOf(request.member, status);
        if (replaced instanceof RollcallError) return replaced;
        return this.#admission(request.by, replaced.id, true, status);
      }
      case 'memberPromote':
      case 'memberRemove': {
        const member = memberOf(request.member, status);
        if (member instanceof RollcallError) return member;
        return [{ type: request.type === 'memberRemove' ? 'remove' : 'promote', id: member.id }];
      }
    }
  }

  report(status: Status): MembershipReport {
    const { members } = status.configuration;
    const applicants = Array.from(this.#applicants.values(), ({ applicant }) => applicant);
    return {
      members: members.map((member) => reportOf(member, status)),
      applicants: applicants.filter(({ id }) => members.every((member) => member.id !== id)),
      lastIndex: status.lastIndex,
    };
  }

  #forget({ id: ownId, configuration }: Status, nowMs: number): void {
    const ids = new Set(configuration.members.map(({ id }) => id));
    for (const [id, { atMs }] of this.#applicants) {
      if (ids.has(id) || nowMs - atMs > this.#options.applicantMs) this.#applicants.delete(id);
    }
    for (const [id, untilMs] of this.#refused) if (nowMs >= untilMs) this.#refused.delete(id);
    for (const id of this.#greeted.keys()) {
      // Told once: it counts also after a log without it, as that of one who has just been taken in.
      if (!ids.has(id) && id !== ownId) this.#greeted.delete(id);
    }
  }

  /**
   * Who asked under a name before somebody of that name was taken in may be one that this newcomer was
   * before, and gone: it would take the place of the newcomer, and nobody would be there. Who is still
   * there asks again.
   */
  #forgetPredecessors({ configuration: { members } }: Status): void {
    const before = this.#members;
    this.#members = new Set(members.map(({ id }) => id));
    if (before === null) return;
    const newcomers = members.filter(({ id }) => !before.has(id));
    for (const [id, { applicant }] of this.#applicants) {
      if (newcomers.some(({ name }) => name === applicant.name)) this.#applicants.delete(id);
    }
  }

  #lastNamed(name: string): Applicant | undefined {
    const applicants = Array.from(this.#applicants.values(), ({ applicant }) => applicant);
    return applicants.findLast((applicant) => applicant.name === name);
  }

  #promotion({ configuration, progress, lastIndex }: Status): MemberChange[] | null {
    const due = configuration.members.find(({ id, autoPromote }) => {
      if (!autoPromote || !configuration.learners.includes(id)) return false;
      if (this.#refused.has(id)) return false;
      const known = progress.find((one) => one.id === id);
      if (known === undefined || known.state !== 'replicate') return false;
      return known.isRecentlyActive && lastIndex - known.matchIndex <= caughtUpEntries;
    });
    return due === undefined ? null : [{ type: 'promote', id: due.id }];
  }

  #replacement(status: Status): MemberChange[] | null {
    for (const { applicant } of this.#applicants.values()) {
      if (applicant !== this.#lastNamed(applicant.name)) continue;
      if (this.#refused.has(applicant.id)) continue;
      const namesakes = status.configuration.members.filter(({ name }) => name === applicant.name);
      if (namesakes.length === 0 || namesakes.some(({ id }) => isHeard(id, status))) continue;
      if (!this.#knowsEnough(applicant)) continue;
      return replace(namesakes, applicant, status);
    }
    return null;
  }

  #update({ configuration }: Status): MemberChange[] | null {
    for (const member of configuration.members) {
      const said = this.#greeted.get(member.id);
      if (said === undefined || isSame(member, said) || !this.#knowsEnough(said)) continue;
      if (this.#refused.has(member.id)) continue;
      return [{ type: 'update', member: { ...member, ...said } }];
    }
    return null;
  }

  #admission(
    name: string,
    replaces: NodeId | null,
    autoPromote: boolean,
    status: Status,
  ): readonly MemberChange[] | RollcallError {
    const found = this.#lastNamed(name);
    if (found !== undefined && !this.#knowsEnough(found)) {
      const message =
        `"${name}" knows feature level ${found.featureLevel} at most and the cluster is at ` +
        `${this.#options.levelAllowed()}: start a newer version of Rollcall there`;
      return new RollcallError('membershipRefused', message);
    }
    if (found !== undefined) {
      return [{ type: 'add', member: { ...found, replaces, autoPromote } }];
    }
    const isMember = status.configuration.members.some((member) => member.name === name);
    return new RollcallError(
      isMember ? 'membershipRefused' : 'memberNotFound',
      isMember
        ? `"${name}" is a member already`
        : `No node called "${name}" asks to join: start it with ` +
            `\`rollcall server --name ${name} --join PEER_ADDRESS …\` first`,
    );
  }

  #knowsEnough({ featureLevel }: Pick<Member, 'featureLevel'>): boolean {
    return featureLevel >= this.#options.levelAllowed();
  }
}

function ledSince(
  before: { readonly term: Term; readonly sinceMs: number } | null,
  { role, currentTerm: term }: Status,
  nowMs: number,
): { readonly term: Term; readonly sinceMs: number } | null {
  if (role !== 'leader') return null;
  return before?.term === term ? before : { term, sinceMs: nowMs };
}

/** Whom the leader means by a change that it makes by itself. */
function subjectOf(change: MemberChange): NodeId {
  return 'member' in change ? change.member.id : change.id;
}

/** By name or id. Of two with one name, of which one replaces the other, the voter is meant. */
function memberOf(nameOrId: string, { configuration }: Status): Member | RollcallError {
  const { members, voters } = configuration;
  const named = members.filter(({ id, name }) => id === nameOrId || name === nameOrId);
  const found = named.find(({ id }) => voters.includes(id)) ?? named[0];
  return found ?? new RollcallError('memberNotFound', `The cluster has no member "${nameOrId}"`);
}

/** The newcomer takes the voter's place; learners of the name, who never got that far, go at once. */
function replace(
  namesakes: readonly Member[],
  applicant: Applicant,
  { configuration }: Status,
): MemberChange[] {
  const voter = namesakes.find(({ id }) => configuration.voters.includes(id));
  const learners = namesakes.filter((member) => member !== voter);
  const autoPromote = voter !== undefined || learners.some((learner) => learner.autoPromote);
  const replaces = voter?.id ?? learners.find((learner) => learner.replaces !== null)?.replaces;
  return [
    ...learners.map(({ id }): MemberChange => ({ type: 'remove', id })),
    { type: 'add', member: { ...applicant, replaces: replaces ?? null, autoPromote } },
  ];
}

function isHeard(id: NodeId, status: Status): boolean {
  if (id === status.id) return true;
  return status.progress.find((one) => one.id === id)?.isRecentlyActive === true;
}

function isSame(member: Member, said: Applicant): boolean {
  return (
    member.name === said.name &&
    member.peerAddress === said.peerAddress &&
    member.clientAddress === said.clientAddress &&
    member.featureLevel === said.featureLevel
  );
}

function reportOf(member: Member, status: Status): MemberReport {
  const { id, name, peerAddress, clientAddress, featureLevel, autoPromote, replaces } = member;
  const progress = status.progress.find((one) => one.id === id);
  return {
    ...{ id, name, peerAddress, clientAddress, featureLevel, autoPromote, replaces },
    standing: standingOf(id, status),
    leads: id === status.leaderId,
    matchIndex: id === status.id ? status.lastIndex : (progress?.matchIndex ?? null),
    isReachable: status.role === 'leader' || id === status.id ? isHeard(id, status) : null,
  };
}

/** Null for an id that is not in the configuration. */
export function standingOf(id: NodeId, { configuration }: Pick<Status, 'configuration'>): Standing {
  const { voters, votersOutgoing } = configuration;
  if (!voters.includes(id)) return votersOutgoing.includes(id) ? 'leaving' : 'learner';
  return votersOutgoing.length === 0 || votersOutgoing.includes(id) ? 'voter' : 'joining';
}
