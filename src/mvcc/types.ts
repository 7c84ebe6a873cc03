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

export interface RangeRequest extends KeyRange {
  /** 0 reads the newest revision. */
  readonly revision: Revision;
  /** 0 means no limit. */
  readonly limit: number;
  readonly keysOnly: boolean;
  readonly countOnly: boolean;
}

export interface RangeResult {
  /** In key order. */
  readonly pairs: readonly KeyValue[];
  /** How many keys the range holds, whatever the limit. */
  readonly count: number;
  readonly more: boolean;
}

export interface PutOperation {
  readonly type: 'put';
  readonly key: Key;
  readonly value: Uint8Array;
  readonly leaseId: LeaseId | null;
  readonly previous: boolean;
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
