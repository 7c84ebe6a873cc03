import { assert } from '../base/assert.ts';
import type { Revision } from './types.ts';
import type { VersionTable } from './version-table.ts';

const chunkBits = 14;
const chunkLength = 1 << chunkBits;

/**
 * The slots of all changes of a space in the order in which they were made, (revision, sub): what a
 * watch reads from a revision on. In chunks, so that growing never copies a long log.
 */
export class RevisionLog {
  readonly #table: VersionTable;
  readonly #chunks: Uint32Array[] = [];
  #length = 0;

  constructor(table: VersionTable) {
    this.#table = table;
  }

  get length(): number {
    return this.#length;
  }

  /** The revision of the newest change; 0 when there is none. */
  get newest(): Revision {
    return this.#length === 0 ? 0 : this.#table.revision(this.at(this.#length - 1));
  }

  append(slot: number): void {
    const chunk = this.#length >>> chunkBits;
    if (chunk === this.#chunks.length) this.#chunks.push(new Uint32Array(chunkLength));
    (this.#chunks[chunk] as Uint32Array)[this.#length & (chunkLength - 1)] = slot;
    this.#length++;
  }

  /** Takes the newest change back. */
  pop(): void {
    assert(this.#length > 0, 'An empty log has no change to take back');
    this.#length--;
  }

  at(position: number): number {
    assert(position < this.#length, () => `Position ${position} of ${this.#length}`);
    const chunk = this.#chunks[position >>> chunkBits] as Uint32Array;
    return chunk[position & (chunkLength - 1)] as number;
  }

  /** The position of the first change at or above `revision`; the length when there is none. */
  from(revision: Revision): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#table.revision(this.at(middle)) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
