/**
 * Where every message enters and terms are compared, once. Past the door a message is of the current
 * term; the exceptions are a pre-vote and its grant, which speak of a term that may come.
 */
import { assert } from '../base/assert.ts';
import type { Core } from './core.ts';
import { isSticky, refusal, refuseEarly } from './election.ts';
import type { Message, NodeId } from './types.ts';

/** Is there something left to do about the message? Moves to its term first if that is newer. */
export function admit(core: Core, message: Message): boolean {
  assert(message.to === core.id, () => `A message to ${message.to} came to ${core.id}`);
  assert(message.from !== core.id, () => `A message from ${core.id} to itself`);
  if (message.term < core.currentTerm) {
    answerOutdated(core, message);
    return false;
  }
  if (message.term === core.currentTerm) return true;
  if (message.type === 'requestVote' && isSticky(core, message)) {
    refuseEarly(core, message);
    return false;
  }
  if (!speaksOfFuture(message)) core.becomeFollower(message.term, leaderBehind(message));
  return true;
}

/** A pre-vote asks, and its grant answers, about a term that nobody needs to be in. */
function speaksOfFuture(message: Message): boolean {
  if (message.type === 'requestVote') return message.preVote;
  return message.type === 'requestVoteResponse' && message.preVote && message.voteGranted;
}

/** Whoever sends these leads the term, so the new term's leader is known at once. */
function leaderBehind(message: Message): NodeId | null {
  switch (message.type) {
    case 'appendEntries':
    case 'heartbeat':
    case 'installSnapshot':
    case 'timeoutNow':
      return message.from;
    default:
      return null;
  }
}

/**
 * Old messages are let go, but for two kinds whose senders would never learn otherwise that their
 * term is over, and could wedge the cluster. A leader that this member, in a higher term, no longer
 * follows must step down to be elected anew; and one who pre-votes in a lower term must come up to
 * this one, or it would be refused for its term forever.
 */
function answerOutdated(core: Core, message: Message): void {
  if (leaderBehind(message) !== null) {
    core.outbox.send({
      type: 'heartbeatResponse',
      from: core.id,
      to: message.from,
      term: core.currentTerm,
      readRound: 0,
    });
  } else if (message.type === 'requestVote' && message.preVote) {
    core.outbox.send(refusal(core, message));
  }
}
