import { expect, test } from 'vitest';
import { LogTime } from '../../src/lease/log-time.ts';

test('log time runs with the monotonic clock, but a stall hardly counts', () => {
  const time = new LogTime({ stepMaxMs: 150, newestMs: 1000, monotonicMs: 5 });
  const lines = [
    ['a stamp at once', time.stamp(5)],
    ['10.4 ms later', time.stamp(15.4)],
    ['fractions add up', time.stamp(15.4 + 0.7)],
    ['the most at once', time.stamp(16.1 + 150)],
    ['a stall of a minute', time.stamp(60_000)],
    ['a clock that went back', time.stamp(100)],
    ['and caught up', time.stamp(60_001)],
  ];
  time.advance(60_101);
  time.advance(60_201);
  lines.push(['two ticks', time.stamp(60_201)]);
  time.restart(900, 70_000);
  lines.push(['a new term goes on from its log', time.stamp(70_020)]);
  expect(lines).toEqual([
    ['a stamp at once', 1000],
    ['10.4 ms later', 1010],
    ['fractions add up', 1011],
    ['the most at once', 1161],
    ['a stall of a minute', 1311],
    ['a clock that went back', 1311],
    ['and caught up', 1312],
    ['two ticks', 1512],
    ['a new term goes on from its log', 920],
  ]);
});
