/**
 * What the methods of `rollcall.v1` answer and stream. Keys are **binary strings** (one character of
 * 0–255 per byte), values msgpack `bin`, 64-bit ids 16 hexadecimal digits.
 */

export interface WirePair {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly leaseId: string | null;
}

export interface WireRange {
  readonly pairs: readonly WirePair[];
  readonly count: number;
  readonly more: boolean;
}

export type WireOperationResult =
  | { readonly type: 'put'; readonly previous: WirePair | null }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous: readonly WirePair[] }
  | ({ readonly type: 'range' } & WireRange)
  | ({ readonly type: 'txn' } & WireTxnResult);

export interface WireTxnResult {
  readonly succeeded: boolean;
  readonly results: readonly WireOperationResult[];
}

export interface WireInstance {
  readonly id: string;
  readonly address: string;
  readonly tags: readonly string[];
  readonly metadata: readonly (readonly [string, string])[];
  readonly leaseId: string | null;
  readonly createRevision: number;
  readonly modRevision: number;
}

export type WireInstanceEvent =
  | { readonly type: 'set'; readonly instance: WireInstance }
  | {
      readonly type: 'removed';
      readonly id: string;
      readonly reason: 'deregistered' | 'expired';
    };

export interface WireEvent {
  readonly type: 'put' | 'delete';
  readonly pair: WirePair;
  readonly previous: WirePair | null;
}

/** `joining` and `leaving` are voters of one side of a change that is under way. */
export type WireStanding = 'voter' | 'learner' | 'joining' | 'leaving';

export interface WireApplicant {
  readonly id: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** The highest that it knows. */
  readonly featureLevel: number;
}

export interface WireMember extends WireApplicant {
  readonly standing: WireStanding;
  readonly leads: boolean;
  /** A learner that becomes a voter once it has caught up. */
  readonly autoPromote: boolean;
  /** The id of the member whose place a learner takes. */
  readonly replaces: string | null;
  /** How far its log is known to equal the leader's; null when one that leads no longer answers. */
  readonly matchIndex: number | null;
  /** Whether the leader heard of it lately; null when one that leads no longer answers. */
  readonly isReachable: boolean | null;
}

export interface WireMembership {
  readonly members: readonly WireMember[];
  /** Nodes that ask to be taken in. */
  readonly applicants: readonly WireApplicant[];
  /** The leader's last log index, to compare `matchIndex` with. */
  readonly lastIndex: number;
}

/** What every node pushes to every client: first of all, on each change, and each second. */
export interface NodeStatus {
  /** Empty, like the incarnation, on a node that waits for its birth. */
  readonly clusterId: string;
  readonly incarnation: string;
  readonly memberId: string;
  readonly name: string;
  readonly role: 'follower' | 'preCandidate' | 'candidate' | 'leader';
  /**
   * `joining` and `leaving`: on its way to become a voter or to be one no longer, also before birth.
   * `removed`: the cluster goes on without this node, which serves nothing any more.
   */
  readonly standing: 'voter' | 'learner' | 'joining' | 'leaving' | 'removed';
  /**
   * `stateMissing`: the state is being made anew, and the node serves nothing. `noSpace`: its disk has
   * less room than the reserve; where the leader or a majority says so, nothing more is stored.
   * `quotaNear`: what is stored comes near to the quota; `quotaFull`: a leader stores nothing more.
   */
  readonly troubles: readonly ('stateMissing' | 'noSpace' | 'quotaNear' | 'quotaFull')[];
  readonly term: number;
  readonly leaderId: string | null;
  readonly leaderName: string | null;
  /** The leader's client address, `host:port`. */
  readonly leaderAddress: string | null;
  /** Where clients reach the members, this one included; empty before birth. */
  readonly members: readonly { readonly id: string; readonly clientAddress: string }[];
  /** The cluster's, as far as this node has applied the log; 0 before birth. */
  readonly featureLevel: number;
  /** The highest that this node knows: it takes part in no cluster beyond it. 0 before birth. */
  readonly featureLevelMax: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly revision: number;
  /** The oldest revision of the keys that can be read and watched from; 0 before any compaction. */
  readonly compactRevision: number;
  /** Up to where what is compacted is removed as well; `compactRevision` once all of it is. */
  readonly removedRevision: number;
  /** What keys and instances take in all revisions that are kept; the same on all nodes. */
  readonly storedBytes: number;
  /** With so much stored this node, as a leader, takes nothing that would make it more. */
  readonly quotaBytes: number;
  /** As a leader it compacts what was replaced longer ago than this; 0 is never. */
  readonly historyAgeMs: number;
  /** As a leader it keeps at most so many revisions; 0 is all. */
  readonly historyRevisions: number;
  /** 16 hexadecimal digits; equal on any two nodes with the same applied index. */
  readonly digest: string;
  readonly version: string;
}

