/**
 * How a leader changes the configuration (Raft §6): by an entry that takes effect at once, one change
 * at a time. A joint configuration it leaves by itself, as soon as that is committed; a leadership
 * that the change has ended, it hands over, as soon as the change is committed.
 */
import type { Core } from './core.ts';
import { answerConfirmedReads } from './heartbeats.ts';
import type { Leadership } from './leadership.ts';
import { changed, left, type Refusal } from './membership.ts';
import { isJoint, isVoter, voteResult } from './quorum.ts';
import { onTransferLeadership } from './transfer.ts';
import type { Configuration, EntryId, MemberChange, RequestId } from './types.ts';

export function onChangeConfiguration(
  core: Core,
  leadership: Leadership,
  id: RequestId,
  changes: readonly MemberChange[],
): void {
  const next = obstacleNow(core, leadership) ?? changed(core.log.configuration, changes);
  if ('reason' in next) {
    core.outbox.refuse({ id, ...next });
    return;
  }
  const risk = riskOf(core, leadership, next);
  if (risk !== null) core.outbox.refuse({ id, ...risk });
  else core.outbox.accept({ id, entry: append(core, leadership, next) });
}

function obstacleNow(core: Core, leadership: Leadership): Refusal | null {
  if (leadership.transfer !== null) return { reason: 'transferring', member: null };
  // An earlier leader's change may be committed without this one knowing it yet. Two changes that both
  // begin at the configuration before it could have majorities that share nobody (Raft §6; the flaw
  // of single-server changes without this rule).
  if (core.commitIndex < leadership.firstIndex) return { reason: 'notReady', member: null };
  const isPending =
    core.commitIndex < core.log.configurationIndex || isJoint(core.log.configuration);
  return isPending ? { reason: 'changePending', member: null } : null;
}

/** Would the change stop the cluster, as far as the leader can tell? */
function riskOf(core: Core, leadership: Leadership, next: Configuration): Refusal | null {
  if (!isJoint(next)) return null;
  const { peers } = leadership;
  const { lastIndex } = core.log;
  for (const id of next.voters) {
    if (next.votersOutgoing.includes(id)) continue;
    const progress = peers.get(id);
    // One more message would bring it up: it will not hold up what it is about to decide.
    const isCaughtUp =
      progress?.state === 'replicate' &&
      progress.isRecentlyActive &&
      lastIndex - progress.matchIndex <= core.options.entriesPerMessageMax;
    if (!isCaughtUp) return { reason: 'notCaughtUp', member: id };
  }
  const alive = voteResult(
    next,
    (id) => id === core.id || peers.get(id)?.isRecentlyActive === true,
  );
  return alive === 'won' ? null : { reason: 'losesQuorum', member: null };
}

function append(core: Core, leadership: Leadership, configuration: Configuration): EntryId {
  const entry: EntryId = { term: core.currentTerm, index: core.log.lastIndex + 1 };
  core.log.append({ ...entry, type: 'configuration', configuration });
  leadership.follow(configuration, entry.index);
  // Fewer may have to confirm a round than when it began, and those who remain may have answered.
  answerConfirmedReads(core, leadership);
  return entry;
}

/** What a committed configuration calls for. */
export function advanceConfiguration(core: Core, leadership: Leadership): void {
  const { configuration, configurationIndex } = core.log;
  leadership.dismiss(core.commitIndex);
  if (core.commitIndex < Math.max(configurationIndex, leadership.firstIndex)) return;
  if (isJoint(configuration)) leave(core, leadership, configuration);
  else if (!isVoter(configuration, core.id)) retire(core, leadership);
}

/**
 * Who leads, and does not vote afterwards, hands over from here on: whoever learns that the change is
 * committed hears nothing more from it, nor answers, so no entry may follow the change.
 */
function leave(core: Core, leadership: Leadership, joint: Configuration): void {
  append(core, leadership, left(joint));
  if (!isVoter(core.log.configuration, core.id)) onTransferLeadership(core, leadership, null);
}

/** Has led until others can go on without it; leads on only to hand over. */
function retire(core: Core, leadership: Leadership): void {
  // Only now is it known who holds all of the log.
  if (leadership.transfer?.isAsked !== true) onTransferLeadership(core, leadership, null);
  const { transfer } = leadership;
  if (transfer === null || transfer.isAsked) core.becomeFollower(core.currentTerm, null);
}
