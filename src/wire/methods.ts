/**
 * The methods of `rollcall.v1`, their parameters and results. Parameters are checked by these schemas
 * before anything else sees them. Keys are **binary strings** also on the wire (msgpack `str`, one
 * character of 0–255 per byte); values are msgpack `bin`; 64-bit ids are 16 hexadecimal digits.
 */

import { RollcallError } from '../base/errors.ts';
import { isName, limits } from '../base/limits.ts';
import {
  array,
  boolean,
  type Infer,
  integer,
  invalid,
  matching,
  nullable,
  object,
  oneOf,
  optional,
  pair,
  type Schema,
  tagged,
  text,
} from './schema.ts';

const id = matching(/^(?!0{16})[0-9a-f]{16}$/, 'an id of 16 hexadecimal digits, not all 0');
const noParameters = object({});

const key: Schema<string> = (value, path) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: any byte may stand in a key.
  if (typeof value !== 'string' || value === '' || !/^[\x00-\xff]*$/.test(value)) {
    throw invalid(path, 'at least one byte, as a binary string');
  }
  if (value.length > limits.keyBytesMax) {
    throw new RollcallError(
      'keyTooLong',
      `${path} has ${value.length} bytes, at most ${limits.keyBytesMax} allowed`,
    );
  }
  return value;
};

const value: Schema<Uint8Array> = (bytes, path) => {
  if (!(bytes instanceof Uint8Array)) throw invalid(path, 'bytes');
  if (bytes.length > limits.valueBytesMax) {
    throw new RollcallError(
      'valueTooLarge',
      `${path} has ${bytes.length} bytes, at most ${limits.valueBytesMax} allowed`,
    );
  }
  return bytes;
};

const name: Schema<string> = (given, path) => {
  if (typeof given !== 'string' || !isName(given)) {
    throw invalid(path, 'a name: 1 to 128 of a-z 0-9 . _ -, first a letter or digit');
  }
  return given;
};

const ttlMs = integer(limits.leaseTtlMsMin, limits.leaseTtlMsMax);
const revision = optional(integer(0), 0);
const rangeEnd = optional(nullable(key), null);

const putFields = {
  key,
  value,
  leaseId: optional(nullable(id), null),
  previous: optional(boolean, false),
};
const deleteFields = { key, rangeEnd, previous: optional(boolean, false) };
const rangeFields = {
  key,
  rangeEnd,
  revision,
  limit: optional(integer(0), 0),
  keysOnly: optional(boolean, false),
  countOnly: optional(boolean, false),
};

const compareFields = { key, rangeEnd, operator: oneOf('equal', 'notEqual', 'less', 'greater') };
const compare = tagged('target', {
  value: object({ ...compareFields, value }),
  version: object({ ...compareFields, number: integer(0) }),
  createRevision: object({ ...compareFields, number: integer(0) }),
  modRevision: object({ ...compareFields, number: integer(0) }),
  lease: object({ ...compareFields, leaseId: nullable(id) }),
});

export interface WireTxn {
  readonly compares: readonly Infer<typeof compare>[];
  readonly success: readonly WireOperation[];
  readonly failure: readonly WireOperation[];
}
export type WireOperation =
  | ({ readonly type: 'put' } & Infer<typeof put>)
  | ({ readonly type: 'delete' } & Infer<typeof deleteRange>)
  | ({ readonly type: 'range' } & Infer<typeof rangeOperation>)
  | ({ readonly type: 'txn' } & WireTxn);

/** The same error as for too many over all branches, which the transaction's own check counts. */
function steps<T>(step: Schema<T>): Schema<readonly T[]> {
  const most = limits.transactionOperationsMax;
  const parse = array(step, most);
  return (given, path) => {
    if (Array.isArray(given) && given.length > most) {
      const message = `${path} has ${given.length} operations, at most ${most} allowed`;
      throw new RollcallError('tooManyOperations', message);
    }
    return parse(given, path);
  };
}

