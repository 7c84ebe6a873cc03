import { describe, expect, test } from 'vitest';
import { faults } from '../../bench/failover/faults.ts';
import { type Measurement, timesAround } from '../../bench/failover/measurement.ts';
import { promisesOf, rowOf } from '../../bench/failover/summary.ts';
import { promiseTable, resultTable } from '../../bench/failover/tables.ts';
import { readSettings } from '../../bench/settings.ts';

const stop = faults.find(({ name }) => name === 'stop') ?? expect.fail('No such fault');

function measurement(nextWriteMs: number): Measurement {
  return { nextWriteMs, gapMs: nextWriteMs + 1, failures: 1, firstFailure: 'It closed' };
}

describe('The times around a fault', () => {
  test('end with the first acknowledgement of what was sent after the signal', () => {
    // The second write was under way: its answer may have left before the fault.
    const acknowledgements = [
      { sentMs: 97, cameMs: 98 },
      { sentMs: 98, cameMs: 101 },
      { sentMs: 101, cameMs: 350 },
      { sentMs: 350, cameMs: 351 },
    ];
    expect(timesAround(100, acknowledgements)).toEqual({ nextWriteMs: 250, gapMs: 249 });
  });

  test('show a gap that comes only after the next write', () => {
    const acknowledgements = [
      { sentMs: 97, cameMs: 98 },
      { sentMs: 101, cameMs: 102 },
      { sentMs: 102, cameMs: 502 },
    ];
    expect(timesAround(100, acknowledgements)).toEqual({ nextWriteMs: 2, gapMs: 400 });
  });

  test('are none when nothing was acknowledged afterwards', () => {
    expect(timesAround(100, [{ sentMs: 97, cameMs: 101 }])).toBeNull();
  });
});

describe('The summary of the rounds', () => {
  const rounds = [30, 10, 12, 11, 13, 14, 15, 16, 17, 18].map(measurement);
  const row = rowOf('stop', 'ours', rounds, [{ fault: 'stop', acknowledged: 5000, lost: 1 }]);

  test('has the middle, nine in ten and the worst of the times', () => {
    expect(row.nextWriteMs).toEqual({ median: 14.5, p90: 18, worst: 30 });
    expect(row).toMatchObject({ rounds: 10, failures: 10, acknowledged: 5000, lost: 1 });
    const [, line = ''] = resultTable([row]).split('\n');
    expect(line.split(/\s{2,}/).slice(0, 6)).toEqual([
      'stop',
      'ours',
      '10',
      '14.5',
      '18.0',
      '30.0',
    ]);
  });

  test('holds them to what is promised, and always to no lost write', () => {
    const [, ...lines] = promiseTable(promisesOf(stop, row)).split('\n');
    expect(lines.map((line) => line.split(/\s{2,}/))).toEqual([
      ['stop', 'median ms', '14.5', '≤ 20', 'yes'],
      ['stop', 'lost', '1', '0', 'no'],
    ]);
  });
});

describe('The command line', () => {
  test('has the loads without a further word, and the failover with options of its own', () => {
    expect(readSettings(['--rounds', '2'])).toMatchObject({ benchmark: 'load', rounds: 2 });
    const settings = readSettings(['failover', '--rounds', '4', '--faults', 'pause,kill']);
    expect(settings).toMatchObject({ benchmark: 'failover', rounds: 4, systems: ['ours', 'etcd'] });
    expect(settings).toMatchObject({ faults: [{ name: 'kill' }, { name: 'pause' }] });
    expect(readSettings(['failover'])).toMatchObject({ rounds: 20, faults });
  });
});
