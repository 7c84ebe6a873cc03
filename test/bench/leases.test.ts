import { expect, test } from 'vitest';
import { promisesOf, rowOf } from '../../bench/leases/summary.ts';
import { promiseTable, resultTable } from '../../bench/leases/tables.ts';
import type { Trial } from '../../bench/leases/trial.ts';
import type { Measurement } from '../../bench/writers/writers.ts';

function measurement(p99Ms: number): Measurement {
  return {
    ...{ seconds: 4, puts: 4000, putsPerSecond: 1000, p50Ms: 2, p99Ms, slowestMs: 2 * p99Ms },
    ...{ stallMs: p99Ms, stallEndMs: 1, failures: 0, firstFailure: null, ownPauseMs: 1 },
  };
}

function trial(differences: Partial<Trial> = {}): Trial {
  return {
    ...{ grantSeconds: 10, leaderCores: 0.25, followerCores: 0.125, lost: 0, early: 0 },
    ...{ goneSeconds: 2, before: measurement(5), meanwhile: measurement(50), waitShare: 0.1 },
    ...{ leaderChanged: false, ...differences },
  };
}

const metBy = (...trials: Trial[]): boolean[] => promisesOf(rowOf(trials)).map(({ met }) => met);

test('medians count, but nothing may be lost in any round', () => {
  const slow = trial({ goneSeconds: 9, leaderCores: 0.75, meanwhile: measurement(900) });
  expect(metBy(trial(), slow, trial())).toEqual([true, true, true, true, true]);
  expect(metBy(trial(), slow, slow)).toEqual([false, true, false, false, true]);
  expect(metBy(trial(), trial({ lost: 1 }), trial())).toEqual([true, false, true, true, true]);
  const changed = trial({ early: 1, leaderChanged: true });
  expect(metBy(trial(), changed, trial())).toEqual([true, false, true, true, false]);
});

test('the tables say what was measured and what was promised', () => {
  const row = rowOf([trial()]);
  const [, line = ''] = resultTable(row).split('\n');
  const cells = ['1', '10.0', '0.25', '0.13', '0', '0', '2.00', '5.0', '50.0', '10 %', '0'];
  expect(line.split(/\s{2,}/)).toEqual(cells);
  const promised = promiseTable(promisesOf(row)).split('\n').slice(1);
  expect(promised.map((text) => text.split(/\s{2,}/).slice(1))).toEqual([
    ['0.25', '< 0.5', 'yes'],
    ['0', '0', 'yes'],
    ['2.00', '< 5', 'yes'],
    ['50.0', '< 200', 'yes'],
    ['0', '0', 'yes'],
  ]);
});
