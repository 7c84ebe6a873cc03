/** What a leader does of its own accord and for its clients. */
import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { voteResult } from './quorum.ts';
import { tickTransfer } from './transfer.ts';
import type { EntryId, RequestId } from './types.ts';

export function tickLeader(core: Core, leadership: Leadership): void {
  core.timer.tick();
  leadership.isNewsDue = true;
  if (core.timer.isShortestExpired) {
    core.timer.rewind();
    if (!hasQuorum(core, leadership)) {
      core.becomeFollower(core.currentTerm, null);
      return;
    }
  }
  tickTransfer(core, leadership);
  leadership.heartbeatElapsed++;
  if (leadership.heartbeatElapsed < core.options.heartbeatTicks) return;
  leadership.heartbeatElapsed = 0;
  leadership.isHeartbeatDue = true;
}

/**
 * Has a quorum answered since this was last asked? Without one a leader can commit nothing, and
 * whoever still hears it would wait for it in vain, so it steps down (thesis §6.2).
 */
function hasQuorum(core: Core, leadership: Leadership): boolean {
  const { peers } = leadership;
  const heard = voteResult(
    core.log.configuration,
    (id) => id === core.id || peers.get(id)?.isActive === true,
  );
  for (const progress of peers.values()) progress.forgetActivity();
  return heard === 'won';
}

export function onPropose(
  core: Core,
  leadership: Leadership,
  id: RequestId,
  command: Uint8Array,
): void {
  // The log must come to an end for the target to reach it. Who will lead is not known yet.
  if (leadership.transfer !== null) {
    core.outbox.drop({ id, leaderId: null });
    return;
  }
  const entry: EntryId = { term: core.currentTerm, index: core.log.lastIndex + 1 };
  core.log.append({ ...entry, type: 'command', command });
  core.outbox.accept({ id, entry });
}
