/** How much of the stored log is kept for followers that are behind. */
import { expect, test } from 'vitest';
import { LogRetention } from '../../src/node/log-retention.ts';
import type { Entry } from '../../src/raft/types.ts';

/** Entries of about 100 bytes each. */
function entries(from: number, to: number): Entry[] {
  return Array.from({ length: to - from + 1 }, (_, at) => ({
    ...{ term: 1, index: from + at },
    ...{ type: 'command', command: new Uint8Array(84) },
  }));
}

function applied(count: number): LogRetention {
  const retention = new LogRetention({ logWindowBytes: 8000, logRetainedBytesMax: 50_000 }, 0);
  for (let index = 1; index <= count; index += 10) retention.applied(entries(index, index + 9));
  return retention;
}

test('nothing goes while all fits into the window', () => {
  expect(applied(80).release(8000, Number.POSITIVE_INFINITY, null)).toBe(0);
});

test('what is older than the window goes', () => {
  expect(applied(200).release(20_000, Number.POSITIVE_INFINITY, null)).toBe(120);
});

test('but not what a follower needs', () => {
  expect(applied(200).release(20_000, 37, null)).toBe(37);
});

test('unless that is too much to keep', () => {
  expect(applied(600).release(60_000, 37, null)).toBe(520);
});

test('what is owed stays, and it is known how much too much that is', () => {
  const retention = applied(600);
  expect(retention.release(60_000, 37, 12)).toBe(12);
  expect(retention.excess(50_000)).toBe(0);
  expect(retention.excess(75_000)).toBe(0.5);
});

test('after a received state nothing older is counted', () => {
  const retention = applied(200);
  retention.restored(5000);
  expect(retention.release(20_000, 9000, null)).toBeNull();
  retention.applied(entries(5001, 5100));
  expect(retention.release(20_000, 9000, null)).toBe(5000);
});
