/** The log that is kept for members that receive a state. */
import { expect, test } from 'vitest';
import { OwedLog } from '../../src/node/owed-log.ts';
import type { PeerProgress } from '../../src/raft/types.ts';

const id = 'a'.repeat(16);
const at = (matchIndex: number, more: Partial<PeerProgress> = {}): PeerProgress[] => [
  { id, matchIndex, state: 'snapshot', isRecentlyActive: true, ...more },
];
const receiving = new Map([[id, 5000]]);
const nobody = new Map<string, number>();

test('is kept from the first piece of the state until the member has caught up', () => {
  const owed = new OwedLog();
  expect(owed.floor).toBeNull();
  owed.update(receiving, at(10), 9000);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, at(10), 12_000);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, at(5000, { state: 'replicate' }), 15_000);
  owed.update(nobody, at(11_000, { state: 'replicate' }), 18_000);
  expect(owed.floor).toBe(11_000);
  owed.update(nobody, at(19_500, { state: 'replicate' }), 20_000);
  expect(owed.floor).toBeNull();
});

test('is given up with a member that is gone', () => {
  const owed = new OwedLog();
  owed.update(receiving, at(10), 9000);
  owed.update(nobody, at(10, { isRecentlyActive: false }), 9000);
  expect(owed.floor).toBeNull();
});

test('is kept by a node that does not lead, as long as it sends', () => {
  const owed = new OwedLog();
  owed.update(receiving, [], 9000);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, [], 9000);
  expect(owed.floor).toBeNull();
});
