/**
 * The leader's running clock, which it stamps on each entry it proposes. It advances by the monotonic
 * time that passed since it was last looked at, but never by more than `stepMaxMs` at once: a pause of
 * the process, during which nobody could renew, hardly counts. It begins at the newest time in the log,
 * so the time without a leader counts for nobody.
 */
export class LogTime {
  readonly #stepMaxMs: number;
  #timeMs: number;
  #seenMs: number;

  /** `stepMaxMs`: half an election timeout. `newestMs`: the newest time in the log. */
  constructor(options: {
    readonly stepMaxMs: number;
    readonly newestMs: number;
    readonly monotonicMs: number;
  }) {
    this.#stepMaxMs = options.stepMaxMs;
    this.#timeMs = options.newestMs;
    this.#seenMs = options.monotonicMs;
  }

  /** To be called at every tick. */
  advance(monotonicMs: number): void {
    const elapsedMs = Math.max(0, monotonicMs - this.#seenMs);
    this.#timeMs += Math.min(elapsedMs, this.#stepMaxMs);
    this.#seenMs = Math.max(this.#seenMs, monotonicMs);
  }

  /** The time for an entry that is proposed now, in whole milliseconds. */
  stamp(monotonicMs: number): number {
    this.advance(monotonicMs);
    return Math.floor(this.#timeMs);
  }

  /** A new leader goes on from the newest time in its log, whatever its own clock said before. */
  restart(newestMs: number, monotonicMs: number): void {
    this.#timeMs = newestMs;
    this.#seenMs = monotonicMs;
  }
}
