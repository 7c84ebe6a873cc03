import type { Clock, Timer } from '../base/clock.ts';

/**
 * Ticks come only once the sockets that are readable have been read: after a pause of the process, timers
 * fire before sockets, and heartbeats that wait in a socket would come too late to prevent an election.
 * Ticks that a pause swallowed are not made up for.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #tick: () => void;
  #timer: Timer | null = null;

  constructor(clock: Clock, tickMs: number, tick: () => void) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#tick = tick;
  }

  start(): void {
    this.#timer = this.#clock.after(this.#tickMs, () => {
      this.start();
      this.#clock.soon(this.#tick);
    });
  }

  /** One more may come that was due already. */
  stop(): void {
    this.#timer?.cancel();
  }
}