/** Results of the methods that answer once. Every one carries the revision of the state it was made from. */
export interface Results {
  readonly put: { readonly revision: number; readonly previous: WirePair | null };
  readonly delete: {
    readonly revision: number;
    readonly deleted: number;
    readonly previous: readonly WirePair[];
  };
  readonly txn: { readonly revision: number } & WireTxnResult;
  readonly range: { readonly revision: number } & WireRange;
  readonly compact: { readonly revision: number };
  readonly leaseGrant: {
    readonly revision: number;
    readonly leaseId: string;
    readonly ttlMs: number;
  };
  readonly leaseRevoke: { readonly revision: number };
  readonly leaseKeepAlive: {
    readonly revision: number;
    readonly ttlsMs: readonly number[];
    /** How many instances stand in the registry with each lease. */
    readonly instances: readonly number[];
  };
  readonly leaseTimeToLive: {
    readonly revision: number;
    readonly grantedTtlMs: number;
    readonly remainingMs: number;
    readonly keys: readonly string[];
    /** There are more keys than these. */
    readonly more: boolean;
  };
  readonly leaseList: {
    readonly revision: number;
    readonly leases: readonly {
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly remainingMs: number;
    }[];
    /** There are more leases than these. */
    readonly more: boolean;
  };
  readonly register: { readonly revision: number; readonly created: boolean };
  readonly deregister: { readonly revision: number };
  readonly sessionOpen: {
    readonly revision: number;
    readonly sessionId: string;
    /** How long it lives after the last that was heard of its client. */
    readonly ttlMs: number;
  };
  readonly sessionRenew: { readonly revision: number };
  readonly sessionClose: { readonly revision: number };
  readonly discover: { readonly revision: number; readonly instances: readonly WireInstance[] };
  readonly services: {
    readonly revision: number;
    readonly services: readonly { readonly service: string; readonly instances: number }[];
  };
  readonly memberList: { readonly revision: number } & WireMembership;
  readonly memberAdd: { readonly revision: number } & WireMembership;
  readonly memberReplace: { readonly revision: number } & WireMembership;
  readonly memberPromote: { readonly revision: number } & WireMembership;
  readonly memberRemove: { readonly revision: number } & WireMembership;
  readonly transferLeadership: {
    readonly revision: number;
    readonly leaderId: string;
    readonly leaderName: string;
  };
  readonly status: NodeStatus;
  /** The revision of the state that was sent. */
  readonly snapshot: { readonly revision: number };
  readonly watchProgress: { readonly revision: number };
  readonly permit: { readonly revision: number };
  readonly cancel: { readonly revision: number };
}

/**
 * What the streaming methods send before they end. The changes of one revision come in one item, or, where
 * they are too many for a frame, in several that follow each other, all but the last with `more`.
 */
export interface Items {
  readonly watch:
    | { readonly type: 'created'; readonly revision: number }
    | {
        readonly type: 'events';
        readonly revision: number;
        readonly events: readonly WireEvent[];
        readonly more?: true;
      }
    /** A bookmark: everything up to the revision was told. */
    | { readonly type: 'progress'; readonly revision: number };
  readonly watchService:
    | {
        readonly type: 'view';
        readonly revision: number;
        readonly instances: readonly WireInstance[];
      }
    | {
        readonly type: 'changes';
        readonly revision: number;
        readonly events: readonly WireInstanceEvent[];
      };
  readonly snapshot: { readonly type: 'bytes'; readonly bytes: Uint8Array };
}

export type StreamMethod = keyof Items;
