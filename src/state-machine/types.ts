/** What the replicated state machine is told, and what it answers. */
import type { ErrorCode } from '../base/errors.ts';
import type {
  DeleteOperation,
  KeyEvent,
  LeaseId,
  OperationResult,
  PutOperation,
  Revision,
  TxnOperation,
} from '../mvcc/types.ts';
import type { Instance, ServiceName } from '../registry/types.ts';

/** 16 hexadecimal digits. */
export type SessionId = string;

export type Command =
  | PutOperation
  | DeleteOperation
  | TxnOperation
  /** The proposer draws the id; a taken one is refused with `leaseExists`. */
  | { readonly type: 'leaseGrant'; readonly leaseId: LeaseId; readonly ttlMs: number }
  | { readonly type: 'leaseRevoke'; readonly leaseId: LeaseId }
  /** Renewals are gathered by the node: one command renews many. */
  | { readonly type: 'leaseKeepAlive'; readonly leaseIds: readonly LeaseId[] }
  | (ServiceName & {
      readonly type: 'register';
      readonly instance: Instance;
      /** Null registers a permanent instance. */
      readonly leaseId: LeaseId | null;
      /** False: refused with `instanceReplaced` while the instance stands there with another owner. */
      readonly replace: boolean;
    })
  | (ServiceName & {
      readonly type: 'deregister';
      readonly id: string;
      /** Given: refused with `instanceReplaced` unless the instance has this lease. */
      readonly leaseId: LeaseId | null;
    })
  /** The proposer draws the id, which is never drawn again. */
  | { readonly type: 'sessionOpen'; readonly sessionId: SessionId }
  | {
      readonly type: 'sessionRenew';
      readonly sessionId: SessionId;
      readonly acknowledgedThrough: number;
    }
  /** Of one that is gone already it does nothing. */
  | { readonly type: 'sessionClose'; readonly sessionId: SessionId }
  /**
   * Nothing before this revision of the space, which has to exist, can be read any more, nor watched from;
   * refused with `compacted` where the space is compacted up to it already.
   */
  | { readonly type: 'compact'; readonly space: KeySpaceName; readonly revision: Revision }
  /**
   * The first command of a cluster that goes on from a backup or from what was left of it: from here on
   * revisions are higher than any that was given before and is lost. No client can ask for it.
   */
  | { readonly type: 'beginIncarnation' }
  /**
   * From here on the log may hold what is of this feature level: the leader has seen that all members
   * know it. No client can ask for it.
   */
  | { readonly type: 'raiseFeatureLevel'; readonly level: number };

/**
 * The session header of a command: `sequence` counts the session's writes from 1, results up to
 * `acknowledgedThrough`, which is less, are no longer needed. Without a session all three are absent.
 */
export interface SessionHeader {
  readonly sessionId: SessionId;
  readonly sequence: number;
  readonly acknowledgedThrough: number;
}

export interface LoggedCommand {
  readonly session: SessionHeader | null;
  readonly command: Command;
}

/** The payload of a raft command entry. No commands at all: a clock entry. */
export interface CommandEntry {
  /** Milliseconds of log time (see lease/log-time). */
  readonly logTimeMs: number;
  /** For people only; nothing is decided by it. */
  readonly wallTimeMs: number;
  readonly commands: readonly LoggedCommand[];
}

export type CommandResult =
  | OperationResult
  | { readonly type: 'leaseGrant'; readonly leaseId: LeaseId; readonly ttlMs: number }
  | { readonly type: 'leaseRevoke' }
  | {
      readonly type: 'leaseKeepAlive';
      /** Parallel to the ids: the TTL that each has again, 0 for a lease that does not exist (as in etcd). */
      readonly ttlsMs: readonly number[];
      /** Parallel to the ids: how many instances stand in the registry with each. */
      readonly instances: readonly number[];
    }
  | { readonly type: 'register'; readonly created: boolean }
  | { readonly type: 'deregister' }
  | { readonly type: 'sessionOpen'; readonly sessionId: SessionId; readonly ttlMs: number }
  | { readonly type: 'sessionRenew' }
  | { readonly type: 'sessionClose' }
  | { readonly type: 'compact' }
  | { readonly type: 'beginIncarnation' }
  | { readonly type: 'raiseFeatureLevel' };

/** Per command, in order: its result, or the coded refusal, which had no effect. */
export type Outcome =
  | { readonly ok: true; readonly revision: Revision; readonly result: CommandResult }
  | {
      readonly ok: false;
      readonly revision: Revision;
      readonly code: ErrorCode;
      readonly message: string;
      readonly details?: Readonly<Record<string, string | number>>;
    };

export type KeySpaceName = 'kv' | 'registry';

/** Everything that one revision changed in one key space. */
export interface RevisionEvents {
  readonly space: KeySpaceName;
  readonly revision: Revision;
  readonly events: readonly KeyEvent[];
}

export interface Applied {
  readonly outcomes: readonly Outcome[];
  readonly revisions: readonly RevisionEvents[];
}

/** Where records live: the overlay over Level. Both calls are synchronous. Keys are binary strings. */
export interface Records {
  /** Not to be kept in memory is what is read once, as one of many: it would drive out what is read often. */
  read(key: string, keep?: boolean): Uint8Array | null;
  /** Null deletes. The bytes are the caller's again afterwards: what is kept is a copy. */
  write(key: string, bytes: Uint8Array | null): void;
}
