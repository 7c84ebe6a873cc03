import { assert } from '../base/assert.ts';
import type { Key, Revision } from './types.ts';
import type { VersionTable } from './version-table.ts';

/**
 * One key through time: the slots of its versions in a VersionTable, oldest first. A tombstone († )
 * ends a generation; the next put begins a new one, with a new createRevision and version 1.
 *
 * put `foo` at 2, put at 3, delete at 4, put at 6, put at 7, delete at 9 leaves
 *
 *     revision         2     3     4†    6     7     9†
 *     version          1     2           1     2
 *     createRevision   2     2           6     6
 *     generation       1     1     1     2     2     2
 *
 * so that the key is absent at revisions 1, 4, 5 and from 9 on, at 3 it is the version of 3, and at 8
 * the version of 7. A compaction keeps what is needed to read from its revision on: the version that was
 * the newest then, and all later ones. A tombstone goes with its generation, unless it is of that very
 * revision, where a watch may begin:
 *
 *     compacted at 2   leaves   2   3   4†  6   7   9†
 *     at 3                          3   4†  6   7   9†
 *     at 4                              4†  6   7   9†
 *     at 5 or 6                             6   7   9†
 *     at 7 or 8                                 7   9†
 *     at 9                                          9†
 *     at 10            nothing
 *
 * Invariant: revisions ascend strictly: one revision changes a key at most once.
 */
export class KeyHistory {
  readonly key: Key;
  /** Names the key in the VersionTable. */
  readonly number: number;
  #slots: number[] = [];

  constructor(key: Key, number: number) {
    this.key = key;
    this.number = number;
  }

  /** The newest version's slot, −1 when there is none. */
  get newest(): number {
    return this.#slots.at(-1) ?? -1;
  }

  append(slot: number): void {
    // Most keys have few versions: their list has its exact length. A longer one grows with room to spare.
    const longer = exactly(this.#slots, slot);
    if (longer === null) this.#slots.push(slot);
    else this.#slots = longer;
  }

  /** Takes the newest version back. */
  pop(): number {
    const slot = this.#slots.pop();
    assert(slot !== undefined, 'A history without versions has none to take back');
    return slot;
  }

  /** The slots of the first versions from `revision` on, tombstones included, at most so many. */
  from(table: VersionTable, revision: Revision, countMax: number): readonly number[] {
    const start = this.#countUpTo(table, revision - 1);
    return this.#slots.slice(start, start + countMax);
  }

  /** The versions before this one, which is of the history, oldest first. */
  before(slot: number): readonly number[] {
    return this.#slots.slice(0, this.#slots.indexOf(slot));
  }

  /** Takes the oldest versions away. */
  forget(count: number): void {
    this.#slots = this.#slots.slice(count);
  }

  /** The slot of the last version at or below `revision`, maybe a tombstone; −1 when there is none. */
  at(table: VersionTable, revision: Revision): number {
    return this.#slots[this.#countUpTo(table, revision) - 1] ?? -1;
  }

  #countUpTo(table: VersionTable, revision: Revision): number {
    const slots = this.#slots;
    let low = 0;
    let high = slots.length;
    // The newest version is asked for most.
    if (high > 0 && table.revision(slots[high - 1] as number) <= revision) low = high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (table.revision(slots[middle] as number) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * A short list with one more, without room to spare; null for a longer one. Written out, since engines
 * make a list of given elements many times faster than they join lists.
 */
function exactly(slots: readonly number[], slot: number): number[] | null {
  const at = (index: number): number => slots[index] as number;
  switch (slots.length) {
    case 0:
      return [slot];
    case 1:
      return [at(0), slot];
    case 2:
      return [at(0), at(1), slot];
    case 3:
      return [at(0), at(1), at(2), slot];
    case 4:
      return [at(0), at(1), at(2), at(3), slot];
    default:
      return null;
  }
}
