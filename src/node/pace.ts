/**
 * The pace of writes while more log is kept for somebody who receives a state than should be. What is
 * owed cannot be given up, or the receiver would never get there; so writes slow down, the more the
 * longer it takes. Beyond the bound the log may grow by as much again, and comes ever nearer to that:
 *
 *     excess    0 ──────────────────── ½ ─────────────────── 1
 *     writes    as fast as they come   the bound a minute    none
 *
 * Entries get smaller rather than rare, because leases are renewed by entries too.
 */

const minuteMs = 60_000;
/** How often entries leave at least, as long as there are any that may. */
const intervalMs = 100;
/** A single command may be larger than what an interval allows. */
const pauseMsMax = 500;

export class Pace {
  readonly #excess: () => number;
  /** Bytes per millisecond, at half of the excess. */
  readonly #usualRate: number;
  #nextMs = Number.NEGATIVE_INFINITY;

  /** `excess`: which share of what the log may grow beyond its bound it has taken; 0 while it is within. */
  constructor(excess: () => number, boundBytes: number) {
    this.#excess = excess;
    this.#usualRate = boundBytes / minuteMs;
  }

  /** Not before the log has become smaller may anything more enter it. */
  get isStopped(): boolean {
    return this.#excess() >= 1;
  }

  /** What the next entry may have; more only if it is a single command. */
  get entryBytesMax(): number {
    return this.#rate() * intervalMs;
  }

  /** Whether the time for the next entry has come. */
  isOpen(nowMs: number): boolean {
    return nowMs >= this.#nextMs && !this.isStopped;
  }

  /** An entry of so many bytes has entered the log. */
  proposed(bytes: number, nowMs: number): void {
    const rate = this.#rate();
    this.#nextMs = nowMs + (rate > 0 ? Math.min(bytes / rate, pauseMsMax) : pauseMsMax);
  }

  /** Bytes per millisecond. */
  #rate(): number {
    const excess = Math.min(1, this.#excess());
    return excess === 0 ? Number.POSITIVE_INFINITY : (this.#usualRate * (1 - excess)) / excess;
  }
}
