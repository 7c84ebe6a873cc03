/** One virtual time for a whole world: events in the order of their time, then of their making. */
import type { Clock, Timer } from '../../src/base/clock.ts';

class Event implements Timer {
  readonly atMs: number;
  readonly order: number;
  /** Null once cancelled. */
  run: (() => void) | null;

  constructor(atMs: number, order: number, run: () => void) {
    this.atMs = atMs;
    this.order = order;
    this.run = run;
  }

  cancel(): void {
    this.run = null;
  }
}

export class VirtualClock implements Clock {
  #nowMs = 0;
  #order = 0;
  #events = 0;
  /** A binary heap, the earliest event at the top. */
  readonly #heap: Event[] = [];

  /** How many events have happened. */
  get events(): number {
    return this.#events;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    const event = new Event(this.#nowMs + Math.max(delayMs, 0), this.#order++, callback);
    this.#push(event);
    return event;
  }

  /** Work between two looks at the sockets takes a little time, so that time never stands still. */
  soon(callback: () => void): void {
    this.after(0.01, callback);
  }

  /** Runs the next event; false when there is none before `untilMs`. */
  step(untilMs: number): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#pop();
      const { run } = event;
      if (run === null) continue;
      this.#nowMs = event.atMs;
      this.#events++;
      run();
      return true;
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as Event;
      if (!earlier(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && earlier(heap[child + 1] as Event, heap[child] as Event))
        child++;
      if (!earlier(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

function earlier(left: Event, right: Event): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}
