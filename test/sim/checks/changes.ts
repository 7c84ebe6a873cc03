/** Which rare paths a change of the configuration has taken. */
import type { Configuration, NodeId, Term } from '../../../src/raft/types.ts';
import type { ProbeName } from '../probes.ts';

/** A committed configuration, and the term of the entry that brought it. */
export interface Dated {
  readonly configuration: Configuration;
  readonly term: Term;
}

/** `leader` is the one that has committed the second one. */
export function probesOf(before: Dated, after: Dated, leader: NodeId | null): readonly ProbeName[] {
  const { members, voters, votersOutgoing } = after.configuration;
  const wasJoint = before.configuration.votersOutgoing.length > 0;
  const promoted = voters.filter((id) => before.configuration.learners.includes(id));
  const replaces = promoted.map(
    (id) => before.configuration.members.find((member) => member.id === id)?.replaces ?? null,
  );
  const isLeaderGone = leader !== null && members.every(({ id }) => id !== leader);
  const found: readonly (readonly [ProbeName, boolean])[] = [
    ['configurationChanged', true],
    ['learnerPromoted', promoted.length > 0],
    ['learnerReplaced', replaces.some((id) => id !== null)],
    ['jointLeftByNewLeader', wasJoint && before.term !== after.term],
    ['leaderRemovedItself', isLeaderGone],
    ['singleVoter', votersOutgoing.length === 0 && voters.length === 1],
    ['manyVoters', votersOutgoing.length === 0 && voters.length >= 6],
  ];
  return found.filter(([, holds]) => holds).map(([probe]) => probe);
}
