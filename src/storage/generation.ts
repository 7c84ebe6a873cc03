/**
 * Records on their way into Level, in the order in which they were written. Most are written once and
 * not read before Level has them, so what is found by key is looked up in an index that only reads
 * bring up to date: a table that grew with every write would cost more than all else that a write does.
 */
import type { LevelChange } from './types.ts';
import { recordBytes } from './value-cache.ts';

export class Generation {
  /** What was written, one key for each of the bytes; null deletes. */
  readonly #keys: string[] = [];
  readonly #values: (Uint8Array | null)[] = [];
  /** Where each key was written last, among the first `#indexed` writes. */
  readonly #index = new Map<string, number>();
  #indexed = 0;
  #bytes = 0;

  /** What is replaced within the generation counts as well. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Later ones replace earlier ones of the same key. */
  *changes(): Iterable<LevelChange> {
    for (const [at, key] of this.#keys.entries()) yield [key, this.#values[at] ?? null];
  }

  /** Null: deleted. Undefined: not in this generation. */
  get(key: string): Uint8Array | null | undefined {
    for (; this.#indexed < this.#keys.length; this.#indexed++) {
      this.#index.set(this.#keys[this.#indexed] as string, this.#indexed);
    }
    const at = this.#index.get(key);
    return at === undefined ? undefined : (this.#values[at] as Uint8Array | null);
  }

  set(key: string, bytes: Uint8Array | null): void {
    this.#keys.push(key);
    this.#values.push(bytes);
    this.#bytes += recordBytes(key, bytes);
  }
}
