import type { Clock, Timer } from '../../src/base/clock.ts';

/** A clock whose turns run when the test says so. Each look at it takes a millisecond. */
export class Turns implements Clock {
  #now = 0;
  readonly #queue: (() => void)[] = [];
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  monotonic(): number {
    return this.#now++;
  }

  wall(): number {
    return 0;
  }

  after(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  soon(callback: () => void): void {
    this.#queue.push(callback);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets all turns run, and no time pass but what they take. */
  run(): void {
    while (this.runOne());
  }

  /** Returns whether there was a turn. */
  runOne(): boolean {
    const turn = this.#queue.shift() ?? this.#dueTimer();
    turn?.();
    return turn !== undefined;
  }

  /** Lets time pass, with whatever is due meanwhile. */
  pass(ms: number): void {
    this.#now += ms;
    this.run();
  }

  /** Lets time pass until nothing is left to do. Not with a timer that is set again and again. */
  settle(): void {
    this.run();
    while (this.#timers.size > 0) this.pass(1000);
  }

  #dueTimer(): (() => void) | undefined {
    for (const timer of this.#timers) {
      if (timer.atMs > this.#now) continue;
      this.#timers.delete(timer);
      return timer.callback;
    }
    return undefined;
  }
}
