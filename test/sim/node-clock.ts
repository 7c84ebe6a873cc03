/**
 * The clock of one life of a node. Nothing of the life happens after its end. It may run fast or slow,
 * show another wall time, stand still while the process is paused, and take time for everything when the
 * process is slow.
 */
import type { Clock, Timer } from '../../src/base/clock.ts';
import type { VirtualClock } from './clock.ts';

type Kind = 'timer' | 'socket' | 'turn';

interface Waiting {
  readonly kind: Kind;
  readonly run: () => void;
}

export interface ClockError {
  /** How many milliseconds this clock counts in one true millisecond. */
  readonly rate: number;
  readonly wallSkewMs: number;
}

export class NodeClock implements Clock {
  readonly #world: VirtualClock;
  readonly #error: ClockError;
  /** Told of what a callback throws: it would have ended the process. */
  readonly #onThrow: (error: unknown) => void;
  #isOver = false;
  #isPaused = false;
  /** How long one event keeps the process busy; null when it is as quick as ever. */
  #cost: (() => number) | null = null;
  #busy = false;
  /** What looking at the clock has taken of the present event. */
  #spentMs = 0;
  readonly #waiting: Waiting[] = [];
  wallSkewMs: number;

  constructor(world: VirtualClock, error: ClockError, onThrow: (error: unknown) => void) {
    this.#world = world;
    this.#error = error;
    this.#onThrow = onThrow;
    this.wallSkewMs = error.wallSkewMs;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  monotonic(): number {
    // A slow process finds that time has passed whenever it looks, so that its turns end early.
    if (this.#cost !== null) this.#spentMs += this.#cost();
    return 5000 + this.#world.monotonic() * this.#error.rate + this.#spentMs;
  }

  wall(): number {
    return this.#world.wall() + this.wallSkewMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    let isCancelled = false;
    const timer = this.#world.after(delayMs / this.#error.rate, () => {
      this.run('timer', () => {
        if (!isCancelled) callback();
      });
    });
    return {
      cancel() {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  soon(callback: () => void): void {
    this.#world.soon(() => this.run('turn', callback));
  }

  /** Something of the life happens, now or when the process comes to it. */
  run(kind: Kind, callback: () => void): void {
    if (this.#isOver) return;
    if (this.#isPaused || this.#busy) {
      this.#waiting.push({ kind, run: callback });
      return;
    }
    try {
      callback();
    } catch (error) {
      this.#onThrow(error);
    }
    const spentMs = this.#spentMs + (this.#cost?.() ?? 0);
    if (spentMs > 0 && !this.#isOver) this.#work(spentMs / this.#error.rate);
  }

  end(): void {
    this.#isOver = true;
    this.#waiting.length = 0;
  }

  pause(): void {
    this.#isPaused = true;
  }

  /** As in Node: timers that have become due come first, and only then what waits in the sockets. */
  resume(): void {
    this.#isPaused = false;
    const order: readonly Kind[] = ['timer', 'socket', 'turn'];
    this.#waiting.sort((left, right) => order.indexOf(left.kind) - order.indexOf(right.kind));
    this.#goOn();
  }

  slow(cost: (() => number) | null): void {
    this.#cost = cost;
  }

  #work(costMs: number): void {
    this.#busy = true;
    this.#world.after(costMs, () => {
      this.#busy = false;
      this.#spentMs = 0;
      this.#goOn();
    });
  }

  #goOn(): void {
    while (!this.#isOver && !this.#isPaused && !this.#busy) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.run(next.kind, next.run);
    }
  }
}
