import { describe, expect, test } from 'vitest';
import { Delays } from '../../bench/watch/delays.ts';
import {
  crowdPromises,
  matchingPromise,
  rowOf,
  stalledPromises,
} from '../../bench/watch/summary.ts';
import { resultTable } from '../../bench/watch/tables.ts';
import type { Trial } from '../../bench/watch/trial.ts';
import { stamp, stampOf } from '../../bench/writers/stamp.ts';

function trial(figures: {
  readonly putP99Ms?: number;
  readonly delayP99Ms?: number;
  readonly events?: number;
  readonly cpuMicrosPerPut?: number;
  readonly mebibytes?: readonly number[];
}): Trial {
  const { putP99Ms = 10, delayP99Ms = 20, events = 1000 } = figures;
  const { cpuMicrosPerPut = 100, mebibytes = [100, 110, 120] } = figures;
  const span = { seconds: 10, putsPerSecond: 10, p50Ms: 1, slowestMs: 30 };
  const rest = { stallMs: 1, stallEndMs: 1, failures: 0, firstFailure: null, ownPauseMs: 1 };
  return {
    puts: { ...span, ...rest, puts: 100, p99Ms: putP99Ms },
    events: { events, p50Ms: 2, p99Ms: delayP99Ms, latestMs: 50, ended: [] },
    ...{ cpuMicrosPerPut, watchersShare: 0.25, mebibytes },
  };
}

describe('Delays', () => {
  test('are counted to a tenth of a millisecond, span by span', () => {
    const delays = new Delays();
    for (let ms = 1; ms <= 100; ms++) delays.add(ms - 0.05);
    expect(delays.lap()).toEqual({ events: 100, p50Ms: 50, p99Ms: 99, latestMs: 99.95 });
    expect(delays.lap()).toEqual({ events: 0, p50Ms: 0, p99Ms: 0, latestMs: 0 });
    delays.add(1e9);
    expect(delays.lap().p50Ms).toBeGreaterThan(20_000);
  });

  test('are told by what stands in the value', () => {
    const value = new Uint8Array(16);
    const beforeMs = performance.timeOrigin + performance.now();
    stamp(value.subarray(3));
    expect(stampOf(value.subarray(3))).toBeGreaterThanOrEqual(beforeMs);
    stamp(new Uint8Array(3));
  });
});

describe('What is promised of watches', () => {
  test('compares the rounds of a scene with each other', () => {
    const one = [100, 200, 50].map((cpuMicrosPerPut) => trial({ cpuMicrosPerPut }));
    const many = [105, 500, 52].map((cpuMicrosPerPut) => trial({ cpuMicrosPerPut }));
    expect(matchingPromise(one, many)).toMatchObject({ measured: '1.05', met: true });
    expect(rowOf('matching', 'one', one)).toMatchObject({
      cpuMicrosPerPut: 100,
      mebibytesMax: 120,
    });
  });

  test('demands of a crowd that it is told all, in time', () => {
    const met = (one: Trial) => crowdPromises('crowd-20', one, 10).map((promise) => promise.met);
    expect(met(trial({}))).toEqual([true, true]);
    expect(met(trial({ delayP99Ms: 101, events: 900 }))).toEqual([false, false]);
  });

  test('holds a stalled socket against the time before', () => {
    const alone = trial({});
    const fine = trial({ putP99Ms: 19, mebibytes: [150, 300, 130] });
    const promises = stalledPromises({ alone, beside: fine, drainSeconds: 1, complaints: [] });
    expect(promises.map(({ measured }) => measured)).toEqual(['20.0', '1.90', '190', '0']);
    expect(promises.every(({ met }) => met)).toBe(true);
    const bad = trial({ putP99Ms: 21, delayP99Ms: 1001, mebibytes: [301, 110, 120] });
    const broken = stalledPromises({
      alone,
      beside: bad,
      drainSeconds: 1,
      complaints: ['compacted'],
    });
    expect(broken.some(({ met }) => met)).toBe(false);
  });

  test('is told in a line for each scene', () => {
    const table = resultTable([rowOf('crowd-20', '1,000', [trial({})])]);
    expect(table.split('\n')).toHaveLength(2);
    expect(table).toContain('25 %');
  });
});
