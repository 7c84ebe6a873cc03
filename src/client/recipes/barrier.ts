import type { CallOptions } from '../call.ts';
import type { Keys } from '../keys.ts';
import { compare, operation } from '../txn.ts';
import { awaitChange, persist } from './persistence.ts';

/** Keeps everybody who waits until somebody opens it. It is closed while the key of its name is there. */
export class Barrier {
  readonly #keys: Keys;
  readonly #name: string;

  /** @internal Barriers come from `Client.barrier`. */
  constructor(keys: Keys, name: string) {
    this.#keys = keys;
    this.#name = name;
  }

  /**
   * Closes it; false if it is closed already. With a lease it opens by itself when that ends. Rejects as every
   * request does, and with `leaseNotFound`.
   */
  async close(options: CallOptions & { readonly leaseId?: string } = {}): Promise<boolean> {
    const { leaseId = null, ...call } = options;
    const { succeeded } = await this.#keys.txn(
      {
        compare: [compare.createRevision(this.#name, 'equal', 0)],
        success: [operation.put(this.#name, '', { leaseId })],
      },
      call,
    );
    return succeeded;
  }

  /** Lets all go who wait; false if it is open already. */
  async open(options: CallOptions = {}): Promise<boolean> {
    return (await this.#keys.delete(this.#name, options)).deleted > 0;
  }

  /** Resolves once it is open, at once if it is; rejects with `cancelled` when the signal aborts before. */
  async wait(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    await persist(this.#keys, signal, async () => {
      for (;;) {
        const { revision, pairs } = await this.#keys.range(this.#name, {
          ...{ keysOnly: true, ...options },
        });
        if (pairs.length === 0) return;
        const startRevision = revision + 1;
        await awaitChange(this.#keys, this.#name, { startRevision, only: 'delete', signal });
      }
    });
  }
}
