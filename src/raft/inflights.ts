import { assert } from '../base/assert.ts';
import type { Index, RaftOptions } from './types.ts';

type InflightBounds = Pick<RaftOptions, 'inflightMessagesMax' | 'inflightBytesMax'>;

/**
 * The appendEntries messages with entries that are on their way to one follower, by the last index
 * and the bytes of each: a ring with room for the whole window. An acknowledgement frees every message
 * at or below its index, so lost acknowledgements cost nothing. The window is full by count or by
 * bytes; what is over the bytes is less than the one message that filled it.
 *
 * Invariant: the indexes ascend from the oldest to the newest.
 */
export class Inflights {
  readonly #lastIndexes: Index[];
  readonly #sizes: number[];
  readonly #bytesMax: number;
  #oldest = 0;
  #count = 0;
  /** The sum of the sizes in the ring. */
  #bytes = 0;

  constructor({ inflightMessagesMax: capacity, inflightBytesMax: bytesMax }: InflightBounds) {
    assert(
      capacity > 0 && bytesMax > 0,
      `An in-flight window of ${capacity} messages and ${bytesMax} bytes`,
    );
    this.#lastIndexes = new Array<Index>(capacity).fill(0);
    this.#sizes = new Array<number>(capacity).fill(0);
    this.#bytesMax = bytesMax;
  }

  get isFull(): boolean {
    return this.#count === this.#lastIndexes.length || this.#bytes >= this.#bytesMax;
  }

  add(lastIndex: Index, bytes: number): void {
    assert(!this.isFull, () => `Message to ${lastIndex} beyond a window of ${this.#count}`);
    const slot = (this.#oldest + this.#count) % this.#lastIndexes.length;
    this.#lastIndexes[slot] = lastIndex;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  freeThrough(index: Index): void {
    while (this.#count > 0 && (this.#lastIndexes[this.#oldest] as Index) <= index) {
      this.#bytes -= this.#sizes[this.#oldest] as number;
      this.#oldest = (this.#oldest + 1) % this.#lastIndexes.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#count = 0;
    this.#bytes = 0;
  }
}
