import { assert } from '../base/assert.ts';
import type { Revision } from './types.ts';
import type { VersionTable } from './version-table.ts';

const chunkLength = 1024;

/**
 * A part of the log. Invariant: none is empty, and no two neighbours of which a change was removed would
 * fit into half a chunk.
 */
interface Chunk {
  readonly slots: Uint32Array;
  length: number;
}

/**
 * The slots of all changes of a space that are kept, in the order in which they were made, (revision,
 * sub): what a watch reads from a revision on. In chunks, so that neither growing nor removing from the
 * middle ever moves much.
 */
export class RevisionLog {
  readonly #table: VersionTable;
  readonly #chunks: Chunk[] = [];
  #length = 0;

  constructor(table: VersionTable) {
    this.#table = table;
  }

  get length(): number {
    return this.#length;
  }

  /** The slot of the newest change; −1 when there is none. */
  get newest(): number {
    const chunk = this.#chunks.at(-1);
    return chunk === undefined ? -1 : (chunk.slots[chunk.length - 1] as number);
  }

  append(slot: number): void {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.length === chunkLength) {
      chunk = { slots: new Uint32Array(chunkLength), length: 0 };
      this.#chunks.push(chunk);
    }
    chunk.slots[chunk.length++] = slot;
    this.#length++;
  }

  /** Takes the newest change back. */
  pop(): void {
    const chunk = this.#chunks.at(-1);
    assert(chunk !== undefined, 'An empty log has no change to take back');
    chunk.length--;
    this.#length--;
    if (chunk.length === 0) this.#chunks.pop();
  }

  /** Removes a change that is in the log, wherever it stands. */
  remove(slot: number): void {
    const at = this.#chunkAt(this.#table.revision(slot));
    for (let number = at; number < this.#chunks.length; number++) {
      const chunk = this.#chunks[number] as Chunk;
      const offset = chunk.slots.subarray(0, chunk.length).indexOf(slot);
      if (offset === -1) continue;
      chunk.slots.copyWithin(offset, offset + 1, chunk.length);
      chunk.length--;
      this.#length--;
      this.#shrink(number);
      return;
    }
    assert(false, () => `Slot ${slot} is not in the log`);
  }

  /** The revision of the change that so many newer ones follow; 0 when there are not so many. */
  revisionFollowedBy(newer: number): Revision {
    let left = newer;
    for (let number = this.#chunks.length - 1; number >= 0; number--) {
      const { slots, length } = this.#chunks[number] as Chunk;
      if (left < length) return this.#table.revision(slots[length - 1 - left] as number);
      left -= length;
    }
    return 0;
  }

  /** The slots of the changes at or above `revision`, in order. Nothing may be removed meanwhile. */
  *from(revision: Revision): Generator<number, undefined> {
    let number = this.#chunkAt(revision);
    let offset = this.#offsetIn(number, revision);
    for (; number < this.#chunks.length; number++) {
      const { slots, length } = this.#chunks[number] as Chunk;
      for (; offset < length; offset++) yield slots[offset] as number;
      offset = 0;
    }
  }

  /** The number of the first chunk that may hold changes of `revision`. */
  #chunkAt(revision: Revision): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { slots, length } = this.#chunks[middle] as Chunk;
      if (this.#table.revision(slots[length - 1] as number) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many changes of the chunk are older than `revision`. */
  #offsetIn(number: number, revision: Revision): number {
    const chunk = this.#chunks[number];
    let low = 0;
    let high = chunk?.length ?? 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#table.revision(chunk?.slots[middle] as number) < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #shrink(number: number): void {
    const { length } = this.#chunks[number] as Chunk;
    if (length === 0) this.#chunks.splice(number, 1);
    else if (!this.#merge(number - 1)) this.#merge(number);
  }

  /** Makes one of a chunk and the next, if they fit into half of one: the newest keeps room to grow. */
  #merge(number: number): boolean {
    const chunk = this.#chunks[number];
    const next = this.#chunks[number + 1];
    if (chunk === undefined || next === undefined) return false;
    if (chunk.length + next.length > chunkLength / 2) return false;
    chunk.slots.set(next.slots.subarray(0, next.length), chunk.length);
    chunk.length += next.length;
    this.#chunks.splice(number + 1, 1);
    return true;
  }
}
