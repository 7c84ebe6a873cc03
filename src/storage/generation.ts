/**
 * Records on their way into Level, in the order in which they were written. Most are written once and
 * not read before Level has them, so what is found by key is looked up in an index that only reads
 * bring up to date: a table that grew with every write would cost more than all else that a write does.
 * Their bytes are copied into chunks for the same reason: an object for each would be carried along by
 * the garbage collector until Level has it.
 */
import type { LevelChange } from './types.ts';
import { recordBytes } from './value-cache.ts';

/** Small enough that one record may well keep it from being freed. */
const chunkBytes = 64 * 1024;
const deleted = -1;

export class Generation {
  /** What was written, one key for each of the records. */
  readonly #keys: string[] = [];
  /** Of each record the position of its bytes, chunk × `chunkBytes` + offset; `deleted` for none. */
  readonly #positions: number[] = [];
  readonly #lengths: number[] = [];
  readonly #chunks: Uint8Array[] = [];
  /** How much of the newest chunk is taken. */
  #used = chunkBytes;
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
    for (const [at, key] of this.#keys.entries()) yield [key, this.#value(at)];
  }

  /** Null: deleted. Undefined: not in this generation. */
  get(key: string): Uint8Array | null | undefined {
    for (; this.#indexed < this.#keys.length; this.#indexed++) {
      this.#index.set(this.#keys[this.#indexed] as string, this.#indexed);
    }
    const at = this.#index.get(key);
    return at === undefined ? undefined : this.#value(at);
  }

  set(key: string, bytes: Uint8Array | null): void {
    this.#keys.push(key);
    this.#positions.push(bytes === null ? deleted : this.#copy(bytes));
    this.#lengths.push(bytes === null ? 0 : bytes.length);
    this.#bytes += recordBytes(key, bytes);
  }

  #value(at: number): Uint8Array | null {
    const position = this.#positions[at] as number;
    if (position === deleted) return null;
    const chunk = this.#chunks[Math.floor(position / chunkBytes)] as Uint8Array;
    const start = position % chunkBytes;
    return chunk.subarray(start, start + (this.#lengths[at] as number));
  }

  /** Bytes that do not fit into what is left begin another chunk, one of their own size if need be. */
  #copy(bytes: Uint8Array): number {
    if (this.#used + bytes.length > chunkBytes) {
      this.#chunks.push(new Uint8Array(Math.max(chunkBytes, bytes.length)));
      this.#used = 0;
    }
    const start = this.#used;
    const newest = this.#chunks.length - 1;
    (this.#chunks[newest] as Uint8Array).set(bytes, start);
    this.#used += bytes.length;
    return newest * chunkBytes + start;
  }
}
