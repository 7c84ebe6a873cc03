/**
 * How a leader brings the others' logs to its own (Raft §5.3). What to send is decided once per
 * Ready, never when the cause comes in: however many proposals, answers and ticks came before, each
 * follower gets one appendEntries, or as many as the bounds on a message and the window make of it.
 * What is newly committed rides on the entries that follow; only when none follow within a tick is a
 * message made for it, which halves the messages of a lone writer.
 */
import { assert } from '../base/assert.ts';
import { maybeCommit } from './commitment.ts';
import type { Core } from './core.ts';
import type { Leadership } from './leadership.ts';
import { boundedCount, bytesOf } from './log.ts';
import type { Progress } from './progress.ts';
import { sendOffer } from './snapshots.ts';
import type { AppendEntriesResponse, Entry, EntryId, NodeId } from './types.ts';

export function sendAppends(core: Core, leadership: Leadership): void {
  for (const [peer, progress] of leadership.peers) {
    // While stored entries are on their way, nothing that comes after them may overtake.
    if (!core.logReads.has(peer)) sendAppendsTo(core, peer, progress, leadership.isNewsDue);
  }
  leadership.isNewsDue = false;
}

function sendAppendsTo(core: Core, peer: NodeId, progress: Progress, isTick: boolean): void {
  const { log, options } = core;
  if (progress.wantsOffer) sendOffer(core, peer, progress);
  let hasSent = false;
  while (progress.maySendEntries && progress.nextIndex <= log.lastIndex) {
    const prevIndex = progress.nextIndex - 1;
    if (prevIndex < log.base.index) {
      core.logReads.set(peer, progress.nextIndex);
      core.outbox.readLog({ peer, from: progress.nextIndex });
      return;
    }
    const prev = { term: log.termAt(prevIndex) as number, index: prevIndex };
    sendAppend(core, peer, progress, prev, log.sliceBounded(prevIndex, options));
    hasSent = true;
  }
  if (hasSent || !progress.wantsEmptyAppend(core.commitIndex, isTick)) return;
  const prev = lastBefore(core, progress);
  if (prev !== null) sendAppend(core, peer, progress, prev, []);
}

/** The entry before nextIndex: from the log in memory, or else it may be the one sent last. */
function lastBefore(core: Core, progress: Progress): EntryId | null {
  const index = progress.nextIndex - 1;
  const term = core.log.termAt(index);
  if (term !== null) return { term, index };
  return progress.lastSent?.index === index ? progress.lastSent : null;
}

function sendAppend(
  core: Core,
  peer: NodeId,
  progress: Progress,
  prev: EntryId,
  entries: readonly Entry[],
): void {
  core.outbox.send({
    type: 'appendEntries',
    from: core.id,
    to: peer,
    term: core.currentTerm,
    prev,
    entries,
    leaderCommit: core.commitIndex,
  });
  const { term, index } = entries.at(-1) ?? prev;
  progress.sent({ term, index }, entries.length, bytesOf(entries), core.commitIndex);
}

export function onAppendEntriesResponse(
  core: Core,
  leadership: Leadership,
  message: AppendEntriesResponse,
): void {
  const progress = leadership.peers.get(message.from);
  if (progress === undefined) return;
  if (message.success) {
    assert(
      message.matchIndex <= core.log.lastIndex,
      () => `${message.from} holds ${message.matchIndex} of ${core.log.lastIndex} entries`,
    );
    if (progress.acknowledged(message.matchIndex)) maybeCommit(core, leadership);
  } else {
    // The follower skipped what the leader cannot have; now skip what the follower cannot have.
    const { hint } = message;
    const probe = core.log.lastNotAbove(hint.term, hint.index, progress.matchIndex);
    progress.rejected(message.rejected, probe.index);
  }
}

/** The stored log's answer to a LogRead: gone without `prev`; without entries, the read has failed. */
export function onLogRead(
  core: Core,
  peer: NodeId,
  prev: EntryId | null,
  entries: readonly Entry[],
): void {
  const from = core.logReads.get(peer);
  assert(from !== undefined, () => `A log read for ${peer} that nobody asked for`);
  core.logReads.delete(peer);
  const progress = core.leadership?.peers.get(peer);
  if (progress === undefined) return;
  if (prev === null) {
    if (progress.nextIndex === from) progress.entriesGone();
    return;
  }
  if (entries.length === 0) {
    progress.readFailed();
    return;
  }
  assert(prev.index === from - 1, () => `A log read from ${from} begins after ${prev.index}`);
  // The follower may need something else by now, or be out of reach; then this is let go.
  if (progress.nextIndex !== from || !progress.maySendEntries) return;
  const usable = storedPrefix(core, prev, entries);
  sendAppend(core, peer, progress, prev, entries.slice(0, usable));
}

/**
 * How many of the stored entries to send. Up to the base of the log in memory they are committed, so
 * the disk cannot differ; above it the disk may lag behind, and the memory has them anyway.
 */
function storedPrefix(core: Core, prev: EntryId, entries: readonly Entry[]): number {
  const { base } = core.log;
  let last = prev;
  for (const entry of entries) {
    if (entry.index > base.index) break;
    assert(
      entry.index === last.index + 1 && entry.term >= last.term && entry.term <= base.term,
      () =>
        `Stored entry ${entry.index} of term ${entry.term} follows ${last.index} of ${last.term}`,
    );
    last = entry;
  }
  assert(
    last.index < base.index || last.term === base.term,
    () => `Stored entry ${last.index} has term ${last.term}, in memory it had ${base.term}`,
  );
  const committed = entries.slice(0, last.index - prev.index);
  return boundedCount(committed, 0, core.options);
}
