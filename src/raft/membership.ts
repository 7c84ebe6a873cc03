/**
 * What a change makes of a configuration (Raft §6), as a pure function. Whatever alters who votes is
 * joint, be it one voter or all of them: there is only one way to change a quorum.
 *
 *     voters (a b c)   ── promote d, remove c ──▶   voters (a b d) outgoing (a b c)
 *     learners (d)                                        │ committed
 *                                                         ▼
 *                                                   voters (a b d)
 *
 * Learners and addresses decide nothing, so a change of these alone is one plain configuration.
 *
 * Invariants of every configuration that comes out: ids are unique, each voter and learner is a
 * member and each member is one of the two; nobody is voter and learner at once; some voter is left.
 */
import { isJoint } from './quorum.ts';
import type { Configuration, Member, MemberChange, NodeId, Refused } from './types.ts';

export type Refusal = Omit<Refused, 'id'>;

/**
 * The configuration that the changes lead to, all at once and in no order, so no id may be in two of
 * them; or why they do not.
 */
export function changed(
  configuration: Configuration,
  changes: readonly MemberChange[],
): Configuration | Refusal {
  if (isJoint(configuration)) return refuse('changePending');
  const plan = planOf(configuration, changes);
  if ('reason' in plan) return plan;
  const conflict = conflictIn(plan, changes);
  if (conflict !== null) return conflict;
  if (plan.voters.length === 0) return refuse('noVoters');
  if (!isSameList(plan.voters, configuration.voters)) return joined(configuration, plan);
  const { members, learners } = plan;
  const isSame =
    isSameList(learners, configuration.learners) &&
    members.length === configuration.members.length &&
    members.every((member, at) => isSameMember(member, configuration.members[at]));
  return isSame ? refuse('noChange') : { ...configuration, members, learners };
}

/** The configuration that a joint one ends in, once it is committed. */
export function left(configuration: Configuration): Configuration {
  const { voters } = configuration;
  const learners = [...configuration.learners, ...configuration.learnersNext];
  const remaining = new Set([...voters, ...learners]);
  return {
    members: configuration.members.filter(({ id }) => remaining.has(id)),
    voters,
    votersOutgoing: [],
    learners,
    learnersNext: [],
  };
}

/**
 * Who leaves keeps a vote until the joint phase is over, and so stays a member. Who becomes a learner
 * does so only then, as nobody learns and votes at once.
 */
function joined(configuration: Configuration, plan: Plan): Configuration {
  const { voters: votersOutgoing } = configuration;
  const staying = new Set(plan.members.map(({ id }) => id));
  const leaving = configuration.members.filter(
    ({ id }) => !staying.has(id) && votersOutgoing.includes(id),
  );
  const isOutgoing = (id: NodeId): boolean => votersOutgoing.includes(id);
  return {
    members: [...plan.members, ...leaving],
    voters: plan.voters,
    votersOutgoing,
    learners: plan.learners.filter((id) => !isOutgoing(id)),
    learnersNext: plan.learners.filter(isOutgoing),
  };
}

/** Who will be there in the end. */
interface Plan {
  readonly members: readonly Member[];
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
}

function planOf(configuration: Configuration, changes: readonly MemberChange[]): Plan | Refusal {
  const before = new Map(configuration.members.map((member) => [member.id, member]));
  const after = new Map(before);
  const named = new Set<NodeId>();
  const removed = new Set<NodeId>();
  const promoted = new Set<NodeId>();
  const demoted = new Set<NodeId>();
  for (const change of changes) {
    const id = idOf(change);
    if (named.has(id)) return refuse('duplicateId', id);
    named.add(id);
    const obstacle = obstacleTo(change, configuration, before);
    if (obstacle !== null) return obstacle;
    switch (change.type) {
      case 'add':
      case 'update':
        after.set(id, change.member);
        break;
      case 'promote': {
        const { replaces, ...member } = before.get(id) as Member;
        after.set(id, { ...member, replaces: null, autoPromote: false });
        promoted.add(id);
        if (replaces !== null) removed.add(replaces);
        break;
      }
      case 'demote':
        demoted.add(id);
        break;
      case 'remove':
        removed.add(id);
        break;
    }
  }
  const added = changes.filter(({ type }) => type === 'add').map(idOf);
  const { voters, learners } = configuration;
  const stays = (id: NodeId): boolean => !removed.has(id);
  return {
    members: [...after.values()]
      .filter(({ id }) => stays(id))
      .map((member) =>
        member.replaces === null || stays(member.replaces) ? member : { ...member, replaces: null },
      ),
    voters: [...voters.filter((id) => !demoted.has(id)), ...promoted].filter(stays),
    learners: [...learners.filter((id) => !promoted.has(id)), ...added, ...demoted].filter(stays),
  };
}

function idOf(change: MemberChange): NodeId {
  return 'member' in change ? change.member.id : change.id;
}

function obstacleTo(
  change: MemberChange,
  { voters, learners }: Configuration,
  before: ReadonlyMap<NodeId, Member>,
): Refusal | null {
  const id = idOf(change);
  if (change.type === 'add' && before.has(id)) return refuse('duplicateId', id);
  if (change.type !== 'add' && !before.has(id)) return refuse('unknownMember', id);
  switch (change.type) {
    case 'promote':
      return learners.includes(id) ? null : refuse('wrongRole', id);
    case 'demote':
      return voters.includes(id) ? null : refuse('wrongRole', id);
    case 'remove':
      return null;
    case 'add':
    case 'update':
      return obstacleToIntent(change.member, voters, before);
  }
}

/** Only a learner can be there in order to become something else. */
function obstacleToIntent(
  { id, replaces, autoPromote }: Member,
  voters: readonly NodeId[],
  before: ReadonlyMap<NodeId, Member>,
): Refusal | null {
  const hasIntent = replaces !== null || autoPromote;
  if (hasIntent && voters.includes(id)) return refuse('wrongRole', id);
  if (replaces !== null && (replaces === id || !before.has(replaces))) {
    return refuse('unknownMember', replaces);
  }
  return null;
}

/** Two members that both stay share a name or an address only if one is there to replace the other. */
function conflictIn({ members }: Plan, changes: readonly MemberChange[]): Refusal | null {
  const isNew = new Set(changes.filter((change) => 'member' in change).map(idOf));
  for (const member of members.filter(({ id }) => isNew.has(id))) {
    const others = members.filter(
      (other) =>
        other.id !== member.id && other.id !== member.replaces && other.replaces !== member.id,
    );
    if (others.some(({ name }) => name === member.name)) return refuse('duplicateName', member.id);
    const hasSameAddress = others.some(
      ({ peerAddress, clientAddress }) =>
        peerAddress === member.peerAddress || clientAddress === member.clientAddress,
    );
    if (hasSameAddress) return refuse('duplicateAddress', member.id);
  }
  return null;
}

function isSameList(left: readonly NodeId[], right: readonly NodeId[]): boolean {
  return left.length === right.length && left.every((id, at) => id === right[at]);
}

function isSameMember(left: Member, right: Member | undefined): boolean {
  return (
    left.id === right?.id &&
    left.name === right.name &&
    left.peerAddress === right.peerAddress &&
    left.clientAddress === right.clientAddress &&
    left.featureLevel === right.featureLevel &&
    left.replaces === right.replaces &&
    left.autoPromote === right.autoPromote
  );
}

function refuse(reason: Refusal['reason'], member: NodeId | null = null): Refusal {
  return { reason, member };
}
