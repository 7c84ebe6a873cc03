import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';

/** What a seed decides. */
export class Dice {
  readonly random: Random;

  constructor(seed: number) {
    this.random = createPrng(seed);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  below(bound: number): number {
    return randomBelow(this.random, bound);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }
}
