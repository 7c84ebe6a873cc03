/** What acknowledgements say about a span of time. No clock in here. */
import { quantile } from '../statistics.ts';

export interface Span {
  readonly seconds: number;
  readonly puts: number;
  readonly putsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
  /** The longest time between two acknowledgements, those just outside of the span included. */
  readonly stallMs: number;
  /** When it ended, since the span began. */
  readonly stallEndMs: number;
}

export class Stopwatch {
  #beganMs = 0;
  #lastMs = 0;
  #stallMs = 0;
  #stallEndMs = 0;
  #latenciesMs: number[] = [];

  /** Begins the first span. */
  begin(nowMs: number): void {
    this.#lastMs = nowMs;
    this.#reset(nowMs);
  }

  acknowledged(latencyMs: number, nowMs: number): void {
    this.#latenciesMs.push(latencyMs);
    this.#stalled(nowMs);
    this.#lastMs = nowMs;
  }

  /** Ends the span, and begins the next one. */
  lap(nowMs: number): Span {
    // The next acknowledgement is yet to come: so long was it waited for.
    this.#stalled(nowMs);
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    const seconds = (nowMs - this.#beganMs) / 1000;
    const span = {
      ...{ seconds, puts: sorted.length, putsPerSecond: sorted.length / seconds },
      ...{ p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) },
      ...{ slowestMs: quantile(sorted, 1), stallMs: this.#stallMs, stallEndMs: this.#stallEndMs },
    };
    this.#reset(nowMs);
    return span;
  }

  #stalled(nowMs: number): void {
    const stallMs = nowMs - this.#lastMs;
    if (stallMs <= this.#stallMs) return;
    this.#stallMs = stallMs;
    this.#stallEndMs = nowMs - this.#beganMs;
  }

  #reset(nowMs: number): void {
    this.#beganMs = nowMs;
    this.#stallMs = 0;
    this.#stallEndMs = 0;
    this.#latenciesMs = [];
  }
}
