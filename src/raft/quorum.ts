/**
 * Quorum arithmetic over simple and joint configurations (Raft §6). Everything here is a pure
 * function of a configuration and of one number or vote per voter. A joint configuration decides
 * only what both of its majorities decide, so its answer is the more cautious of the two.
 */
import type { Configuration, NodeId } from './types.ts';

export type VoteResult = 'won' | 'lost' | 'pending';

/** The highest value that a quorum has reached: a commit index, or the number of a read round. */
export function quorumIndex(configuration: Configuration, reached: (id: NodeId) => number): number {
  const incoming = majorityIndex(configuration.voters, reached);
  if (!isJoint(configuration)) return incoming;
  return Math.min(incoming, majorityIndex(configuration.votersOutgoing, reached));
}

/** What an election has come to; `undefined` stands for a voter that has not answered. */
export function voteResult(
  configuration: Configuration,
  voteOf: (id: NodeId) => boolean | undefined,
): VoteResult {
  const incoming = majorityResult(configuration.voters, voteOf);
  if (!isJoint(configuration)) return incoming;
  const outgoing = majorityResult(configuration.votersOutgoing, voteOf);
  if (incoming === outgoing) return incoming;
  // One side alone can lose an election, but not win it.
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}

/** Do two sets of voters decide together, on the way from one to the other? */
export function isJoint(configuration: Configuration): boolean {
  return configuration.votersOutgoing.length > 0;
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

/** Every id that decides, each once. */
export function votersOf(configuration: Configuration): readonly NodeId[] {
  if (!isJoint(configuration)) return configuration.voters;
  return [...new Set([...configuration.voters, ...configuration.votersOutgoing])];
}

/** Every id that gets the log, each once: the voters and those who only learn. */
export function replicasOf(configuration: Configuration): readonly NodeId[] {
  return [...new Set([...votersOf(configuration), ...configuration.learners])];
}

function majorityIndex(voters: readonly NodeId[], reached: (id: NodeId) => number): number {
  // Nobody decides for an empty set.
  if (voters.length === 0) return 0;
  const ascending = voters.map(reached).sort((left, right) => left - right);
  // As many voters stand at or above this position as make a majority.
  return ascending[voters.length - majorityOf(voters)] as number;
}

function majorityResult(
  voters: readonly NodeId[],
  voteOf: (id: NodeId) => boolean | undefined,
): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const majority = majorityOf(voters);
  if (granted >= majority) return 'won';
  return voters.length - refused < majority ? 'lost' : 'pending';
}

function majorityOf(voters: readonly NodeId[]): number {
  return Math.floor(voters.length / 2) + 1;
}
