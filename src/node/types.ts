/**
 * The transport-neutral request interface of a member, and the seam to its peers. Every face (RPC
 * now; gRPC, HTTP and DNS later) stands on `MemberApi`.
 */
import type { RollcallError } from '../base/errors.ts';
import type { PeerMessage } from '../format/types.ts';
import type {
  DeleteOperation,
  Key,
  KeyEvent,
  KeyRange,
  KeyValue,
  LeaseId,
  PutOperation,
  RangeRequest,
  RangeResult,
  Revision,
  TxnOperation,
} from '../mvcc/types.ts';
import type { Configuration, EntryId, Index, NodeId, Role } from '../raft/types.ts';
import type {
  Instance,
  InstanceEvent,
  RegisteredInstance,
  ServiceName,
} from '../registry/types.ts';
import type { CommandResult, SessionHeader, SessionId } from '../state-machine/types.ts';

/** Serializable reads are answered from this node's own state once it has applied `minRevision`. */
export interface Freshness {
  readonly serializable: boolean;
  readonly minRevision: Revision;
}

/** What changes who belongs to the cluster, by names or ids. Answered once it is committed, by the leader. */
export type MembershipRequest =
  /** Takes in a node that asks to join under this name, first as a learner. */
  | { readonly type: 'memberAdd'; readonly name: string; readonly autoPromote: boolean }
  /** Takes in the node `by`, which asks to join, in the place of `member`. */
  | { readonly type: 'memberReplace'; readonly member: string; readonly by: string }
  | { readonly type: 'memberPromote'; readonly member: string }
  | { readonly type: 'memberRemove'; readonly member: string }
  /** Null: to the most suitable voter. */
  | { readonly type: 'transferLeadership'; readonly to: string | null };

export type WriteRequest =
  | PutOperation
  | DeleteOperation
  | TxnOperation
  | { readonly type: 'compact'; readonly revision: Revision }
  | { readonly type: 'leaseGrant'; readonly leaseId: LeaseId | null; readonly ttlMs: number }
  | { readonly type: 'leaseRevoke'; readonly leaseId: LeaseId }
  | { readonly type: 'leaseKeepAlive'; readonly leaseIds: readonly LeaseId[] }
  | (ServiceName & {
      readonly type: 'register';
      readonly instance: Instance;
      readonly leaseId: LeaseId | null;
      readonly replace: boolean;
    })
  | (ServiceName & {
      readonly type: 'deregister';
      readonly id: string;
      readonly leaseId: LeaseId | null;
    })
  | { readonly type: 'sessionOpen' }
  | {
      readonly type: 'sessionRenew';
      readonly sessionId: SessionId;
      readonly acknowledgedThrough: number;
    }
  | { readonly type: 'sessionClose'; readonly sessionId: SessionId };

export type ReadRequest =
  | (RangeRequest &
      Freshness & {
        readonly type: 'range';
        /** False: `count` may end with the answer, which a page of an old revision is cheaper without. */
        readonly counted: boolean;
      })
  | {
      readonly type: 'leaseTimeToLive';
      readonly leaseId: LeaseId;
      readonly keys: boolean;
      /** The last key of the page before; null for the first page. */
      readonly after: Key | null;
    }
  | { readonly type: 'leaseList'; readonly after: LeaseId | null; readonly limit: number }
  | { readonly type: 'memberList' }
  | (ServiceName & Freshness & { readonly type: 'discover' })
  | (Freshness & { readonly type: 'services'; readonly namespace: string });

export type Request = WriteRequest | ReadRequest | MembershipRequest;

/** A node that is not born and asks to be taken in. */
export interface Applicant {
  readonly id: NodeId;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** The highest that it knows. */
  readonly featureLevel: number;
}

/** `joining` and `leaving` are voters of one side of a joint configuration. */
export type Standing = 'voter' | 'learner' | 'joining' | 'leaving';

export interface MemberReport extends Applicant {
  readonly standing: Standing;
  readonly leads: boolean;
  /** A learner that becomes a voter once it has caught up. */
  readonly autoPromote: boolean;
  readonly replaces: NodeId | null;
  /** How far its log is known to equal the leader's; null on a node that does not lead. */
  readonly matchIndex: number | null;
  /** Whether the leader heard of it lately; null on a node that does not lead. */
  readonly isReachable: boolean | null;
}

