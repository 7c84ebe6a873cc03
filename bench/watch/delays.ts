/** How late events were, counted in steps of a tenth of a millisecond. */
const stepsPerMs = 10;
/** What is later counts as this late. */
const delayMsMax = 20_000;

export interface DelaySpan {
  readonly events: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly latestMs: number;
}

export class Delays {
  readonly #counts = new Uint32Array(delayMsMax * stepsPerMs + 1);
  #events = 0;
  #latestMs = 0;

  add(delayMs: number): void {
    const step = Math.min(delayMsMax, Math.max(0, delayMs)) * stepsPerMs;
    (this.#counts[Math.floor(step)] as number)++;
    this.#events++;
    if (delayMs > this.#latestMs) this.#latestMs = delayMs;
  }

  /** Ends the span, and begins the next one. */
  lap(): DelaySpan {
    const span = {
      events: this.#events,
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      latestMs: this.#latestMs,
    };
    this.#counts.fill(0);
    this.#events = 0;
    this.#latestMs = 0;
    return span;
  }

  /** The end of the step in which the quantile lies; 0 of no events. */
  #quantile(share: number): number {
    const wanted = Math.ceil(this.#events * share);
    if (wanted === 0) return 0;
    let seen = 0;
    for (let step = 0; step < this.#counts.length; step++) {
      seen += this.#counts[step] as number;
      if (seen >= wanted) return (step + 1) / stepsPerMs;
    }
    return delayMsMax;
  }
}
