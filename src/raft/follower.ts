/** What a member does for the leader of its term (Raft §5.3). */
import { assert } from '../base/assert.ts';
import type { Core } from './core.ts';
import type { AppendEntries, Entry, Heartbeat, NodeId } from './types.ts';

/** Accepts `leaderId` as the leader of the current term, whatever this member was in it so far. */
export function heed(core: Core, leaderId: NodeId): void {
  assert(
    core.role !== 'leader',
    () => `Two leaders in term ${core.currentTerm}: ${core.id} and ${leaderId}`,
  );
  if (core.leaderId === leaderId) core.timer.rewind();
  else core.becomeFollower(core.currentTerm, leaderId);
}

export function onHeartbeat(core: Core, message: Heartbeat): void {
  heed(core, message.from);
  core.commitTo(message.leaderCommit);
  core.outbox.send({
    type: 'heartbeatResponse',
    from: core.id,
    to: message.from,
    term: core.currentTerm,
    readRound: message.readRound,
  });
}

export function onAppendEntries(core: Core, message: AppendEntries): void {
  heed(core, message.from);
  const { prev, entries } = message;
  // Below the commit index every leader's log equals this one, though its terms may be forgotten.
  if (prev.index >= core.commitIndex && !core.log.matches(prev)) {
    refuseEntries(core, message);
    return;
  }
  const lastNew = prev.index + entries.length;
  takeEntries(core, entries);
  // Only what this very message vouches for is the leader's; what follows may still be cut off.
  core.commitTo(Math.min(message.leaderCommit, lastNew));
  core.promises.oweAcknowledgement(message.from, Math.max(lastNew, core.commitIndex));
}

/**
 * Appends what is missing. Cuts the log only where an entry contradicts it: a message that comes
 * late holds less than the log does by now, and must not take anything away.
 */
function takeEntries(core: Core, entries: readonly Entry[]): void {
  for (const entry of entries) {
    if (entry.index <= core.commitIndex) continue;
    if (entry.index <= core.log.lastIndex) {
      if (core.log.matches(entry)) continue;
      core.truncateFrom(entry.index);
    }
    core.log.append(entry);
  }
}

/**
 * Says where the logs may still agree: no entry of a higher term than `prev` can be in the leader's
 * log at or below it, so the hint skips them all at once.
 */
function refuseEntries(core: Core, message: AppendEntries): void {
  const { prev } = message;
  core.outbox.send({
    type: 'appendEntriesResponse',
    from: core.id,
    to: message.from,
    term: core.currentTerm,
    success: false,
    rejected: prev.index,
    hint: core.log.lastNotAbove(prev.term, prev.index, core.commitIndex),
  });
}
