/**
 * The configurations of a run: the committed ones, and what must hold of each next one (Raft §6). It
 * shares no code with the core: what a change may make of a configuration is said here once more.
 */
import type {
  Configuration,
  EntryId,
  Index,
  Member,
  NodeId,
  Term,
} from '../../../src/raft/types.ts';

/** A configuration and the entry that brought it; what the cluster was born with stands at 0. */
export interface Placed {
  readonly index: Index;
  readonly configuration: Configuration;
}

/** A configuration entry as it entered a log, and the one that was in force in that log before. */
export interface Step {
  readonly entry: EntryId;
  readonly configuration: Configuration;
  readonly before: Placed;
}

export class Configurations {
  readonly #committed: Placed[];
  /** The first committed configuration of each id's absence after it was a member; ids never come back. */
  readonly #gone = new Map<NodeId, Index>();

  constructor(birth: Configuration) {
    this.#committed = [{ index: 0, configuration: birth }];
  }

  /** The newest committed one. */
  get newest(): Placed {
    return this.#committed[this.#committed.length - 1] as Placed;
  }

  /** How many changes were committed. */
  get changes(): number {
    return this.#committed.length - 1;
  }

  /** What was in force after so many changes, and all that came later. */
  since(changes: number): readonly Configuration[] {
    return this.#committed.slice(changes).map(({ configuration }) => configuration);
  }

  /** The one that the committed entries up to `index` end with. */
  at(index: Index): Configuration {
    const placed = this.#committed.findLast((one) => one.index <= index) as Placed;
    return placed.configuration;
  }

  isGone(id: NodeId): boolean {
    return this.#gone.has(id);
  }

  /** Returns what is wrong with it, or null. */
  commit(placed: Placed): string | null {
    const before = this.newest.configuration;
    const ids = new Set(placed.configuration.members.map(({ id }) => id));
    for (const { id } of before.members) if (!ids.has(id)) this.#gone.set(id, placed.index);
    this.#committed.push(placed);
    const back = [...ids].find((id) => this.#gone.has(id));
    return back === undefined ? null : `${back} comes back at ${placed.index}`;
  }

  /**
   * What is wrong with an entry in the log of the leader that made it, or null. `commitIndex` is what that
   * leader knew to be committed, and `committedTerm` the term of the last such entry before this one.
   */
  check(
    { entry, configuration, before }: Step,
    commitIndex: Index,
    committedTerm: Term,
  ): string | null {
    if (before.index > commitIndex) {
      return `changes the configuration at ${entry.index} while ${before.index} is not committed`;
    }
    if (committedTerm !== entry.term) {
      return `changes the configuration at ${entry.index} before an entry of term ${entry.term} is committed`;
    }
    const wrong = flawOf(configuration) ?? flawOfStep(before.configuration, configuration);
    return wrong === null ? null : `the configuration at ${entry.index}: ${wrong}`;
  }
}

/** Do these ids decide by this configuration? */
export function isQuorum(
  { voters, votersOutgoing }: Configuration,
  has: (id: NodeId) => boolean,
): boolean {
  return (
    isMajority(voters, has) && (votersOutgoing.length === 0 || isMajority(votersOutgoing, has))
  );
}

/** What a joint configuration ends in; any other one stays as it is. */
export function settled(configuration: Configuration): Configuration {
  const { voters, members } = configuration;
  const learners = [...configuration.learners, ...configuration.learnersNext];
  const ids = new Set([...voters, ...learners]);
  return {
    members: members.filter(({ id }) => ids.has(id)),
    ...{ voters, learners, votersOutgoing: [], learnersNext: [] },
  };
}

/** In whatever order they are listed. */
export function isSameConfiguration(left: Configuration, right: Configuration): boolean {
  const sets = ['voters', 'votersOutgoing', 'learners', 'learnersNext'] as const;
  if (!sets.every((set) => isSameSet(left[set], right[set]))) return false;
  const order = ({ members }: Configuration): readonly Member[] =>
    [...members].sort((one, other) => (one.id < other.id ? -1 : 1));
  return textOfMembers(order(left)) === textOfMembers(order(right));
}

/** The same for equal ones, however they came about. */
export function textOf(configuration: Configuration): string {
  const { members, voters, votersOutgoing, learners, learnersNext } = configuration;
  return JSON.stringify([textOfMembers(members), voters, votersOutgoing, learners, learnersNext]);
}

function textOfMembers(members: readonly Member[]): string {
  const described = members.map((member) => [
    ...[member.id, member.name, member.peerAddress, member.clientAddress],
    ...[member.featureLevel, member.replaces, member.autoPromote],
  ]);
  return JSON.stringify(described);
}

function isMajority(ids: readonly NodeId[], has: (id: NodeId) => boolean): boolean {
  return ids.filter(has).length * 2 > ids.length;
}

function isSameSet(left: readonly NodeId[], right: readonly NodeId[]): boolean {
  return left.length === right.length && left.every((id) => right.includes(id));
}

function flawOf(configuration: Configuration): string | null {
  const { members, voters, votersOutgoing, learners, learnersNext } = configuration;
  const deciding = new Set([...voters, ...votersOutgoing]);
  const known = new Set([...deciding, ...learners]);
  if (voters.length === 0) return 'nobody votes';
  for (const list of [voters, votersOutgoing, learners, members.map(({ id }) => id)]) {
    if (new Set(list).size < list.length) return 'an id is listed twice';
  }
  if (learners.some((id) => deciding.has(id))) return 'a learner votes';
  if (learnersNext.some((id) => !votersOutgoing.includes(id) || voters.includes(id))) {
    return 'who learns next is not leaving the voters';
  }
  if (
    !isSameSet(
      [...known],
      members.map(({ id }) => id),
    )
  )
    return 'members are not who takes part';
  const intents = members.filter((one) => one.replaces !== null || one.autoPromote);
  if (intents.some(({ id }) => !learners.includes(id)))
    return 'a voter has the intent of a learner';
  return null;
}

function flawOfStep(before: Configuration, after: Configuration): string | null {
  const isJoint = after.votersOutgoing.length > 0;
  if (before.votersOutgoing.length > 0) {
    return isSameConfiguration(after, settled(before)) ? null : 'a joint phase ends in another one';
  }
  if (!isJoint)
    return isSameSet(before.voters, after.voters) ? null : 'voters change without a joint phase';
  return isSameSet(after.votersOutgoing, before.voters)
    ? null
    : 'the old voters are others than before';
}
