/** Messages as a peer would send them, with what matters to the test spelled out. */
import type {
  AppendEntries,
  AppendEntriesResponse,
  Entry,
  EntryId,
  Heartbeat,
  HeartbeatResponse,
  Index,
  InstallSnapshot,
  Message,
  NodeId,
  RequestVote,
  RequestVoteResponse,
  Term,
  TimeoutNow,
} from '../../src/raft/types.ts';

export interface Link {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

export const nothing: EntryId = { term: 0, index: 0 };

export function requestVote(
  link: Link,
  last: EntryId,
  preVote = false,
  kind: { readonly isTransfer?: boolean; readonly isEarly?: boolean } = {},
): RequestVote {
  const { isTransfer = false, isEarly = false } = kind;
  return { ...link, type: 'requestVote', last, preVote, isTransfer, isEarly };
}

export function vote(
  link: Link,
  voteGranted: boolean,
  preVote = false,
  isSticky = false,
): RequestVoteResponse {
  return { ...link, type: 'requestVoteResponse', voteGranted, preVote, isSticky };
}

export function timeoutNow(link: Link): TimeoutNow {
  return { ...link, type: 'timeoutNow' };
}

export function installSnapshot(link: Link, last: EntryId): InstallSnapshot {
  return { ...link, type: 'installSnapshot', last };
}

export function appendEntries(
  link: Link,
  prev: EntryId,
  entries: readonly Entry[] = [],
  leaderCommit: Index = 0,
): AppendEntries {
  return { ...link, type: 'appendEntries', prev, entries, leaderCommit };
}

export function acknowledge(link: Link, matchIndex: Index): AppendEntriesResponse {
  return { ...link, type: 'appendEntriesResponse', success: true, matchIndex };
}

export function reject(link: Link, rejected: Index, hint: EntryId): AppendEntriesResponse {
  return { ...link, type: 'appendEntriesResponse', success: false, rejected, hint };
}

export function heartbeat(link: Link, leaderCommit: Index = 0, readRound = 0): Heartbeat {
  return { ...link, type: 'heartbeat', leaderCommit, readRound };
}

export function heartbeatResponse(link: Link, readRound = 0): HeartbeatResponse {
  return { ...link, type: 'heartbeatResponse', readRound };
}

export function ofType<T extends Message['type']>(
  messages: readonly Message[],
  type: T,
): Extract<Message, { readonly type: T }>[] {
  return messages.filter((message): message is Extract<Message, { readonly type: T }> => {
    return message.type === type;
  });
}
