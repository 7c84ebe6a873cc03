import { randomId } from '../../base/prng.ts';
import type { CallOptions } from '../call.ts';
import type { Value } from '../key.ts';
import type { KeyValue } from '../key-value.ts';
import type { Keys } from '../keys.ts';
import { compare, operation } from '../txn.ts';
import { awaitChange, persist } from './persistence.ts';

/**
 * Values that come out in the order in which they went in, each of them once, however many take them. One that is
 * taken is gone, also where its taker dies with it. The items are the keys that begin with `name/`.
 */
export class Queue {
  readonly #keys: Keys;
  readonly #prefix: string;

  /** @internal Queues come from `Client.queue`. */
  constructor(keys: Keys, name: string) {
    this.#keys = keys;
    this.#prefix = `${name}/`;
  }

  /** Puts a value at the end. Rejects as `Client.put` does. */
  async add(value: Value, options: CallOptions = {}): Promise<{ readonly revision: number }> {
    const { revision } = await this.#keys.put(
      this.#prefix + randomId(this.#keys.random),
      value,
      options,
    );
    return { revision };
  }

  /** Takes the first value, or null if there is none. */
  async tryTake(options: CallOptions = {}): Promise<KeyValue | null> {
    for (;;) {
      const { pairs } = await this.#first(options);
      const [pair] = pairs;
      if (pair === undefined) return null;
      if (await this.#take(pair, options)) return pair;
    }
  }

  /** Takes the first value and waits for one if there is none. Rejects with `cancelled` by its signal. */
  async take(options: CallOptions = {}): Promise<KeyValue> {
    const { signal } = options;
    for (;;) {
      const pair = await persist(this.#keys, signal, async () => {
        for (;;) {
          const { pairs, revision } = await this.#first(options);
          if (pairs[0] !== undefined) return pairs[0];
          const startRevision = revision + 1;
          const prefix = { prefix: this.#prefix };
          await awaitChange(this.#keys, prefix, { startRevision, only: 'put', signal });
        }
      });
      if (await this.#take(pair, options)) return pair;
    }
  }

  #first(options: CallOptions) {
    return this.#keys.range(
      { prefix: this.#prefix },
      { sortBy: 'createRevision', limit: 1, ...options },
    );
  }

  /** False where another was faster. */
  async #take({ key, modRevision }: KeyValue, options: CallOptions): Promise<boolean> {
    const { succeeded } = await this.#keys.txn(
      {
        compare: [compare.modRevision(key, 'equal', modRevision)],
        success: [operation.delete(key)],
      },
      options,
    );
    return succeeded;
  }
}
