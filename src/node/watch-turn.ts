import type { Clock } from '../base/clock.ts';

const turnMs = 8;
/** What telling so many takes is not worth a look at the clock. */
const toldPerLook = 256;

/** How long watchers may hold the event loop at once, however many they are and whatever they are told. */
export class WatchTurn {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #startMs: number;
  #told = 0;
  #isOver = false;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#startMs = clock.monotonic();
  }

  /** At the last look at the clock. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get tookMs(): number {
    return this.#clock.monotonic() - this.#startMs;
  }

  /** Looks at the clock, and says whether it is over. */
  look(): boolean {
    this.#isOver ||= this.tookMs > turnMs;
    return this.#isOver;
  }

  /** Another one was told something. */
  told(): void {
    if (++this.#told % toldPerLook === 0) this.look();
  }
}
