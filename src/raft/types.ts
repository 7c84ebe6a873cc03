/**
 * What goes into the core and what comes out. Both directions are plain values, so a recorded run
 * replays. Names are the paper's (Figure 2) and, where the paper is silent, etcd's.
 */

/** A member's random 64-bit id, 16 hexadecimal digits. Quorums count these, never names. */
export type NodeId = string;
export type Term = number;
export type Index = number;
/** Names a proposal or a read between the core and the one that made it; never leaves the process. */
export type RequestId = number;

/** Term and index always travel together. */
export interface EntryId {
  readonly term: Term;
  readonly index: Index;
}

export interface Member {
  readonly id: NodeId;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** The newest state-machine features that the member's program can apply. */
  readonly featureLevel: number;
  /** On a learner: the member whose place it takes, which leaves in the change that promotes this one. */
  readonly replaces: NodeId | null;
  /** On a learner: becomes a voter as soon as it has caught up. */
  readonly autoPromote: boolean;
}

/**
 * Who decides. While `votersOutgoing` is not empty the configuration is joint (Raft §6): every
 * decision needs a majority of both sets. `learnersNext` are outgoing voters that become learners
 * once the joint phase is left.
 */
export interface Configuration {
  readonly members: readonly Member[];
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
}

/** What an operator, or the cluster itself, wants of the configuration; a list of these is one change. */
export type MemberChange =
  /** A new id begins as a learner, always. */
  | { readonly type: 'add'; readonly member: Member }
  /** A learner that has caught up becomes a voter; the member that it replaces leaves. */
  | { readonly type: 'promote'; readonly id: NodeId }
  /** A voter becomes a learner. */
  | { readonly type: 'demote'; readonly id: NodeId }
  | { readonly type: 'remove'; readonly id: NodeId }
  /** Other addresses, name, feature level or learner's intent under the same id. */
  | { readonly type: 'update'; readonly member: Member };

export type Entry = EntryId &
  (
    | { readonly type: 'noop' }
    | { readonly type: 'command'; readonly command: Uint8Array }
    | { readonly type: 'configuration'; readonly configuration: Configuration }
  );

export interface HardState {
  readonly currentTerm: Term;
  readonly votedFor: NodeId | null;
  readonly commitIndex: Index;
}

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export interface SoftState {
  readonly role: Role;
  readonly leaderId: NodeId | null;
}

/** A point in the log that needs no entry before it. */
export interface SnapshotMetadata {
  readonly last: EntryId;
  readonly configuration: Configuration;
}

