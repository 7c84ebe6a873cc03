/**
 * When streams write to their sockets. A write costs about the same for one event as for fifty, so with few
 * sockets each change leaves at once, and with a thousand of them the changes of some milliseconds leave
 * together: after every slice of writes the event loop belongs to others for a multiple of the time that the
 * slice took. Whatever the number of sockets, requests find most of the loop free.
 */
import type { Clock } from '../base/clock.ts';

export interface Flushed {
  /** Writes what is unsent; does nothing where there is nothing. */
  flush(): void;
}

const sliceMs = 8;
const restTimes = 2;
const flushesPerLook = 32;

export class FlushRounds {
  readonly #clock: Clock;
  readonly #due = new Set<Flushed>();
  #isScheduled = false;
  #restUntilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has it flushed soon: at the end of what runs now, or after the rest. */
  add(flushed: Flushed): void {
    this.#due.add(flushed);
    if (!this.#isScheduled) this.#schedule();
  }

  remove(flushed: Flushed): void {
    this.#due.delete(flushed);
  }

  #schedule(): void {
    this.#isScheduled = true;
    const restMs = this.#restUntilMs - this.#clock.monotonic();
    if (restMs <= 0) queueMicrotask(this.#slice);
    else this.#clock.after(restMs, this.#slice);
  }

  readonly #slice = (): void => {
    this.#isScheduled = false;
    const startMs = this.#clock.monotonic();
    let count = 0;
    for (const flushed of this.#due) {
      this.#due.delete(flushed);
      flushed.flush();
      if (++count % flushesPerLook === 0 && this.#clock.monotonic() - startMs > sliceMs) break;
    }
    const endMs = this.#clock.monotonic();
    this.#restUntilMs = endMs + restTimes * (endMs - startMs);
    if (this.#due.size > 0) this.#schedule();
  };
}
