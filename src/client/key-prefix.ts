/** The keys of a namespace and those that the cluster knows them by. */
import { RollcallError } from '../base/errors.ts';
import type { WireOperation, WireTxn } from '../wire/methods.ts';
import type { WireOperationResult, WirePair, WireTxnResult } from '../wire/results.ts';
import { binaryKey, type Key, prefixEnd, toSpaceEnd } from './key.ts';

interface Keyed {
  readonly key: string;
  readonly rangeEnd?: string | null;
}

/**
 * What stands before every key of a namespace. Whatever goes in names only keys that begin with it, and what
 * comes out is without it: a range between two keys that begin alike holds only keys that do, and one without
 * an end is given that of the prefix. The key that is the prefix itself is outside, as an empty key is none.
 */
export class KeyPrefix {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  get isEmpty(): boolean {
    return this.#prefix === '';
  }

  /** The prefix of a namespace in this one. */
  within(inner: Key): KeyPrefix {
    const prefix = binaryKey(inner);
    if (prefix === '') throw new RollcallError('invalidArgument', 'A namespace needs a prefix');
    return new KeyPrefix(this.#prefix + prefix);
  }

  /** Parameters with a key, and perhaps the end of a range, as the cluster is asked. */
  into<T extends Keyed>(parameters: T): T {
    if (this.#prefix === '') return parameters;
    const { key, rangeEnd } = parameters;
    if (key === '' || rangeEnd === '') {
      throw new RollcallError('invalidArgument', 'A key has at least one byte');
    }
    const named = { ...parameters, key: this.#prefix + key };
    if (rangeEnd === undefined || rangeEnd === null) return named;
    const end = rangeEnd === toSpaceEnd ? prefixEnd(this.#prefix) : this.#prefix + rangeEnd;
    return { ...named, rangeEnd: end };
  }

  intoTxn(txn: WireTxn): WireTxn {
    if (this.#prefix === '') return txn;
    return {
      compares: txn.compares.map((compare) => this.into(compare)),
      success: txn.success.map((step) => this.#intoOperation(step)),
      failure: txn.failure.map((step) => this.#intoOperation(step)),
    };
  }

  /** Whether the cluster's key is one of the namespace. */
  holds(key: string): boolean {
    return key.length > this.#prefix.length && key.startsWith(this.#prefix);
  }

  keyOutOf(key: string): string {
    return key.slice(this.#prefix.length);
  }

  outOf(pair: WirePair): WirePair {
    return this.#prefix === '' ? pair : { ...pair, key: this.keyOutOf(pair.key) };
  }

  outOfTxn(result: WireTxnResult): WireTxnResult {
    if (this.#prefix === '') return result;
    return { ...result, results: result.results.map((step) => this.#outOfOperation(step)) };
  }

  #intoOperation(operation: WireOperation): WireOperation {
    if (operation.type === 'txn') return { type: 'txn', ...this.intoTxn(operation) };
    return this.into(operation);
  }

  #outOfOperation(result: WireOperationResult): WireOperationResult {
    switch (result.type) {
      case 'put':
        return { ...result, previous: result.previous && this.outOf(result.previous) };
      case 'delete':
        return { ...result, previous: result.previous.map((pair) => this.outOf(pair)) };
      case 'range':
        return { ...result, pairs: result.pairs.map((pair) => this.outOf(pair)) };
      case 'txn':
        return { ...result, ...this.outOfTxn(result) };
    }
  }
}

/** Every key of the cluster. */
export const noPrefix = new KeyPrefix('');
