import { expect, test } from 'vitest';
import { type Measured, promisesOf } from '../../bench/million/summary.ts';

const settings = { keys: 1_000_000, versions: 5, valueBytes: 256, seconds: 1, rounds: 2 };
const measured: Measured = {
  empty: { puts: 1000, gets: 2000 },
  full: { puts: 800, gets: 1599 },
  ...{ fillSeconds: 9, residentMebibytes: 900, startSeconds: 15, startedMebibytes: 1025 },
  diskMebibytes: [2000, 898],
};

test('what is promised of a million keys', () => {
  const met = promisesOf(measured, settings).map((one) => [one.measured, one.target, one.met]);
  expect(met).toEqual([
    ['1025', '≤ 1024', false],
    ['15.0', '≤ 15', true],
    ['80 %', '≥ 80 %', true],
    ['80 %', '≥ 80 %', false],
    ['898', '≤ 899', true],
  ]);
});
