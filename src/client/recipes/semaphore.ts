import { RollcallError } from '../../base/errors.ts';
import type { Keys } from '../keys.ts';
import { Holding, type HoldingOptions } from './holding.ts';
import { type Places, placesOf, takeTurn, tryTurn } from './place.ts';

/**
 * As many holders at once as there are permits; the others wait in the order of their coming. The number is what
 * each of them says: all have to say the same. The keys are those of a lock, `name/…`.
 */
export class Semaphore {
  readonly #keys: Keys;
  readonly #places: Places;

  /** @internal Semaphores come from `Client.semaphore`. */
  constructor(keys: Keys, name: string, permits: number) {
    if (!Number.isInteger(permits) || permits < 1) {
      const message = `permits is ${permits}, not a whole number from 1`;
      throw new RollcallError('invalidArgument', message);
    }
    this.#keys = keys;
    this.#places = placesOf(name, permits);
  }

  /** Waits for a permit, as `Client.lock` does for a lock. */
  async acquire(options: HoldingOptions = {}): Promise<Holding> {
    return new Holding(this.#keys, await takeTurn(this.#keys, this.#places, '', options));
  }

  /** A permit if there is one left now; otherwise null. */
  async tryAcquire(options: HoldingOptions = {}): Promise<Holding | null> {
    const place = await tryTurn(this.#keys, this.#places, '', options);
    return place && new Holding(this.#keys, place);
  }
}
