import { assert } from '../base/assert.ts';

/**
 * When to campaign without waiting for a timeout, because the leader's process is surely gone. The
 * delay is drawn at random, so that of several who noticed one asks first; and whoever has granted
 * such an early pre-vote asks for none itself for a while, so that the first one wins in peace.
 */
export class EarlyCampaign {
  readonly #delayMax: number;
  readonly #random: () => number;
  /** Ticks until it is due; 0 while there is no reason for one. */
  #delay = 0;
  /** Ticks for which none is begun, for the sake of another's. */
  #rest = 0;

  constructor(delayMax: number, random: () => number) {
    assert(delayMax > 0, `An early campaign within ${delayMax} ticks`);
    this.#delayMax = delayMax;
    this.#random = random;
  }

  /** Makes one due after 1 to `delayMax` ticks, unless one is due already or another's goes first. */
  schedule(): void {
    if (this.#delay > 0 || this.#rest > 0) return;
    this.#delay = 1 + Math.floor(this.#random() * this.#delayMax);
  }

  cancel(): void {
    this.#delay = 0;
  }

  /** A leader is there: nobody waits for another's campaign any more. */
  reset(): void {
    this.#delay = 0;
    this.#rest = 0;
  }

  /** Leaves it to another for so many ticks. */
  rest(ticks: number): void {
    this.#delay = 0;
    this.#rest = ticks;
  }

  /** Is it due at this tick? */
  tick(): boolean {
    if (this.#rest > 0) this.#rest--;
    if (this.#delay === 0) return false;
    this.#delay--;
    return this.#delay === 0;
  }
}
