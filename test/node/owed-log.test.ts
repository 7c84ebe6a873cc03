/** The log that is kept for members that receive a state. */
import { expect, test } from 'vitest';
import { OwedLog, type Receiver } from '../../src/node/owed-log.ts';
import type { PeerProgress } from '../../src/raft/types.ts';

const id = 'a'.repeat(16);
const at = (matchIndex: number, more: Partial<PeerProgress> = {}): PeerProgress[] => [
  { id, matchIndex, state: 'snapshot', isRecentlyActive: true, ...more },
];
const receiving = new Map([[id, { index: 5000, heardMs: 0 }]]);
const nobody = new Map<string, Receiver>();
const patienceMs = 1000;

test('is kept from the first piece of the state until the member has caught up', () => {
  const owed = new OwedLog(patienceMs);
  expect(owed.floor).toBeNull();
  owed.update(receiving, at(10), 8000, 0);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, at(10), 11_000, 0);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, at(5000, { state: 'replicate' }), 14_000, 0);
  owed.update(nobody, at(11_000, { state: 'replicate' }), 17_000, 0);
  expect(owed.floor).toBe(11_000);
  owed.update(nobody, at(19_500, { state: 'replicate' }), 19_000, 0);
  expect(owed.floor).toBeNull();
});

test('is given up with a member that is gone, but not at its first silence', () => {
  const owed = new OwedLog(patienceMs);
  owed.update(receiving, at(10), 8000, 0);
  owed.update(nobody, at(10, { isRecentlyActive: false }), 8000, patienceMs);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, at(10, { isRecentlyActive: false }), 8000, patienceMs + 1);
  expect(owed.floor).toBeNull();
});

test('is kept by a node that does not lead, as long as it sends', () => {
  const owed = new OwedLog(patienceMs);
  owed.update(receiving, [], 8000, 0);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, [], 8000, 0);
  expect(owed.floor).toBeNull();
});

test('is given up for a member that answers, but has come no nearer for long: writes must not wait', () => {
  const owed = new OwedLog(patienceMs);
  owed.update(receiving, at(10), 8000, 500);
  expect(owed.floor).toBe(5000);
  owed.update(receiving, at(10), 8000, 1500);
  expect(owed.floor).toBeNull();

  owed.update(new Map([[id, { index: 5000, heardMs: 1600 }]]), at(10), 8000, 1700);
  owed.update(nobody, at(6000), 8000, 2500);
  owed.update(nobody, at(6000), 8000, 3400);
  expect(owed.floor).toBe(6000);
  owed.update(nobody, at(6000), 8000, 3600);
  expect(owed.floor).toBeNull();
});

test('is kept for one that lacks few entries, but more than what is kept anyway', () => {
  const owed = new OwedLog(patienceMs);
  owed.update(receiving, at(10), 4900, 0);
  owed.update(nobody, at(5000, { state: 'replicate' }), 5100, 0);
  expect(owed.floor).toBe(5000);
  owed.update(nobody, at(5200, { state: 'replicate' }), 5200, 0);
  expect(owed.floor).toBeNull();
});
