/** Draws from a seed. */
import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';

/** A stream of its own for each purpose, so that one more draw somewhere does not change everything. */
export function stream(seed: number, purpose: string): Random {
  let mixed = seed | 0;
  for (let at = 0; at < purpose.length; at++) {
    mixed = Math.imul(mixed ^ purpose.charCodeAt(at), 0x01000193);
    mixed ^= mixed >>> 15;
  }
  return createPrng(mixed >>> 0);
}

export function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

export function between(random: Random, least: number, most: number): number {
  return least + random() * (most - least);
}

export function pick<T>(random: Random, from: readonly T[]): T {
  const found = from[randomBelow(random, from.length)];
  if (found === undefined) throw new RangeError('Nothing to pick from');
  return found;
}

/** Some of them, each with the same chance, in random order. */
export function sample<T>(random: Random, from: readonly T[], count: number): readonly T[] {
  const left = [...from];
  const taken: T[] = [];
  while (taken.length < count && left.length > 0) {
    taken.push(...left.splice(randomBelow(random, left.length), 1));
  }
  return taken;
}

/** How long until the next event of a process without memory. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}
