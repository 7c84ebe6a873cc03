import { expect, test } from 'vitest';
import { type Outcome, Simulation } from './simulation.ts';

const { SEEDS: seeds = '1-200' } = process.env;
/** Each is a run of its own; `SEEDS=1234` or `SEEDS=0-5000` chooses others. */
const [first = 0, last = first] = seeds.split('-').map(Number);

function run(seed: number): Outcome {
  try {
    return new Simulation(seed).run();
  } catch (error) {
    const replay = `SEEDS=${seed} npx vitest run test/raft/simulation.test.ts`;
    throw new Error(`Seed ${seed} fails; replay it with: ${replay}`, { cause: error });
  }
}

const outcomes: Outcome[] = [];

for (let from = first; from <= last; from += 50) {
  const to = Math.min(last, from + 49);
  test(`Safe under faults, live without them: seeds ${from} to ${to}`, () => {
    for (let seed = from; seed <= to; seed++) outcomes.push(run(seed));
  });
}

test('The runs met what they are meant to meet', () => {
  const total = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + of(outcome), 0);
  expect(total(({ committed }) => committed)).toBeGreaterThan(20 * outcomes.length);
  if (outcomes.length < 100) return;
  expect(total(({ reads }) => reads)).toBeGreaterThan(outcomes.length);
  expect(total(({ crashes }) => crashes)).toBeGreaterThan(outcomes.length);
  const hit = (of: (outcome: Outcome) => number): number =>
    outcomes.filter((outcome) => of(outcome) > 0).length / outcomes.length;
  expect(hit(({ logReads }) => logReads)).toBeGreaterThan(0.1);
  expect(hit(({ changes }) => changes)).toBeGreaterThan(0.2);
  expect(hit(({ transfers }) => transfers)).toBeGreaterThan(0.05);
  expect(hit(({ earlyCampaigns }) => earlyCampaigns)).toBeGreaterThan(0.05);
  expect(hit(({ restored }) => restored)).toBeGreaterThan(0.1);
  const refusals = new Set(outcomes.flatMap((outcome) => [...outcome.refusals]));
  for (const reason of ['changePending', 'notReady', 'notCaughtUp', 'losesQuorum'] as const) {
    expect(refusals).toContain(reason);
  }
  expect(outcomes.some(({ terms }) => terms > 5)).toBe(true);
});

test('The same seed gives the same run', () => {
  for (let seed = first; seed <= Math.min(last, first + 20); seed++) {
    expect(run(seed).fingerprint).toBe(run(seed).fingerprint);
  }
});
