/**
 * Campaigns and votes (Raft §5.2, §5.4.1), each campaign in two steps. A pre-vote (thesis §9.6) asks
 * whether an election could be won and changes nothing anywhere, so a member that was cut off comes
 * back without a higher term. Only then does the member enter the next term and ask for real votes,
 * once its own vote is on its disk: a candidate that crashed and forgot it could otherwise vote for
 * another in that term, or count the votes it was given for a longer log than it has left.
 *
 * Two ways are shorter. A member that the leader hands over to campaigns without a pre-vote, and the
 * voters' loyalty to that leader does not stand in its way (thesis §3.10). And a member that knows the
 * leader's process to be gone is not loyal to it any more, and asks for an early pre-vote; who does
 * not know yet says so, and is asked again.
 */
import type { Core } from './core.ts';
import { heed } from './follower.ts';
import { isVoter, voteResult, votersOf } from './quorum.ts';
import type { NodeId, RequestVote, RequestVoteResponse, TimeoutNow } from './types.ts';

/** A tick of a member that does not lead. */
export function tickElection(core: Core): void {
  // A candidate whose own vote is not on its disk yet has not begun: a slow disk must not turn one
  // election into a row of them.
  if (core.role === 'candidate' && core.votes.size === 0) return;
  core.timer.tick();
  const isEarly = core.earlyCampaign.tick();
  if (!isEarly && !core.timer.isExpired) return;
  if (mayCampaign(core)) campaign(core, isEarly ? 'leaderGone' : 'timeout');
  // Who may not campaign forgets a leader that is silent all the same.
  else if (core.leaderId !== null) core.becomeFollower(core.currentTerm, null);
}

/**
 * A learner does not campaign, nor who is not in its own configuration. But as long as the change that
 * takes its vote is not known to be committed, it may be the only one with a log that the others'
 * votes can elect, so it still does; its own vote does not count then (thesis §4.2.2).
 */
function mayCampaign({ isEligible, log, commitIndex, id }: Core): boolean {
  if (!isEligible) return false;
  return isVoter(log.configuration, id) || isVoter(log.configurationAt(commitIndex), id);
}

function campaign(core: Core, cause: 'timeout' | 'leaderGone'): void {
  core.becomePreCandidate(cause);
  core.votes.set(core.id, true);
  requestVotes(core, true);
  concludeElection(core);
}

/** The leader hands over: no pre-vote has to find out whether the others would let it go. */
export function onTimeoutNow(core: Core, message: TimeoutNow): void {
  heed(core, message.from);
  if (mayCampaign(core)) core.becomeCandidate('transfer');
}

/** The leader's process is gone, unless it gives a sign of life after all. */
export function onLeaderGone(core: Core, leader: NodeId): void {
  if (core.role !== 'follower' || core.leaderId !== leader) return;
  core.becomeFollower(core.currentTerm, null);
  core.earlyCampaign.schedule();
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
      isTransfer: core.campaignCause === 'transfer',
      isEarly: preVote && core.campaignCause === 'leaderGone',
      last: core.log.last,
    });
  }
}

export function onRequestVote(core: Core, message: RequestVote): void {
  const mayVote = message.preVote ? mayPreVote(core, message) : mayGrant(core, message);
  if (!mayVote || !core.log.isCoveredBy(message.last)) {
    core.outbox.send(refusal(core, message));
  } else if (message.preVote) {
    if (message.isEarly) standBack(core);
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
  if (goesFirst(core, message)) return false;
  return message.term > core.currentTerm || mayGrant(core, message);
}

/**
 * Of two who noticed at once that the leader is gone, and whose logs are equal, the higher id goes
 * first: if each gave the other its pre-vote, both would have to wait for a timeout after all.
 */
function goesFirst(core: Core, message: RequestVote): boolean {
  if (!message.isEarly || core.role !== 'preCandidate') return false;
  return (
    core.campaignCause === 'leaderGone' &&
    core.log.matches(message.last) &&
    core.log.lastIndex === message.last.index &&
    core.id > message.from
  );
}

/** Leaves the election to the one that asked first, until it has surely had its time. */
function standBack(core: Core): void {
  if (core.role !== 'candidate') core.becomeFollower(core.currentTerm, core.leaderId);
  core.earlyCampaign.rest(core.options.electionTicks);
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
    isSticky: false,
  };
}

/**
 * Says to a member that knows the leader to be gone that this one has heard of it lately. Others whom
 * a live leader makes this member deaf to get no answer: they have no better knowledge.
 */
export function refuseEarly(core: Core, message: RequestVote): void {
  if (!message.isEarly) return;
  core.outbox.send({ ...refusal(core, message), isSticky: core.log.isCoveredBy(message.last) });
}

export function onRequestVoteResponse(core: Core, message: RequestVoteResponse): void {
  if (core.role !== (message.preVote ? 'preCandidate' : 'candidate')) return;
  // A grant of an earlier pre-vote may be about a term that has come and gone.
  if (message.preVote && message.voteGranted && message.term !== core.currentTerm + 1) return;
  // This voter will soon know better, or the leader lives.
  if (message.isSticky) {
    core.earlyCampaign.schedule();
    return;
  }
  // The first answer counts; a repeated one changes nothing.
  if (!core.votes.has(message.from)) core.votes.set(message.from, message.voteGranted);
  concludeElection(core);
}

function concludeElection(core: Core): void {
  const result = voteResult(core.log.configuration, (id) => core.votes.get(id));
  if (result === 'lost') {
    core.becomeFollower(core.currentTerm, null);
  } else if (result === 'won') {
    if (core.role === 'preCandidate') core.becomeCandidate(core.campaignCause);
    else core.becomeLeader();
  }
}

/**
 * Does a live leader make this member deaf to the campaign (Raft §6, thesis §4.2.3)? Not to one that
 * the leader itself has asked for.
 */
export function isSticky(core: Core, message: RequestVote): boolean {
  if (message.isTransfer || core.leaderId === null) return false;
  return core.role === 'leader' || !core.timer.isShortestExpired;
}
