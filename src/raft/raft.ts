/**
 * The consensus core: inputs go in one by one through `step`, what the outside has to do comes out
 * of `ready`. Pure and synchronous: no clock but ticks, no disk but the input `persisted`, no
 * network but messages, no randomness but the option. The same inputs give the same outputs.
 */
import { assert } from '../base/assert.ts';
import { maybeCommit } from './commitment.ts';
import { Core } from './core.ts';
import { admit } from './door.ts';
import {
  beginElection,
  onLeaderGone,
  onRequestVote,
  onRequestVoteResponse,
  onTimeoutNow,
  tickElection,
} from './election.ts';
import { onAppendEntries, onHeartbeat } from './follower.ts';
import { onHeartbeatResponse, sendHeartbeats } from './heartbeats.ts';
import { onPropose, tickLeader } from './leader.ts';
import type { Leadership } from './leadership.ts';
import { advanceConfiguration, onChangeConfiguration } from './reconfiguration.ts';
import { onAppendEntriesResponse, onLogRead, sendAppends } from './replication.ts';
import { onInstallSnapshot, onSnapshotReceived } from './snapshots.ts';
import { advanceTransfer, onTransferLeadership } from './transfer.ts';
import type {
  Index,
  Input,
  MemberChange,
  Message,
  PeerProgress,
  Raft,
  RaftOptions,
  Ready,
  RequestId,
  Restored,
  SoftState,
  Status,
} from './types.ts';

export function createRaft(options: RaftOptions, restored: Restored): Raft {
  return new RaftCore(options, restored);
}

class RaftCore implements Raft {
  readonly #core: Core;
  /** What the last Ready said, so that only changes are told. */
  #softState: SoftState;

  constructor(options: RaftOptions, restored: Restored) {
    this.#core = new Core(options, restored);
    this.#softState = this.#core.softState;
  }

  step(input: Input): void {
    const core = this.#core;
    switch (input.type) {
      case 'tick':
        if (core.leadership === null) tickElection(core);
        else tickLeader(core, core.leadership);
        break;
      case 'message':
        onMessage(core, input.message);
        break;
      case 'persisted':
        onPersisted(core, input.append);
        break;
      case 'propose':
        if (core.leadership === null) drop(core, input.id);
        else onPropose(core, core.leadership, input.id, input.command);
        break;
      case 'readIndex':
        if (core.leadership === null) drop(core, input.id);
        else core.leadership.reads.add(input.id);
        break;
      case 'changeConfiguration':
        change(core, input.id, input.changes);
        break;
      case 'transferLeadership':
        if (core.leadership !== null) onTransferLeadership(core, core.leadership, input.to);
        break;
      case 'leaderGone':
        onLeaderGone(core, input.leader);
        break;
      case 'snapshotReceived':
        onSnapshotReceived(core, input.snapshot, input.term);
        break;
      case 'peerUnreachable':
        core.leadership?.peers.get(input.peer)?.unreachable();
        break;
      case 'eligible':
        onEligible(core, input.campaign);
        break;
      case 'compacted':
        onCompacted(core, input.index);
        break;
      case 'logRead':
        onLogRead(core, input.peer, input.prev, input.entries);
        break;
    }
  }

  /** One round of work, in this order: what others wait for, what leads them on, what the disk gets. */
  ready(): Ready | null {
    const core = this.#core;
    core.promises.keep(core, core.persistence, core.outbox.send);
    if (core.leadership !== null) advanceConfiguration(core, core.leadership);
    if (core.leadership !== null) {
      sendHeartbeats(core, core.leadership);
      sendAppends(core, core.leadership);
      advanceTransfer(core, core.leadership);
    }
    const append = core.persistence.take(
      core.currentTerm,
      core.votedFor,
      core.commitIndex,
      core.log,
    );
    const committedEntries = core.takeCommitted();
    assertOrder(core);
    const softState = this.#takeSoftState();
    const isIdle =
      append === null && committedEntries.length === 0 && softState === null && core.outbox.isEmpty;
    return isIdle ? null : { softState, append, committedEntries, ...core.outbox.drain() };
  }

