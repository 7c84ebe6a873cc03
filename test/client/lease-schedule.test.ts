import { expect, test } from 'vitest';
import { LeaseSchedule } from '../../src/client/lease-schedule.ts';

test('a lease falls due after a third of its TTL, again and again', () => {
  const schedule = new LeaseSchedule();
  expect(schedule.nextDueAtMs()).toBeNull();
  schedule.add('a', 3000, 100);
  expect(schedule.nextDueAtMs()).toBe(1100);
  expect(schedule.take(700, 10)).toEqual([]);
  expect(schedule.take(1100, 10)).toEqual(['a']);
  expect(schedule.nextDueAtMs()).toBe(2100);
});

test('leases that fall due about the same time go together', () => {
  const schedule = new LeaseSchedule();
  schedule.add('a', 3000, 0);
  schedule.add('b', 3000, 250);
  schedule.add('c', 9000, 0);
  expect(schedule.take(1000, 10)).toEqual(['a', 'b']);
  expect(schedule.nextDueAtMs()).toBe(2000);
});

test('a request holds so many and no more; the others stay due', () => {
  const schedule = new LeaseSchedule();
  for (const id of ['a', 'b', 'c']) schedule.add(id, 3000, 0);
  expect(schedule.take(1000, 2)).toEqual(['a', 'b']);
  expect(schedule.take(1000, 2)).toEqual(['c']);
  expect(schedule.take(1000, 2)).toEqual([]);
});

test('a failed renewal is due again sooner, and never later', () => {
  const schedule = new LeaseSchedule();
  schedule.add('a', 3000, 0);
  schedule.take(1000, 10);
  schedule.retry(['a', 'gone'], 1200, 100);
  expect(schedule.nextDueAtMs()).toBe(1300);
  schedule.retry(['a'], 1250, 5000);
  expect(schedule.nextDueAtMs()).toBe(1300);
  schedule.delete('a');
  expect(schedule.nextDueAtMs()).toBeNull();
});

test('the shortest TTL bounds the request', () => {
  const schedule = new LeaseSchedule();
  schedule.add('a', 3000, 0);
  schedule.add('b', 900, 0);
  expect(schedule.shortestTtlMs(['a', 'b'])).toBe(900);
  expect(schedule.shortestTtlMs(['a'])).toBe(3000);
});
