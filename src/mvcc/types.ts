/** The vocabulary of one key space: etcd v3's words with etcd's meaning. */

/** A binary string: one character per byte (see base/bytes). */
export type Key = string;
export type Revision = number;
/** 16 hexadecimal digits. */
export type LeaseId = string;

/**
 * Which keys: `rangeEnd` null is the one key; otherwise [key, rangeEnd), where the single byte 0 as
 * `rangeEnd` means "to the end of the space" (etcd's from-key).
 */
export interface KeyRange {
  readonly key: Key;
  readonly rangeEnd: Key | null;
}

export interface KeyValue {
  readonly key: Key;
  readonly value: Uint8Array;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** 1 after the put that created the key. */
  readonly version: number;
  readonly leaseId: LeaseId | null;
}

export type SortTarget = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value';
/** Either way, what the order does not tell apart comes in key order. */
export type SortOrder = 'ascend' | 'descend';

/** Which of the keys of a range are answered, and in which order: first the bounds, then the order, then the limit. */
export interface Selection {
  readonly sortBy: SortTarget;
  readonly order: SortOrder;
  /** Inclusive, as are the others; 0 is no bound. */
  readonly minModRevision: Revision;
  readonly maxModRevision: Revision;
  readonly minCreateRevision: Revision;
  readonly maxCreateRevision: Revision;
}

export interface RangeRequest extends KeyRange, Selection {
  /** 0 reads the newest revision. */
  readonly revision: Revision;
  /** 0 means no limit. */
  readonly limit: number;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
}

/** A request without options: all of the newest revision, in key order. */
export const plainRange = {
  revision: 0,
  limit: 0,
  keysOnly: false,
  countOnly: false,
  sortBy: 'key',
  order: 'ascend',
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
} as const satisfies Omit<RangeRequest, keyof KeyRange>;

export interface RangeResult {
  readonly pairs: readonly KeyValue[];
  /** How many keys the range holds, whatever the limit and the bounds on revisions. */
  readonly count: number;
  /** The selection holds more pairs than these. */
  readonly more: boolean;
}

export interface PutOperation {
  readonly type: 'put';
  readonly key: Key;
  /** Empty with `ignoreValue`. */
  readonly value: Uint8Array;
  /** Null with `ignoreLease`. */
  readonly leaseId: LeaseId | null;
  readonly previous: boolean;
  /** The key keeps its value; refused with `keyNotFound` where there is none, as is the next. */
  readonly ignoreValue: boolean;
  /** The key keeps its lease, or that it has none. */
  readonly ignoreLease: boolean;
}
export interface DeleteOperation extends KeyRange {
  readonly type: 'delete';
  readonly previous: boolean;
}
export interface RangeOperation extends RangeRequest {
  readonly type: 'range';
}
export interface TxnOperation {
  readonly type: 'txn';
  readonly compares: readonly Compare[];
  readonly success: readonly Operation[];
  readonly failure: readonly Operation[];
}
export type Operation = PutOperation | DeleteOperation | RangeOperation | TxnOperation;

export type CompareOperator = 'equal' | 'notEqual' | 'less' | 'greater';

/** Over a range it must hold for every key in it; an absent key has version, revisions and lease 0 and no value. */
export type Compare = KeyRange & { readonly operator: CompareOperator } & (
    | { readonly target: 'value'; readonly value: Uint8Array }
    | {
        readonly target: 'version' | 'createRevision' | 'modRevision';
        readonly number: number;
      }
    | { readonly target: 'lease'; readonly leaseId: LeaseId | null }
  );

export type OperationResult =
  | { readonly type: 'put'; readonly previous: KeyValue | null }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous: readonly KeyValue[] }
  | ({ readonly type: 'range' } & RangeResult)
  | {
      readonly type: 'txn';
      readonly succeeded: boolean;
      readonly results: readonly OperationResult[];
    };

/** Why a key went or came: the registry's history tells it to people. */
export type ChangeCause = 'request' | 'leaseExpired' | 'leaseRevoked';

/** One change of one key. All changes of one revision travel together. */
export interface KeyEvent {
  readonly type: 'put' | 'delete';
  /** For a delete: value empty, version 0, createRevision 0, modRevision that of the delete. */
  readonly pair: KeyValue;
  readonly cause: ChangeCause;
}