const put = object(putFields);
const deleteRange = object(deleteFields);
const rangeOperation = object(rangeFields);

// The depth is bounded by the frame scan, the number of operations by the transaction's own check.
const operation: Schema<WireOperation> = (given, path) => anyOperation(given, path);
const operations = steps(operation);
const txn: Schema<WireTxn> = object({
  compares: optional(steps(compare), []),
  success: optional(operations, []),
  failure: optional(operations, []),
});
const anyOperation: Schema<WireOperation> = tagged('type', {
  put,
  delete: deleteRange,
  range: rangeOperation,
  txn,
});

const serviceFields = { namespace: optional(name, 'default'), service: name };
/** Serializable reads: answered by any node that has applied `minRevision`, without asking the others. */
const freshness = { serializable: optional(boolean, false), minRevision: revision };

const instance = object({
  id: name,
  address: matching(
    /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):([1-9][0-9]{0,4})$/,
    'an address HOST:PORT',
  ),
  tags: optional(array(text(128, 1), 64), []),
  metadata: optional(array(pair(text(128, 1), text(1024)), 64), []),
});

export const methods = {
  put,
  delete: deleteRange,
  txn,
  range: object({ ...rangeFields, ...freshness }),
  leaseGrant: object({ leaseId: optional(nullable(id), null), ttlMs }),
  leaseRevoke: object({ leaseId: id }),
  leaseKeepAlive: object({ leaseIds: array(id, 10_000) }),
  leaseTimeToLive: object({ leaseId: id, keys: optional(boolean, false) }),
  leaseList: noParameters,
  /** With `replace` false it is refused while the instance stands there with another living owner. */
  register: object({
    ...serviceFields,
    instance,
    leaseId: optional(nullable(id), null),
    replace: optional(boolean, true),
  }),
  /** With a lease it is refused unless the instance has this lease. */
  deregister: object({ ...serviceFields, id: name, leaseId: optional(nullable(id), null) }),
  discover: object({ ...serviceFields, ...freshness }),
  services: object({ namespace: optional(name, 'default'), ...freshness }),
  memberList: noParameters,
  /** Names or ids of members; a node to take in has to ask for it (`server --join`). */
  memberAdd: object({ name, autoPromote: optional(boolean, true) }),
  memberReplace: object({ member: name, by: name }),
  memberPromote: object({ member: name }),
  memberRemove: object({ member: name }),
  transferLeadership: object({ to: optional(nullable(name), null) }),
  status: noParameters,
  /** A stream: `created`, then `events`, until an error or `cancel`. `startRevision` 0 is "from now". */
  watch: object({ key, rangeEnd, startRevision: revision, previous: optional(boolean, false) }),
  /** A stream: the whole `view` first, then its `changes`. */
  watchService: object({ ...serviceFields, minRevision: revision }),
  /**
   * A stream: the bytes of a backup file, then a result. At most `window` items come before the client
   * permits more of them.
   */
  snapshot: object({ ...freshness, window: integer(1, 64) }),
  /** Lets the snapshot that the request `id` of the same connection began send so many items more. */
  permit: object({ id: integer(1, 0xffffffff), items: integer(1, 64) }),
  /** Ends the stream that the request `id` of the same connection began. */
  cancel: object({ id: integer(1, 0xffffffff) }),
} as const;

export type Method = keyof typeof methods;
export type Parameters<M extends Method> = Infer<(typeof methods)[M]>;

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
   */
  readonly troubles: readonly ('stateMissing' | 'noSpace')[];
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
  };
  readonly leaseList: {
    readonly revision: number;
    readonly leases: readonly {
      readonly leaseId: string;
      readonly ttlMs: number;
      readonly remainingMs: number;
    }[];
  };
  readonly register: { readonly revision: number; readonly created: boolean };
  readonly deregister: { readonly revision: number };
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
      };
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
