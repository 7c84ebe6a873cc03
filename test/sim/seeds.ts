/** The seeds of every test run, in shares that run side by side. */
import { expect, test } from 'vitest';
import { regressions } from './regressions.ts';
import { runBeginning, runSeed, type SeedReport } from './scenario.ts';
import { failureText, freshSeed, Summary } from './summary.ts';

const fixedSeeds = 300;
/** None unless asked for: a new finding is a report with a seed, not a reason to hold up another change. */
const { FRESH_SEEDS = '0' } = process.env;
const freshSeeds = Number(FRESH_SEEDS);
/** So many seeds begin a second time, and a few of them are run to the end. */
const begunTwice = 200;
const runTwice = 10;
const timeout = 600_000;

/** Declares the tests of one share of `of`. */
export function testSeeds(share: number, of: number): void {
  const isMine = (seed: number): boolean => seed % of === share;
  let first: readonly SeedReport[] = [];

  test(
    'fixed seeds: nothing goes wrong, and there is enough that could',
    async () => {
      const seeds = new Set([...range(1, fixedSeeds), ...regressions.map(({ seed }) => seed)]);
      const summary = await runAll([...seeds].filter(isMine));
      first = summary.reports;
      console.log(summary.text());
      expect(summary.shortcomings()).toEqual([]);
    },
    timeout,
  );

  test.runIf(freshSeeds > 0)(
    'fresh seeds: nothing goes wrong',
    async () => {
      const from = freshSeed();
      console.log(`Fresh seeds from ${from}`);
      await runAll(range(from, freshSeeds).filter(isMine));
    },
    timeout,
  );

  test(
    'the same seed gives the same run',
    async () => {
      const twice = first.slice(0, begunTwice / of);
      expect(twice.length).toBe(begunTwice / of);
      for (const { seed, hashOfBeginning } of twice) {
        expect(await runBeginning(seed), `of seed ${seed}`).toBe(hashOfBeginning);
      }
      for (const report of twice.slice(0, runTwice / of)) {
        expect(await runSeed(report.seed)).toEqual(report);
      }
    },
    timeout,
  );
}

async function runAll(seeds: readonly number[]): Promise<Summary> {
  const summary = new Summary();
  for (const seed of seeds) {
    const report = await runSeed(seed);
    summary.add(report);
    expect(report.violation, failureText(report)).toBe(null);
  }
  return summary;
}

function range(from: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => from + at);
}
