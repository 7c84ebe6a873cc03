import type { Clock, Timer } from '../base/clock.ts';
import type { ReadyLoop } from './ready-loop.ts';

/**
 * Ticks come only once the sockets that are readable have been read: after a pause of the process, timers
 * fire before sockets, and heartbeats that wait in a socket would come too late to prevent an election.
 * Ticks that a pause swallowed are not made up for.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #loop: Pick<ReadyLoop, 'turnAfter'>;
  readonly #tick: () => void;
  #timer: Timer | null = null;

  constructor(clock: Clock, tickMs: number, loop: Pick<ReadyLoop, 'turnAfter'>, tick: () => void) {
    this.#clock = clock;
    this.#tickMs = tickMs;
    this.#loop = loop;
    this.#tick = tick;
  }

  start(): void {
    this.#timer = this.#clock.after(this.#tickMs, () => {
      this.start();
      this.#clock.soon(() => this.#loop.turnAfter(this.#tick));
    });
  }

  /** One more may come that was due already. */
  stop(): void {
    this.#timer?.cancel();
  }
}
