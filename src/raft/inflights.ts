import { assert } from '../base/assert.ts';
import type { Index } from './types.ts';

/**
 * The appendEntries messages with entries that are on their way to one follower, by the last index
 * of each: a ring with room for the whole window. An acknowledgement frees every message at or
 * below its index, so lost acknowledgements cost nothing.
 *
 * Invariant: the indexes ascend from the oldest to the newest.
 */
export class Inflights {
  readonly #lastIndexes: Index[];
  #oldest = 0;
  #count = 0;

  constructor(capacity: number) {
    assert(capacity > 0, `An in-flight window of ${capacity} messages`);
    this.#lastIndexes = new Array<Index>(capacity).fill(0);
  }

  get isFull(): boolean {
    return this.#count === this.#lastIndexes.length;
  }

  add(lastIndex: Index): void {
    assert(!this.isFull, () => `Message to ${lastIndex} beyond a window of ${this.#count}`);
    this.#lastIndexes[(this.#oldest + this.#count) % this.#lastIndexes.length] = lastIndex;
    this.#count++;
  }

  freeThrough(index: Index): void {
    while (this.#count > 0 && (this.#lastIndexes[this.#oldest] as Index) <= index) {
      this.#oldest = (this.#oldest + 1) % this.#lastIndexes.length;
      this.#count--;
    }
  }

  clear(): void {
    this.#count = 0;
  }
}