  status(): Status {
    const core = this.#core;
    return {
      id: core.id,
      role: core.role,
      leaderId: core.leaderId,
      currentTerm: core.currentTerm,
      votedFor: core.votedFor,
      commitIndex: core.commitIndex,
      lastIndex: core.log.lastIndex,
      lastApplied: core.lastApplied,
      configuration: core.log.configuration,
      configurationIndex: core.log.configurationIndex,
      transferee: core.leadership?.transfer?.to ?? null,
      progress: core.leadership === null ? [] : progressIn(core.leadership),
    };
  }

  #takeSoftState(): SoftState | null {
    const { role, leaderId } = this.#core;
    if (role === this.#softState.role && leaderId === this.#softState.leaderId) return null;
    this.#softState = { role, leaderId };
    return this.#softState;
  }
}

function onMessage(core: Core, message: Message): void {
  if (!admit(core, message)) return;
  switch (message.type) {
    case 'requestVote':
      onRequestVote(core, message);
      break;
    case 'requestVoteResponse':
      onRequestVoteResponse(core, message);
      break;
    case 'appendEntries':
      onAppendEntries(core, message);
      break;
    case 'heartbeat':
      onHeartbeat(core, message);
      break;
    case 'installSnapshot':
      onInstallSnapshot(core, message);
      break;
    case 'timeoutNow':
      onTimeoutNow(core, message);
      break;
    case 'appendEntriesResponse':
      if (core.leadership !== null) onAppendEntriesResponse(core, core.leadership, message);
      break;
    case 'heartbeatResponse':
      if (core.leadership !== null) onHeartbeatResponse(core, core.leadership, message);
      break;
  }
}

function onPersisted(core: Core, append: number): void {
  const restored = core.persistence.complete(append);
  if (restored !== null) core.restored(restored);
  const isVoteDurable = core.persistence.isDurable(core.currentTerm, core.id);
  if (core.role === 'candidate' && core.votes.size === 0 && isVoteDurable) beginElection(core);
  if (core.leadership !== null) maybeCommit(core, core.leadership);
}

function onEligible(core: Core, campaign: boolean): void {
  core.isEligible = campaign;
  const isCampaigning = core.role === 'preCandidate' || core.role === 'candidate';
  if (!campaign && isCampaigning) core.becomeFollower(core.currentTerm, null);
}

function onCompacted(core: Core, index: Index): void {
  assert(
    index <= core.lastApplied,
    () => `Compaction at ${index}, handed out for apply up to ${core.lastApplied}`,
  );
  core.log.compact(index);
}

function change(core: Core, id: RequestId, changes: readonly MemberChange[]): void {
  if (core.leadership === null) core.outbox.refuse({ id, reason: 'notLeader', member: null });
  else onChangeConfiguration(core, core.leadership, id, changes);
}

function drop(core: Core, id: RequestId): void {
  core.outbox.drop({ id, leaderId: core.leaderId });
}

function progressIn(leadership: Leadership): readonly PeerProgress[] {
  return [...leadership.peers]
    .filter(([id]) => !leadership.isLeaving(id))
    .map(([id, { matchIndex, state, isRecentlyActive }]) => ({
      id,
      matchIndex,
      state,
      isRecentlyActive,
    }));
}

function assertOrder(core: Core): void {
  const { persistedIndex, handedOutIndex } = core.persistence;
  const { lastIndex, base } = core.log;
  assert(
    (base.index <= core.lastApplied || core.persistence.isRestoring) &&
      base.index <= core.commitIndex &&
      core.lastApplied <= core.commitIndex,
    () => `Base ${base.index}, applied ${core.lastApplied}, committed ${core.commitIndex}`,
  );
  assert(
    core.lastApplied <= persistedIndex && persistedIndex <= handedOutIndex,
    () => `Applied ${core.lastApplied}, persisted ${persistedIndex}, handed out ${handedOutIndex}`,
  );
  assert(
    handedOutIndex <= lastIndex && core.commitIndex <= lastIndex,
    () => `Handed out ${handedOutIndex}, committed ${core.commitIndex}, last ${lastIndex}`,
  );
}
