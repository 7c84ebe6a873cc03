import { assert } from '../base/assert.ts';

/** What a DeadlineHeap orders; the two last fields are the heap's own. */
export interface Deadline {
  readonly id: string;
  /** May grow at any time without a word to the heap; before it shrinks, `remove`. */
  deadlineMs: number;
  heapDeadlineMs: number;
  heapAt: number;
}

/**
 * The deadline that comes first, ties by id. A renewal costs nothing here: it only moves `deadlineMs`,
 * and the heap notices when the old deadline comes to its top.
 *
 * Invariants: `heapDeadlineMs` ≤ `deadlineMs` for all; parents are not after their children by
 * (heapDeadlineMs, id); `heapAt` is the place, −1 outside. So a top whose two deadlines are equal is
 * the true first.
 */
export class DeadlineHeap<D extends Deadline> {
  readonly #heap: D[] = [];

  add(deadline: D): void {
    deadline.heapDeadlineMs = deadline.deadlineMs;
    this.#heap.push(deadline);
    this.#rise(deadline, this.#heap.length - 1);
  }

  remove(deadline: D): void {
    const at = deadline.heapAt;
    assert(this.#heap[at] === deadline, () => `${deadline.id} is not at ${at} of the heap`);
    const last = this.#heap.pop() as D;
    deadline.heapAt = -1;
    if (last === deadline) return;
    this.#place(last, at);
    this.#rise(last, at);
    this.#sink(last, last.heapAt);
  }

  /** The one that comes first, if its deadline has come by `nowMs`. */
  due(nowMs: number): D | null {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.heapDeadlineMs > nowMs) return null;
      if (first.heapDeadlineMs === first.deadlineMs) return first;
      first.heapDeadlineMs = first.deadlineMs;
      this.#sink(first, 0);
    }
  }

  #place(deadline: D, at: number): void {
    this.#heap[at] = deadline;
    deadline.heapAt = at;
  }

  #rise(deadline: D, from: number): void {
    let at = from;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.#heap[parentAt] as D;
      if (!isBefore(deadline, parent)) break;
      this.#place(parent, at);
      at = parentAt;
    }
    this.#place(deadline, at);
  }

  #sink(deadline: D, from: number): void {
    let at = from;
    for (;;) {
      let childAt = 2 * at + 1;
      let child = this.#heap[childAt];
      if (child === undefined) break;
      const other = this.#heap[childAt + 1];
      if (other !== undefined && isBefore(other, child)) {
        child = other;
        childAt++;
      }
      if (!isBefore(child, deadline)) break;
      this.#place(child, at);
      at = childAt;
    }
    this.#place(deadline, at);
  }
}

function isBefore(left: Deadline, right: Deadline): boolean {
  if (left.heapDeadlineMs !== right.heapDeadlineMs) {
    return left.heapDeadlineMs < right.heapDeadlineMs;
  }
  return left.id < right.id;
}
