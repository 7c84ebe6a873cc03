/**
 * How a follower that needs entries which are gone takes over a state instead (Raft §7). The core only
 * arranges it: the leader offers, the outside fetches a state from whoever has one, and what came in
 * becomes the beginning of the follower's log with one append.
 *
 *     leader                          follower
 *     logRead: gone ──▶ installSnapshot ──▶ snapshotOffer ──▶ (fetched, staged)
 *                                                                   │
 *                                                            snapshotReceived
 *                                                                   ▼
 *     entries again ◀── acknowledged ◀── restored ◀── persisted ◀── append {snapshot}
 */
import { assert } from '../base/assert.ts';
import type { Core } from './core.ts';
import { heed } from './follower.ts';
import type { Progress } from './progress.ts';
import type { InstallSnapshot, NodeId, SnapshotMetadata, Term } from './types.ts';

/** What a state holds at least that is taken from this member from now on: all that it applied. */
export function sendOffer(core: Core, peer: NodeId, progress: Progress): void {
  const index = core.lastApplied;
  const term = core.log.termAt(index);
  assert(term !== null, () => `Applied ${index}, but the log begins after ${core.log.base.index}`);
  core.outbox.send({
    type: 'installSnapshot',
    from: core.id,
    to: peer,
    term: core.currentTerm,
    last: { term, index },
  });
  progress.offered();
}

/**
 * Says in any case how far this log is known to be the leader's: that may be enough for entries, if
 * the leader did not know it. If the log has the very entry offered, it has all before it, and no
 * state is needed.
 */
export function onInstallSnapshot(core: Core, message: InstallSnapshot): void {
  heed(core, message.from);
  const { last } = message;
  if (core.log.matches(last)) core.commitTo(last.index);
  core.promises.oweAcknowledgement(message.from, core.commitIndex);
  if (last.index > core.commitIndex) core.outbox.offerSnapshot({ from: message.from, last });
}

/**
 * Does nothing if the state is of no use: this member knows as much to be committed, or leads, and so
 * has all of it in its log. Entering the sender's term makes sure that no leader from before that
 * term, which may lack some of the state, is told that this member holds the same as it.
 */
export function onSnapshotReceived(core: Core, snapshot: SnapshotMetadata, term: Term): void {
  const { last } = snapshot;
  assert(last.term <= term, () => `A state of term ${last.term} from a sender in term ${term}`);
  if (last.index <= core.commitIndex) return;
  if (term > core.currentTerm) core.becomeFollower(term, null);
  if (core.role === 'leader') return;
  // A campaign with a log that is given up is over.
  if (core.role !== 'follower') core.becomeFollower(core.currentTerm, null);
  core.restore(snapshot);
}
