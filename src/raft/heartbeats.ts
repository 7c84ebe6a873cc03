/**
 * Heartbeats keep followers from campaigning, tell them what is committed of what they surely hold,
 * and confirm reads: one that leaves after a read came in and is answered by a quorum proves that no
 * other leader had committed anything before (thesis §6.4). They carry no entries and wait for no disk.
 */
import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { quorumIndex } from './quorum.ts';
import type { HeartbeatResponse } from './types.ts';

/** Sends what is due: one heartbeat to each, whether for the time that passed or for reads or both. */
export function sendHeartbeats(core: Core, leadership: Leadership): void {
  const { reads } = leadership;
  // Before an entry of its own term is committed, a leader may not know all that is (Raft §8).
  const knowsCommitted = core.commitIndex >= leadership.firstIndex;
  if (knowsCommitted && reads.maybeStart(core.commitIndex)) {
    answerConfirmedReads(core, leadership);
    // A sole voter has confirmed the round by itself.
    if (reads.isUnderWay) leadership.isHeartbeatDue = true;
  }
  if (!leadership.isHeartbeatDue) return;
  leadership.isHeartbeatDue = false;
  for (const [peer, progress] of leadership.peers) {
    core.outbox.send({
      type: 'heartbeat',
      from: core.id,
      to: peer,
      term: core.currentTerm,
      leaderCommit: Math.min(core.commitIndex, progress.matchIndex),
      readRound: reads.round,
    });
  }
}

export function onHeartbeatResponse(
  core: Core,
  leadership: Leadership,
  message: HeartbeatResponse,
): void {
  const progress = leadership.peers.get(message.from);
  if (progress === undefined) return;
  progress.heartbeatAnswered(message.readRound, core.log.lastIndex);
  answerConfirmedReads(core, leadership);
}

/** Answers the reads whose round a quorum has confirmed; the leader need not ask itself. */
export function answerConfirmedReads(core: Core, leadership: Leadership): void {
  const { reads, peers } = leadership;
  if (!reads.isUnderWay) return;
  const confirmed = quorumIndex(core.log.configuration, (id) =>
    id === core.id ? reads.round : (peers.get(id)?.confirmedRound ?? 0),
  );
  core.outbox.answerReads(reads.confirm(confirmed));
}