export interface MembershipReport {
  readonly members: readonly MemberReport[];
  readonly applicants: readonly Applicant[];
  /** The leader's last log index, to compare `matchIndex` with. */
  readonly lastIndex: number;
}

export type MembershipResult =
  | ({ readonly type: 'memberChange' } & MembershipReport)
  | { readonly type: 'transferLeadership'; readonly leaderId: NodeId; readonly leaderName: string };

export type ReadResult =
  | ({ readonly type: 'range' } & RangeResult)
  | {
      readonly type: 'leaseTimeToLive';
      readonly grantedTtlMs: number;
      readonly remainingMs: number;
      readonly keys: readonly Key[];
      readonly more: boolean;
    }
  | {
      readonly type: 'leaseList';
      readonly leases: readonly {
        readonly leaseId: LeaseId;
        readonly ttlMs: number;
        readonly remainingMs: number;
      }[];
      readonly more: boolean;
    }
  | ({ readonly type: 'memberList' } & MembershipReport)
  | { readonly type: 'discover'; readonly instances: readonly RegisteredInstance[] }
  | {
      readonly type: 'services';
      readonly services: readonly { readonly service: string; readonly instances: number }[];
    };

export type Response = {
  readonly revision: Revision;
  readonly result: CommandResult | ReadResult | MembershipResult;
};

/** Called exactly once per request, never synchronously inside `submit`. */
export type Reply = (outcome: Response | RollcallError) => void;

export interface WatchRequest extends KeyRange {
  /** 0: from the next revision on. May lie in the future. */
  readonly startRevision: Revision;
  readonly previous: boolean;
  /** Kinds of changes that are left out. */
  readonly noPut: boolean;
  readonly noDelete: boolean;
  /** A bookmark whenever nothing was told for so long; 0: only when asked. */
  readonly progressMs: number;
  /** The watch waits, for a bounded time, until this node has seen the revision. */
  readonly minRevision: Revision;
  /** That in which the revisions were seen; the watch is refused in another one. Null where none was. */
  readonly incarnation: string | null;
}

export interface WatchedEvent extends KeyEvent {
  readonly previous: KeyValue | null;
}

/**
 * What a revision changed among the watched keys: everything, or, where that is too much for a frame, a
 * part of it, with more of the same revision to follow at once.
 */
export interface WatchBatch {
  readonly revision: Revision;
  readonly events: readonly WatchedEvent[];
  readonly more: boolean;
}

export interface ViewBatch {
  readonly revision: Revision;
  readonly events: readonly InstanceEvent[];
}

export interface ServiceWatchRequest extends ServiceName {
  /** The view waits, for a bounded time, until this node has seen the revision. */
  readonly minRevision: Revision;
}

/** As for a read; without `serializable` everything that was committed before is in it. */
export type BackupRequest = Freshness;

/**
 * Where a stream delivers. A stream is paused while `send` last returned false, until `resume()` of
 * its handle; meanwhile nothing is buffered for it: it reads on from history.
 */
export interface WatchSink {
  /** The newest revision of this node when it began to watch. */
  created(revision: Revision): void;
  /** The same batch object goes to all who watch alike. */
  send(batch: WatchBatch): boolean;
  /** Everything up to the revision has been told. Not while paused. */
  progress(revision: Revision): void;
  /** The stream's end; nothing follows. `details.resumeRevision` is where another watch is to begin. */
  end(error: RollcallError): void;
}

export interface ViewSink {
  view(revision: Revision, instances: readonly RegisteredInstance[]): boolean;
  send(batch: ViewBatch): boolean;
  end(error: RollcallError): void;
}

/** Takes the bytes of a backup file one after the other; paused like the other streams. */
export interface BackupSink {
  send(bytes: Uint8Array): boolean;
  /** All was sent; it is the state at this revision. */
  done(revision: Revision): void;
  end(error: RollcallError): void;
}

export interface StreamHandle {
  resume(): void;
  /** Ends the stream silently; idempotent. */
  cancel(): void;
}

export interface WatchHandle extends StreamHandle {
  /** A bookmark comes as soon as everything that there is has been told. */
  requestProgress(): void;
}

