/**
 * When streams write to their sockets. A write costs about the same for one event as for fifty, here and even
 * more on the other side. So with few sockets each change leaves at once, and with hundreds of them the changes
 * of some milliseconds leave together, in rounds: the more sockets a round has written to, the longer is the
 * rest until the next one. Within a round, after every slice of writes, the event loop belongs to others for
 * a multiple of the time that the slice took. Whatever the number of sockets, requests find most of it free.
 */
import type { Clock } from '../base/clock.ts';

export interface Flushed {
  /** Writes what is unsent; does nothing where there is nothing. */
  flush(): void;
}

const sliceMs = 8;
const restTimes = 2;
const restMsPerFlush = 0.1;
const roundRestMsMax = 40;
const flushesPerLook = 32;

export class FlushRounds {
  readonly #clock: Clock;
  /** For the next round. */
  #waiting = new Set<Flushed>();
  /** What is left of this round. */
  #round = new Set<Flushed>();
  /** How many this round has written to. */
  #flushed = 0;
  #isScheduled = false;
  #restUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has it flushed soon: at the end of what runs now, or in the next round. */
  add(flushed: Flushed): void {
    this.#waiting.add(flushed);
    if (!this.#isScheduled) this.#schedule();
  }

  remove(flushed: Flushed): void {
    this.#waiting.delete(flushed);
    this.#round.delete(flushed);
  }

  #schedule(): void {
    this.#isScheduled = true;
    const restMs = this.#restUntilMs - this.#clock.monotonic();
    if (restMs <= 0) queueMicrotask(this.#slice);
    else this.#clock.after(restMs, this.#slice);
  }

  readonly #slice = (): void => {
    if (this.#round.size === 0) [this.#round, this.#waiting] = [this.#waiting, this.#round];
    const startMs = this.#clock.monotonic();
    let count = 0;
    for (const flushed of this.#round) {
      this.#round.delete(flushed);
      this.#waiting.delete(flushed);
      flushed.flush();
      if (++count % flushesPerLook === 0 && this.#clock.monotonic() - startMs > sliceMs) break;
    }
    const endMs = this.#clock.monotonic();
    this.#flushed += count;
    this.#restUntilMs = endMs + restTimes * (endMs - startMs);
    if (this.#round.size === 0) {
      const roundRestMs = Math.min(roundRestMsMax, this.#flushed * restMsPerFlush);
      this.#restUntilMs = Math.max(this.#restUntilMs, endMs + roundRestMs);
      this.#flushed = 0;
    }
    this.#isScheduled = false;
    if (this.#round.size + this.#waiting.size > 0) this.#schedule();
  };
}
