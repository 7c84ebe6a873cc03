/** The pace of writes while a receiver of a state is owed more log than should be kept. */
import { expect, test } from 'vitest';
import { Pace } from '../../src/node/pace.ts';

const mebi = 1024 * 1024;
const bound = 60 * mebi;

/** Bytes that get through in a second, when entries of up to 1 MiB always wait for their turn. */
function bytesPerSecond(excess: number): number {
  const pace = new Pace(() => excess, bound);
  let bytes = 0;
  for (let nowMs = 0; nowMs < 1000; nowMs++) {
    if (!pace.isOpen(nowMs)) continue;
    const entryBytes = Math.min(mebi, pace.entryBytesMax);
    pace.proposed(entryBytes, nowMs);
    bytes += entryBytes;
  }
  return bytes;
}

test('is no matter while the log is within its bound', () => {
  const pace = new Pace(() => 0, bound);
  pace.proposed(mebi, 5);
  expect(pace.isOpen(5)).toBe(true);
  expect(pace.entryBytesMax).toBe(Number.POSITIVE_INFINITY);
});

test('falls as the log grows, until nothing more is taken', () => {
  const rates = [0.1, 0.3, 0.5, 0.7, 0.9, 0.99].map((excess) => bytesPerSecond(excess));
  expect(rates).toEqual([...rates].sort((left, right) => right - left));
  expect((rates[2] ?? 0) / mebi).toBeCloseTo(1, 0);
  expect(rates[5]).toBeLessThan(0.02 * mebi);
  expect(bytesPerSecond(1)).toBe(0);
  expect(bytesPerSecond(7)).toBe(0);
  expect(new Pace(() => 1, bound).isStopped).toBe(true);
});

test('lets the log come nearer and nearer to twice its bound, but not beyond', () => {
  let stored = bound;
  const pace = new Pace(() => stored / bound - 1, bound);
  const after: number[] = [];
  for (let nowMs = 0; nowMs < 600_000; nowMs++) {
    if (pace.isOpen(nowMs)) {
      const entryBytes = Math.min(mebi, pace.entryBytesMax);
      stored += entryBytes;
      pace.proposed(entryBytes, nowMs);
    }
    if (nowMs % 60_000 === 0) after.push(stored / bound);
  }
  expect(after).toEqual([...after].sort((left, right) => left - right));
  expect(after[1]).toBeGreaterThan(1.5);
  expect(after[1]).toBeLessThan(1.95);
  expect(after.at(-1)).toBeGreaterThan(1.99);
  expect(after.at(-1)).toBeLessThan(2.001);
});

test('makes entries smaller rather than rare', () => {
  for (const excess of [0.5, 0.9, 0.99]) {
    const pace = new Pace(() => excess, bound);
    pace.proposed(pace.entryBytesMax, 0);
    expect(pace.isOpen(101)).toBe(true);
  }
});

test('does not let one large command hold up all others for long', () => {
  const pace = new Pace(() => 0.99, bound);
  pace.proposed(mebi, 0);
  expect(pace.isOpen(499)).toBe(false);
  expect(pace.isOpen(500)).toBe(true);
});
