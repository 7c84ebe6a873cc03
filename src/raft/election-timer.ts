import { assert } from '../base/assert.ts';

/**
 * Counts ticks without a leader. Each start draws a new timeout, so that candidates who collided
 * once part ways (Raft §5.2).
 */
export class ElectionTimer {
  readonly #ticks: number;
  readonly #random: () => number;
  #elapsed = 0;
  #timeout = 0;

  constructor(ticks: number, random: () => number) {
    assert(ticks > 0, `An election timeout of ${ticks} ticks`);
    this.#ticks = ticks;
    this.#random = random;
    this.restart();
  }

  restart(): void {
    this.#elapsed = 0;
    this.#timeout = this.#ticks + Math.floor(this.#random() * this.#ticks);
  }

  /** A leader was heard: the same timeout runs anew. */
  rewind(): void {
    this.#elapsed = 0;
  }

  tick(): void {
    this.#elapsed++;
  }

  /** Has the drawn timeout passed? */
  get isExpired(): boolean {
    return this.#elapsed >= this.#timeout;
  }

  /** Has the shortest timeout passed that any member may have drawn? */
  get isShortestExpired(): boolean {
    return this.#elapsed >= this.#ticks;
  }
}
