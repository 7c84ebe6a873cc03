import { expect, test } from 'vitest';
import { promisesOf, rowOf } from '../../bench/sick-follower/summary.ts';
import { promiseTable, resultTable } from '../../bench/sick-follower/tables.ts';
import type { Trial } from '../../bench/sick-follower/trial.ts';
import type { Measurement } from '../../bench/writers/writers.ts';

function measurement(p99Ms: number): Measurement {
  return {
    ...{ seconds: 4, puts: 4000, putsPerSecond: 1000, p50Ms: 2, p99Ms, slowestMs: 2 * p99Ms },
    ...{ stallMs: p99Ms, stallEndMs: 1, failures: 1, firstFailure: 'It closed', ownPauseMs: 1 },
  };
}

function trial(wellP99Ms: number, sickP99Ms: number): Trial {
  return {
    ...{ well: measurement(wellP99Ms), sick: measurement(sickP99Ms) },
    ...{ waitShare: { well: 0.1, sick: 0.2 }, recoverySeconds: 1, leaderChanged: false },
  };
}

// A round in which the machine is slow is slow with a sick follower and without.
const rows = [rowOf('hung', [trial(10, 14), trial(100, 130), trial(10, 17)])];

test('the p99 with a sick follower is held against that of the same round', () => {
  const [, line = ''] = resultTable(rows).split('\n');
  const cells = ['hung', '3', '2.0', '2.0', '10.0', '17.0', '1.40', '100', '130', '20 %', '6'];
  expect(line.split(/\s{2,}/)).toEqual(cells);
});

test('what is promised is that others hardly notice, and that nothing is lost', () => {
  const table = (times: number, lost: number) =>
    promiseTable(
      promisesOf([{ ...rowOf('hung', [trial(10, 10 * times)]) }], { acknowledged: 9, lost }),
    )
      .split('\n')
      .map((line) => line.split(/\s{2,}/).slice(2));
  expect(table(1.5, 0).slice(1)).toEqual([
    ['1.50', '≤ 1.5', 'yes'],
    ['0', '0', 'yes'],
  ]);
  expect(table(1.6, 1).slice(1)).toEqual([
    ['1.60', '≤ 1.5', 'no'],
    ['1', '0', 'no'],
  ]);
});
