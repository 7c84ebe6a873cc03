/** Transactions: small functions that build their parts, and their results. */
import { RollcallError } from '../base/errors.ts';
import type { WireOperation, WireTxn } from '../wire/methods.ts';
import type { WireOperationResult, WireTxnResult } from '../wire/results.ts';
import { type Key, type KeySelector, keyRange, type Value, valueBytes } from './key.ts';
import { KeyValue, keyValueOrNull } from './key-value.ts';

export type CompareOperator = 'equal' | 'notEqual' | 'less' | 'greater';

/** A condition; over several keys it must hold for each. Made by `compare`. */
export type Compare = WireTxn['compares'][number];
/** One step of a branch. Made by `operation`. */
export type Operation = WireOperation;

export interface Txn {
  /** All must hold for `success` to run; without any they do. */
  readonly compare?: readonly Compare[];
  readonly success?: readonly Operation[];
  readonly failure?: readonly Operation[];
}

export interface PutOptions {
  /** The key goes with this lease. Without one the put takes the key off its lease. */
  readonly leaseId?: string | null;
  /** Answer with the pair before. */
  readonly previous?: boolean;
  /** The key keeps the value that it has; the value that is given must be empty then. */
  readonly ignoreValue?: boolean;
  /** The key keeps its lease, or that it has none; there must be no `leaseId` then. */
  readonly ignoreLease?: boolean;
}

export type SortTarget = 'key' | 'version' | 'createRevision' | 'modRevision' | 'value';
export type SortOrder = 'ascend' | 'descend';

export interface ReadOptions {
  /** Read the state as of this revision. */
  readonly revision?: number;
  /** At most so many pairs: the first ones, after bounds and order. */
  readonly limit?: number;
  /** By what to sort, by the key if this is absent. Those that are alike come in key order. */
  readonly sortBy?: SortTarget;
  /** Default `ascend`. */
  readonly order?: SortOrder;
  /** Only keys last changed at this revision or later; as with the other bounds, 0 is none. */
  readonly minModRevision?: number;
  readonly maxModRevision?: number;
  /** Only keys created at this revision or later. */
  readonly minCreateRevision?: number;
  readonly maxCreateRevision?: number;
  /** Leave the values out. */
  readonly keysOnly?: boolean;
  /** Only the number of keys. */
  readonly countOnly?: boolean;
}

export interface DeleteOptions {
  /** Answer with the deleted pairs. */
  readonly previous?: boolean;
}

export interface Range {
  readonly pairs: readonly KeyValue[];
  /** How many keys there are, whatever the limit and the bounds on revisions. */
  readonly count: number;
  /** There are more pairs than these within the bounds. */
  readonly more: boolean;
}

export interface TxnResult {
  /** True: the conditions held and `success` ran. False: `failure` ran. */
  readonly succeeded: boolean;
  /** One for each operation of the branch that ran. */
  readonly results: readonly OperationResult[];
}

export type OperationResult =
  | { readonly type: 'put'; readonly previous: KeyValue | null }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous: readonly KeyValue[] }
  | ({ readonly type: 'range' } & Range)
  | ({ readonly type: 'txn' } & TxnResult);

/**
 * Conditions of a transaction. A key that does not exist has version, revisions and lease 0 and no
 * value: `compare.version(key, 'equal', 0)` says "there is no such key".
 */
export const compare = {
  value(keys: KeySelector, operator: CompareOperator, value: Value): Compare {
    return { target: 'value', ...keyRange(keys), operator, value: valueBytes(value) };
  },
  version(keys: KeySelector, operator: CompareOperator, number: number): Compare {
    return { target: 'version', ...keyRange(keys), operator, number };
  },
  createRevision(keys: KeySelector, operator: CompareOperator, number: number): Compare {
    return { target: 'createRevision', ...keyRange(keys), operator, number };
  },
  modRevision(keys: KeySelector, operator: CompareOperator, number: number): Compare {
    return { target: 'modRevision', ...keyRange(keys), operator, number };
  },
  /** Null stands for "no lease". */
  lease(keys: KeySelector, operator: CompareOperator, leaseId: string | null): Compare {
    return { target: 'lease', ...keyRange(keys), operator, leaseId };
  },
} as const;

/** Steps of a transaction. */
export const operation = {
  put(key: Key, value: Value, options: PutOptions = {}): Operation {
    return { type: 'put', ...putParameters(key, value, options) };
  },
  /** One key, or the keys that a selector names. */
  range(keys: KeySelector, options: ReadOptions = {}): Operation {
    return { type: 'range', ...rangeParameters(keys, options) };
  },
  delete(keys: KeySelector, options: DeleteOptions = {}): Operation {
    return { type: 'delete', ...keyRange(keys), previous: options.previous ?? false };
  },
  /** A transaction within the transaction. */
  txn(txn: Txn): Operation {
    return { type: 'txn', ...txnParameters(txn) };
  },
} as const;

export function putParameters(key: Key, value: Value, options: PutOptions) {
  return {
    key: keyRange(key).key,
    value: valueBytes(value),
    leaseId: options.leaseId ?? null,
    previous: options.previous ?? false,
    ignoreValue: options.ignoreValue ?? false,
    ignoreLease: options.ignoreLease ?? false,
  };
}

export function rangeParameters(keys: KeySelector, options: ReadOptions) {
  return {
    ...keyRange(keys),
    revision: options.revision ?? 0,
    limit: options.limit ?? 0,
    keysOnly: options.keysOnly ?? false,
    countOnly: options.countOnly ?? false,
    sortBy: options.sortBy ?? 'key',
    order: options.order ?? 'ascend',
    minModRevision: options.minModRevision ?? 0,
    maxModRevision: options.maxModRevision ?? 0,
    minCreateRevision: options.minCreateRevision ?? 0,
    maxCreateRevision: options.maxCreateRevision ?? 0,
  };
}

/** As many levels as a frame may have, and two for each transaction, leave room for so many. */
const nestingMax = 14;

/** A frame that is too deep would cost the connection, and bring its other requests into doubt. */
export function checkNesting(txn: WireTxn, level = 1): void {
  if (level > nestingMax) {
    const message = `The transaction is nested more than ${nestingMax} deep`;
    throw new RollcallError('tooManyOperations', message);
  }
  for (const branch of [txn.success, txn.failure]) {
    for (const step of branch) if (step.type === 'txn') checkNesting(step, level + 1);
  }
}

export function txnParameters(txn: Txn): WireTxn {
  return { compares: txn.compare ?? [], success: txn.success ?? [], failure: txn.failure ?? [] };
}

export function txnResult(result: WireTxnResult): TxnResult {
  return { succeeded: result.succeeded, results: result.results.map(operationResult) };
}

function operationResult(result: WireOperationResult): OperationResult {
  switch (result.type) {
    case 'put':
      return { type: 'put', previous: keyValueOrNull(result.previous) };
    case 'delete': {
      const previous = result.previous.map((pair) => new KeyValue(pair));
      return { type: 'delete', deleted: result.deleted, previous };
    }
    case 'range': {
      const pairs = result.pairs.map((pair) => new KeyValue(pair));
      return { type: 'range', pairs, count: result.count, more: result.more };
    }
    case 'txn':
      return { type: 'txn', ...txnResult(result) };
  }
}
