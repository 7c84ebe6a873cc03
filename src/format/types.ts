import type { Message } from '../raft/types.ts';
import type { NodeMessage } from './node-message.ts';

/** All that members say to each other. */
export type PeerMessage = Message | NodeMessage;

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
