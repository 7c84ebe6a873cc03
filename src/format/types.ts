/** The core's types, passed on to the layers that store and carry them without knowing the core. */
export type {
  Append,
  AppendEntries,
  AppendEntriesResponse,
  Configuration,
  Entry,
  EntryId,
  HardState,
  Heartbeat,
  HeartbeatResponse,
  Index,
  Member,
  Message,
  NodeId,
  RequestVote,
  RequestVoteResponse,
  Term,
} from '../raft/types.ts';