/**
 * `stateMissing`: it is being made anew, and the node serves nothing. `noSpace`: the disk has less room
 * than the reserve. `quotaNear`: the state has most of what it may; `quotaFull`: all of it, and more.
 */
export type Trouble = 'stateMissing' | 'noSpace' | 'quotaNear' | 'quotaFull';

export interface MemberStatus {
  readonly clusterId: string;
  readonly incarnation: string;
  readonly memberId: NodeId;
  readonly name: string;
  readonly role: Role;
  /** `removed`: the cluster goes on without this node, which serves nothing any more. */
  readonly standing: Standing | 'removed';
  readonly troubles: readonly Trouble[];
  readonly term: number;
  readonly leaderId: NodeId | null;
  readonly leaderName: string | null;
  readonly leaderAddress: string | null;
  /** Where clients reach the members, this one included. */
  readonly members: readonly { readonly id: string; readonly clientAddress: string }[];
  /** The cluster's, as far as this node has applied the log. */
  readonly featureLevel: number;
  /** The highest that this node knows. */
  readonly featureLevelMax: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly revision: Revision;
  /** Of the kv space. */
  readonly compactRevision: Revision;
  readonly removedRevision: Revision;
  /** What the keys of all kept revisions take, about as much as on the disk; the same on all nodes. */
  readonly storedBytes: number;
  /** This node's own settings. */
  readonly quotaBytes: number;
  readonly historyAgeMs: number;
  readonly historyRevisions: number;
  readonly digest: string;
}

export interface MemberApi {
  /** `session`: a write that is to be done once, however many copies of it come. Null for all else. */
  submit(request: Request, reply: Reply, session?: SessionHeader | null): void;
  watch(request: WatchRequest, sink: WatchSink): WatchHandle;
  watchService(request: ServiceWatchRequest, sink: ViewSink): StreamHandle;
  backup(request: BackupRequest, sink: BackupSink): StreamHandle;
  status(): MemberStatus;
  /**
   * The digest and revision of the state that had applied exactly the entries up to `index`; null where
   * that is not remembered.
   */
  digestAt(index: Index): { readonly digest: string; readonly revision: Revision } | null;
  /** Serves, knows a leader and has applied up to what was committed when it learned of it. */
  ready(): boolean;
  /** Calls back whenever role, term, leader, incarnation or feature level changed. Returns the way to stop that. */
  onStatusChange(listener: () => void): () => void;
}

/** Messages to other members: best effort, unordered between kinds. The transport picks the lane. */
export interface PeerTransport {
  /**
   * The newest term and the last entry's index on this member's disk as it was opened. Whoever remembers
   * that this member has acknowledged more will not listen to it. Called once, before anything is sent.
   */
  opened(log: EntryId): void;
  send(message: PeerMessage): void;
  /**
   * The newest **committed** configuration, with its log index or a later one at which it is still in
   * force. Only with its members are messages exchanged, and with whoever knows a newer one; whoever left
   * is told so. Not before it is committed: a leader that leaves has to be heard until then, a birth that
   * was handed out cannot be taken back, and a new id begins as a learner, so nothing waits for it.
   */
  setConfiguration(configuration: Configuration, index: Index): void;
  /** The cluster is at this feature level: whoever knows less is not listened to any more, and told so. */
  setFeatureLevel(level: number): void;
  /** Everything queued since the last flush leaves now, one frame per peer and lane. Called after each Ready. */
  flush(): void;
  /** The member's handlers; set once before the first message. */
  attach(handlers: {
    readonly message: (message: PeerMessage) => void;
    readonly unreachable: (peer: NodeId) => void;
    /** The peer's control socket closed and a new one was refused at once: its process is gone. */
    readonly gone: (peer: NodeId) => void;
    /** A node that is not born asks to be taken in; repeated as long as it does. */
    readonly knock: (applicant: Applicant) => void;
    /**
     * A member has shaken hands; its addresses may be new. This node's own come first: as a leader it has
     * nobody else to tell it.
     */
    readonly greeted: (member: Applicant) => void;
    /**
     * A member says that this node is not in the configuration that is in force at this index, and knows
     * at least what was told to `setConfiguration` here: ids never come back, so this is final.
     */
    readonly removed: (configurationIndex: number) => void;
  }): void;
}