interface Envelope {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

export type RequestVote = Envelope & {
  readonly type: 'requestVote';
  readonly preVote: boolean;
  /** The leader asked for this election: the voters' stickiness to it does not count (thesis §3.10). */
  readonly isTransfer: boolean;
  /** A pre-vote of one that knows its leader's process to be gone, and did not wait for a timeout. */
  readonly isEarly: boolean;
  /** The candidate's last entry (Raft §5.4.1). */
  readonly last: EntryId;
};
export type RequestVoteResponse = Envelope & {
  readonly type: 'requestVoteResponse';
  readonly preVote: boolean;
  readonly voteGranted: boolean;
  /** An early pre-vote is refused for the sake of a leader that seems alive, and for nothing else. */
  readonly isSticky: boolean;
};
export type AppendEntries = Envelope & {
  readonly type: 'appendEntries';
  readonly prev: EntryId;
  readonly entries: readonly Entry[];
  readonly leaderCommit: Index;
};
export type AppendEntriesResponse = Envelope & { readonly type: 'appendEntriesResponse' } & (
    | { readonly success: true; readonly matchIndex: Index }
    | {
        readonly success: false;
        /** The `prev.index` that did not match. */
        readonly rejected: Index;
        /** Where the logs may still agree: the leader need not probe above it. */
        readonly hint: EntryId;
      }
  );
export type Heartbeat = Envelope & {
  readonly type: 'heartbeat';
  /** At most what the follower is known to hold. */
  readonly leaderCommit: Index;
  /** The newest read round that this heartbeat confirms; 0 before the first. */
  readonly readRound: number;
};
export type HeartbeatResponse = Envelope & {
  readonly type: 'heartbeatResponse';
  readonly readRound: number;
};

/** The leader hands over: campaign now, without asking first (thesis §3.10). */
export type TimeoutNow = Envelope & { readonly type: 'timeoutNow' };
/**
 * The entries that the follower needs are gone: it has to take over a state instead (Raft §7). Names
 * what the leader's own snapshot holds at least; the state itself travels outside of the core.
 */
export type InstallSnapshot = Envelope & {
  readonly type: 'installSnapshot';
  readonly last: EntryId;
};

export type Message =
  | TimeoutNow
  | InstallSnapshot
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse;

export type Input =
  | { readonly type: 'tick' }
  | { readonly type: 'message'; readonly message: Message }
  /** The disk's answer to one append: everything it carried is durable. */
  | { readonly type: 'persisted'; readonly append: number }
  | { readonly type: 'propose'; readonly id: RequestId; readonly command: Uint8Array }
  | { readonly type: 'readIndex'; readonly id: RequestId }
  /** All changes at once; answered by `accepted` or `refused`. Done when the configuration it leads to is committed. */
  | {
      readonly type: 'changeConfiguration';
      readonly id: RequestId;
      readonly changes: readonly MemberChange[];
    }
  /** Hands leadership to `to`, or to the most suitable voter. Given up after an election timeout. */
  | { readonly type: 'transferLeadership'; readonly to: NodeId | null }
  /**
   * The leader's process is surely gone (its control socket closed and a new one was refused): this
   * node is no longer loyal to it, may grant an early pre-vote and asks for one soon.
   */
  | { readonly type: 'leaderGone'; readonly leader: NodeId }
  /**
   * A state was received, verified and made durable in a staging place. It is of use if it goes beyond
   * the commit index: then the next append carries it, and with that append's `persisted` it takes the
   * place of the log before it. `term` is one that its sender was in once the state was committed;
   * this member enters it if it is newer, so that its leader is sure to have all of the state.
   */
  | {
      readonly type: 'snapshotReceived';
      readonly snapshot: SnapshotMetadata;
      readonly term: Term;
    }
  /** The transport lost its connection: whatever was in flight to the peer may be gone. */
  | { readonly type: 'peerUnreachable'; readonly peer: NodeId }
  /** The disk or the state is sick, or well again: may this node campaign? */
  | { readonly type: 'eligible'; readonly campaign: boolean }
  /** Drops the log up to and including `index` from memory; it is applied and stays readable in the WAL. */
  | { readonly type: 'compacted'; readonly index: Index }
  /**
   * The answer to a LogRead: what follows `prev` in the stored log, at least one entry unless the
   * read failed, in which case the core asks again later. A null `prev`: the stored log begins later,
   * and the follower needs a snapshot.
   */
  | {
      readonly type: 'logRead';
      readonly peer: NodeId;
      readonly prev: EntryId | null;
      readonly entries: readonly Entry[];
    };

/**
 * One write, with one fdatasync: the snapshot's point becomes the beginning of the log (what was stored
 * after it stays if its term agrees there, otherwise all goes), then the log is cut before
 * `entries[0].index` and the entries are appended.
 */
export interface Append {
  readonly number: number;
  readonly hardState: HardState | null;
  readonly snapshot: SnapshotMetadata | null;
  readonly entries: readonly Entry[];
}

/** A follower needs entries that are no longer in memory. At most one per peer is out. */
export interface LogRead {
  readonly peer: NodeId;
  /** The first entry wanted; the answer also names the term of the one before it. */
  readonly from: Index;
}

export interface ReadState {
  readonly id: RequestId;
  /** The read may be answered from any state that has applied this index. */
  readonly index: Index;
}

/** A proposal that entered the leader's log; it happened once an entry of this term and index is committed. */
export interface Accepted {
  readonly id: RequestId;
  readonly entry: EntryId;
}

/**
 * A proposal or read that surely had no effect: this node does not lead, or hands over, and who will
 * lead is not known.
 */
export interface Dropped {
  readonly id: RequestId;
  readonly leaderId: NodeId | null;
}

export type ConfigurationRefusal =
  /** This node does not lead. */
  | 'notLeader'
  /** The leader's own-term no-op is not committed yet: what the cluster agrees on is not known. */
  | 'notReady'
  /** An earlier change is not committed yet, or still joint. */
  | 'changePending'
  /** Leadership is being handed over. */
  | 'transferring'
  | 'unknownMember'
  | 'duplicateId'
  /** Two members of one name, and the new one does not replace the old one. */
  | 'duplicateName'
  | 'duplicateAddress'
  /** Not what the change needs: a learner to promote, a voter to demote. */
  | 'wrongRole'
  /** The learner to promote is behind, or was not heard of lately. */
  | 'notCaughtUp'
  /** Too few of the voters that would decide were heard of lately: the change would stop the cluster. */
  | 'losesQuorum'
  | 'noVoters'
  /** Nothing would change. */
  | 'noChange';

/** A change of the configuration that surely had no effect. */
export interface Refused {
  readonly id: RequestId;
  readonly reason: ConfigurationRefusal;
  /** Whom it is about, where it is about one. */
  readonly member: NodeId | null;
}

/** The leader has no entries for this follower: a state of at least `last` is to be fetched. */
export interface SnapshotOffer {
  readonly from: NodeId;
  readonly last: EntryId;
}

/** What the outside has to do. `null` and `[]` mean: nothing of this kind. */
export interface Ready {
  readonly softState: SoftState | null;
  /** At most one is out until its `persisted` comes back. */
  readonly append: Append | null;
  /** May leave now; what depends on the disk was held back until `persisted`. */
  readonly messages: readonly Message[];
  /** In order, each once, only what this node has persisted. */
  readonly committedEntries: readonly Entry[];
  readonly readStates: readonly ReadState[];
  readonly accepted: readonly Accepted[];
  readonly dropped: readonly Dropped[];
  readonly refused: readonly Refused[];
  readonly logReads: readonly LogRead[];
  /** Repeated while the leader repeats it; a fetch that is under way already goes on. */
  readonly snapshotOffer: SnapshotOffer | null;
  /**
   * A received snapshot is the log's beginning now and durable: the state machine goes on from it.
   * Comes before any entry after it, and none at or before it comes later.
   */
  readonly restored: SnapshotMetadata | null;
}

export interface RaftOptions {
  readonly id: NodeId;
  /** A follower campaigns after electionTicks to 2 × electionTicks − 1 ticks without a leader. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  readonly entriesPerMessageMax: number;
  readonly bytesPerMessageMax: number;
  readonly inflightMessagesMax: number;
  /** Bytes of entries on their way to one follower: no message leaves while there are as many or more. */
  readonly inflightBytesMax: number;
  /** After `leaderGone`: campaigns after 1 to this many ticks, and asks again as often while refused. */
  readonly earlyCampaignTicks: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** What came back from the disk. */
export interface Restored {
  readonly hardState: HardState;
  /** Where the in-memory log begins: `entries[0]` follows it. At birth `{term: 0, index: 0}`. */
  readonly snapshot: SnapshotMetadata;
  readonly entries: readonly Entry[];
  /** Entries up to here are in the state already and are not handed out again. */
  readonly lastApplied: Index;
}

export interface Status extends SoftState, HardState {
  readonly id: NodeId;
  readonly lastIndex: Index;
  readonly lastApplied: Index;
  readonly configuration: Configuration;
  /** Only on a leader: to whom leadership is being handed over. Meanwhile proposals are dropped. */
  readonly transferee: NodeId | null;
  /** Only on a leader: how far each other member is known to have the log. */
  readonly progress: readonly PeerProgress[];
}

export interface PeerProgress {
  readonly id: NodeId;
  readonly matchIndex: Index;
  readonly state: 'probe' | 'replicate' | 'snapshot';
  /** Has answered since the last or the current quorum check began. */
  readonly isRecentlyActive: boolean;
}

/**
 * `step` is synchronous and total: any input is legal at any time. It throws only on a broken
 * invariant. `ready` may be taken at any time; it returns null when there is nothing to do.
 */
export interface Raft {
  step(input: Input): void;
  ready(): Ready | null;
  status(): Status;
}
