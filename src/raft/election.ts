/**
 * Campaigns and votes (Raft §5.2, §5.4.1), each campaign in two steps. A pre-vote (thesis §9.6) asks
 * whether an election could be won and changes nothing anywhere, so a member that was cut off comes
 * back without a higher term. Only then does the member enter the next term and ask for real votes,
 * once its own vote is on its disk: a candidate that crashed and forgot it could otherwise vote for
 * another in that term, or count the votes it was given for a longer log than it has left.
 */
import type { Core } from './core.ts';
import { isVoter, voteResult, votersOf } from './quorum.ts';
import type { Message, RequestVote, RequestVoteResponse } from './types.ts';

/** A tick of a member that does not lead. */
export function tickElection(core: Core): void {
  // A candidate whose own vote is not on its disk yet has not begun: a slow disk must not turn one
  // election into a row of them.
  if (core.role === 'candidate' && core.votes.size === 0) return;
  core.timer.tick();
  if (!core.timer.isExpired) return;
  if (core.isEligible && isVoter(core.log.configuration, core.id)) campaign(core);
}

function campaign(core: Core): void {
  core.becomePreCandidate();
  core.votes.set(core.id, true);
  requestVotes(core, true);
  concludeElection(core);
}

/** The candidate's own vote is durable: it counts, and the others may be asked. */
export function beginElection(core: Core): void {
  core.votes.set(core.id, true);
  requestVotes(core, false);
  concludeElection(core);
}

function requestVotes(core: Core, preVote: boolean): void {
  for (const voter of votersOf(core.log.configuration)) {
    if (voter === core.id) continue;
    core.outbox.send({
      type: 'requestVote',
      from: core.id,
      to: voter,
      // A pre-vote asks about the term that the candidate would enter.
      term: preVote ? core.currentTerm + 1 : core.currentTerm,
      preVote,
      last: core.log.last,
    });
  }
}

export function onRequestVote(core: Core, message: RequestVote): void {
  const mayVote = message.preVote ? mayPreVote(core, message) : mayGrant(core, message);
  if (!mayVote || !core.log.isCoveredBy(message.last)) {
    core.outbox.send(refusal(core, message));
  } else if (message.preVote) {
    // A grant speaks of the term asked about; it binds nobody, so nothing has to reach the disk.
    core.outbox.send({ ...refusal(core, message), term: message.term, voteGranted: true });
  } else {
    core.becomeSupporterOf(message.from);
    core.promises.oweVote();
  }
}

function mayGrant(core: Core, message: RequestVote): boolean {
  if (core.votedFor === message.from) return true;
  return core.votedFor === null && core.leaderId === null;
}

function mayPreVote(core: Core, message: RequestVote): boolean {
  return message.term > core.currentTerm || mayGrant(core, message);
}

/** Refuses with this member's own term, so that an outdated candidate learns of it. */
export function refusal(core: Core, message: RequestVote): RequestVoteResponse {
  return {
    type: 'requestVoteResponse',
    from: core.id,
    to: message.from,
    term: core.currentTerm,
    preVote: message.preVote,
    voteGranted: false,
  };
}

export function onRequestVoteResponse(core: Core, message: RequestVoteResponse): void {
  if (core.role !== (message.preVote ? 'preCandidate' : 'candidate')) return;
  // A grant of an earlier pre-vote may be about a term that has come and gone.
  if (message.preVote && message.voteGranted && message.term !== core.currentTerm + 1) return;
  // The first answer counts; a repeated one changes nothing.
  if (!core.votes.has(message.from)) core.votes.set(message.from, message.voteGranted);
  concludeElection(core);
}

function concludeElection(core: Core): void {
  const result = voteResult(core.log.configuration, (id) => core.votes.get(id));
  if (result === 'lost') {
    core.becomeFollower(core.currentTerm, null);
  } else if (result === 'won') {
    if (core.role === 'preCandidate') core.becomeCandidate();
    else core.becomeLeader();
  }
}

/** Does a live leader make this member deaf to campaigns (Raft §6, thesis §4.2.3)? */
export function isSticky(core: Core, message: Message): boolean {
  if (message.type !== 'requestVote' || core.leaderId === null) return false;
  return core.role === 'leader' || !core.timer.isShortestExpired;
}
