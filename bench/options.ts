/** What the options of the benchmarks are read with. */
import { InvalidArgumentError } from 'commander';

export function positive(text: string): number {
  const number = Number(text);
  if (!(number > 0 && number <= 3600)) throw new InvalidArgumentError('It must be above 0.');
  return number;
}

export function wholePositive(text: string): number {
  const number = positive(text);
  if (!Number.isInteger(number)) throw new InvalidArgumentError('It must be a whole number.');
  return number;
}

/** What reads a whole number from 1 to `max`. */
export function wholeUpTo(max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= 1 && number <= max) return number;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${max}.`);
  };
}

/** Those of all that the list names, in the order of all. */
export function pick<T>(text: string, all: readonly T[], nameOf: (one: T) => string): T[] {
  const wanted = new Set(text.split(',').map((name) => name.trim()));
  const picked = all.filter((one) => wanted.delete(nameOf(one)));
  const [unknown] = wanted;
  if (unknown !== undefined) {
    throw new InvalidArgumentError(`${unknown} is none of ${all.map(nameOf).join(', ')}.`);
  }
  return picked;
}
