/** Software transactions: a function that reads and writes as if it were alone, run again where it was not. */
import { bytesFromBinary, utf8Decode } from '../../base/bytes.ts';
import { RollcallError } from '../../base/errors.ts';
import { backoffMs } from '../backoff.ts';
import { binaryKey, type Key, type Value, valueBytes } from '../key.ts';
import type { KeyValue } from '../key-value.ts';
import type { Keys } from '../keys.ts';
import { pause } from '../outside.ts';
import { type Compare, compare, type Operation, operation, type PutOptions } from '../txn.ts';
import { checkSignal } from './persistence.ts';

const backoff = { minMs: 1, maxMs: 100 };

export interface AtomicallyOptions {
  /** Ends the attempts: `cancelled`. */
  readonly signal?: AbortSignal;
  /** Of each request, in milliseconds. */
  readonly timeoutMs?: number;
}

type AtomicPutOptions = Pick<PutOptions, 'leaseId'>;

/** What the transaction has written to a key; null has deleted it. */
type Written = { readonly value: Uint8Array; readonly options: AtomicPutOptions } | null;

/**
 * What `atomically` hands to its function. All reads are of one revision, and see what the function has written
 * itself; nothing is written before it has ended.
 */
export class AtomicTransaction {
  readonly #keys: Keys;
  readonly #options: AtomicallyOptions;
  /** Of all reads; null before the first, which takes the newest. */
  #revision: Promise<number> | null = null;
  readonly #read = new Map<string, Promise<KeyValue | null>>();
  readonly #written = new Map<string, Written>();
  #isStale = false;

  /** @internal */
  constructor(keys: Keys, options: AtomicallyOptions) {
    this.#keys = keys;
    this.#options = options;
  }

  /** The value of a key, or null if there is none. */
  async get(key: Key): Promise<Uint8Array | null> {
    const name = binaryKey(key);
    const written = this.#written.get(name);
    if (written !== undefined) return written === null ? null : written.value;
    return (await this.#pair(name, key))?.value ?? null;
  }

  /** The same as text. */
  async getText(key: Key): Promise<string | null> {
    const value = await this.get(key);
    return value && utf8Decode(value);
  }

  /** Stores a value, with a lease if there is one, once the function has ended. */
  put(key: Key, value: Value, options: AtomicPutOptions = {}): void {
    this.#written.set(binaryKey(key), { value: valueBytes(value), options });
  }

  /** Deletes a key, if it is there, once the function has ended. */
  delete(key: Key): void {
    this.#written.set(binaryKey(key), null);
  }

  /** @internal Some read came too late for the revision of the others: they say nothing. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** @internal True once everything is written; false, and nothing is, where a key that was read has changed. */
  async commit(): Promise<boolean> {
    // What was read is of one revision, so that without a write nothing can be wrong with it.
    if (this.#written.size === 0) return true;
    const conditions: Compare[] = [];
    for (const [name, reading] of this.#read) {
      const modRevision = (await reading)?.modRevision ?? 0;
      conditions.push(compare.modRevision(bytesFromBinary(name), 'equal', modRevision));
    }
    const success: Operation[] = [...this.#written].map(([name, written]) =>
      written === null
        ? operation.delete(bytesFromBinary(name))
        : operation.put(bytesFromBinary(name), written.value, written.options),
    );
    const { succeeded } = await this.#keys.txn({ compare: conditions, success }, this.#options);
    return succeeded;
  }

  #pair(name: string, key: Key): Promise<KeyValue | null> {
    const known = this.#read.get(name);
    if (known !== undefined) return known;
    const reading = this.#fetch(key);
    this.#read.set(name, reading);
    return reading;
  }

  async #fetch(key: Key): Promise<KeyValue | null> {
    if (this.#revision === null) {
      const first = this.#keys.range(key, this.#options);
      this.#revision = first.then(({ revision }) => revision);
      // Whoever reads next hears of it, too; nobody has to.
      this.#revision.catch(() => {});
      return (await first).pairs[0] ?? null;
    }
    const revision = await this.#revision;
    try {
      return await this.#keys.get(key, { ...this.#options, revision });
    } catch (error) {
      const isCompacted = error instanceof RollcallError && error.code === 'compacted';
      if (isCompacted) this.#isStale = true;
      throw error;
    }
  }
}

/** See `Keys.atomically`. */
export async function atomically<T>(
  keys: Keys,
  run: (transaction: AtomicTransaction) => Promise<T>,
  options: AtomicallyOptions,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    checkSignal(options.signal);
    const transaction = new AtomicTransaction(keys, options);
    try {
      const result = await run(transaction);
      if (!transaction.isStale && (await transaction.commit())) return result;
    } catch (error) {
      if (!transaction.isStale) throw error;
    }
    await pause(keys.clock, backoffMs(backoff, attempt, keys.random), options.signal ?? null);
  }
}
