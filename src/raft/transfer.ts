/**
 * Handing over leadership (thesis §3.10). The leader takes no more proposals, so that the target can
 * come up to the end of its log, and then tells it to campaign at once. That election is a usual one
 * but for its begin: whoever loses nothing by it votes, so a transfer can fail but do no harm. One that
 * has not succeeded after an election timeout is given up, and the leader goes on.
 */
import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { isVoter } from './quorum.ts';
import type { Index, NodeId } from './types.ts';

/** One attempt. */
export interface Transfer {
  readonly to: NodeId;
  /** Ticks since it began. */
  elapsed: number;
  /** The target was told to campaign. */
  isAsked: boolean;
}

/** Begins to hand over, to the most suitable voter unless one is named; does nothing where it cannot. */
export function onTransferLeadership(
  core: Core,
  leadership: Leadership,
  wanted: NodeId | null,
): void {
  const to = wanted ?? bestVoter(core, leadership);
  const isPossible = to !== null && to !== core.id && core.log.configuration.voters.includes(to);
  if (!isPossible || leadership.transfer?.to === to) return;
  leadership.transfer = { to, elapsed: 0, isAsked: false };
}

/**
 * Of the voters heard of lately, the one that lacks least of the log. Whoever has failed to take over
 * comes after those who have failed less often: it may be up to date and yet unable to lead, and says
 * nothing of that.
 */
function bestVoter(core: Core, leadership: Leadership): NodeId | null {
  let best: { readonly id: NodeId; readonly failures: number; readonly matchIndex: Index } | null =
    null;
  for (const id of core.log.configuration.voters) {
    const progress = leadership.peers.get(id);
    if (progress?.isRecentlyActive !== true) continue;
    const { matchIndex } = progress;
    const failures = leadership.failedTransfers.get(id) ?? 0;
    const isBetter =
      best === null ||
      failures < best.failures ||
      (failures === best.failures && matchIndex > best.matchIndex);
    if (isBetter) best = { id, failures, matchIndex };
  }
  return best?.id ?? null;
}

export function tickTransfer(core: Core, leadership: Leadership): void {
  const { transfer } = leadership;
  if (transfer === null) return;
  const isRetiring = !isVoter(core.log.configuration, core.id);
  // Until the change that ends its leadership is committed, there is nobody who could do better.
  if (isRetiring && core.commitIndex < core.log.configurationIndex) return;
  transfer.elapsed++;
  if (transfer.elapsed < core.options.electionTicks) return;
  leadership.transfer = null;
  const { failedTransfers } = leadership;
  failedTransfers.set(transfer.to, (failedTransfers.get(transfer.to) ?? 0) + 1);
  // One that is no voter any more had nothing else to do as a leader.
  if (isRetiring) core.becomeFollower(core.currentTerm, null);
}

/**
 * Tells the target to campaign as soon as it holds the whole log. A leader that will be no member then
 * hears nothing more, so it waits until it can tell of all its entries that they are committed.
 */
export function advanceTransfer(core: Core, leadership: Leadership): void {
  const { transfer, peers } = leadership;
  const { lastIndex, configuration } = core.log;
  if (transfer === null || transfer.isAsked) return;
  if (peers.get(transfer.to)?.matchIndex !== lastIndex) return;
  if (core.commitIndex < lastIndex && !isVoter(configuration, core.id)) return;
  transfer.isAsked = true;
  core.outbox.send({
    type: 'timeoutNow',
    from: core.id,
    to: transfer.to,
    term: core.currentTerm,
  });
  // It will not lead again: those who wait for it are better told at once than when the transfer is over.
  if (!isVoter(configuration, core.id)) core.becomeFollower(core.currentTerm, null);
}
