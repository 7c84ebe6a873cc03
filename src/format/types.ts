/** The core's types, passed on to the layers that store and carry them without knowing the core. */
export type {
  Append,
  AppendEntriesResponse,
  Configuration,
  Entry,
  EntryId,
  HardState,
  Index,
  Member,
  Message,
  NodeId,
  SnapshotMetadata,
  Term,
} from '../raft/types.ts';
