import { describe, expect, test } from 'vitest';
import { loads } from '../../bench/load/loads.ts';
import { betterOf, ratioOf, rowOf } from '../../bench/load/summary.ts';
import { ratioTable } from '../../bench/load/tables.ts';
import type { Trial } from '../../bench/load/trial.ts';
import { median, spread } from '../../bench/statistics.ts';

const load = loads.find(({ name }) => name === 'put-500') ?? expect.fail('No such load');

function trial(operationsPerSecond: number): Trial {
  return {
    operations: operationsPerSecond,
    failures: 0,
    firstFailure: null,
    elapsedMs: 1000,
    p50Ms: 1,
    p99Ms: 2,
    generatorMicros: 10,
    operationsPerSecond,
    serverMicros: 20,
    residentMebibytes: [50, 70, 60],
  };
}

describe('The summary of the rounds', () => {
  test('takes the middle of the rounds and says how far they are apart', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(spread([90, 100, 120])).toBeCloseTo(0.3);
    expect(spread([100])).toBeNull();
  });

  test('compares ours with etcd and with the limit', () => {
    const rows = [
      rowOf(load, 'ours', [trial(29_000), trial(30_000), trial(90_000)]),
      rowOf(load, 'etcd', [trial(10_000)]),
      rowOf(load, 'limit', [trial(75_000)]),
    ];
    const ratio = ratioOf(load, rows);
    expect(ratio.toEtcd).toBe(3);
    expect(ratio.toLimit).toBe(0.4);
    const [, line = ''] = ratioTable([ratio]).split('\n');
    expect(line.split(/\s{2,}/)).toEqual([
      'put-500',
      '3.00',
      '≥ 2.5',
      'yes',
      '0.40',
      '≥ 0.5',
      'no',
    ]);
  });

  test('has no ratio to what did not run', () => {
    const ratio = ratioOf(load, [rowOf(load, 'ours', [trial(10)])]);
    expect(ratio).toMatchObject({ toEtcd: null, toLimit: null });
  });

  test('counts the better of the two that drove etcd', () => {
    const row = rowOf(load, 'etcd', [trial(9_000)]);
    expect(betterOf(row, { operationsPerSecond: 8_000 })).toBe(row);
    expect(betterOf(row, { operationsPerSecond: 12_000 })).toMatchObject({
      source: 'etcdctl',
      operationsPerSecond: 12_000,
    });
  });
});
