import { expect, test } from 'vitest';
import { type Version, VersionTable } from '../../src/mvcc/version-table.ts';

const put: Version = {
  ...{ revision: 7, sub: 0, createRevision: 3, version: 2, leaseId: null, tombstone: false },
  ...{ cause: 'request', valueLength: 9, valueHash: { high: 1, low: 2 } },
};
const extremes: readonly Version[] = [
  put,
  { ...put, revision: 2 ** 53 - 1, createRevision: 2 ** 53 - 1, sub: 0xffff },
  { ...put, version: 2 ** 32 - 1 },
  { ...put, version: 2 ** 32, sub: 0xffff },
  { ...put, version: 2 ** 45 - 1, sub: 0xffff, leaseId: 'ffffffffffffffff' },
  { ...put, version: 0, createRevision: 0, valueLength: 0, tombstone: true, cause: 'leaseExpired' },
  { ...put, tombstone: true, cause: 'leaseRevoked', sub: 1, version: 2 ** 44 },
  { ...put, valueLength: 2 ** 32 - 1, valueHash: { high: 2 ** 32 - 1, low: 2 ** 31 } },
];

test('what is kept of a version comes back, next to any other', () => {
  const table = new VersionTable();
  const slots = extremes.map((version, number) => table.add(number, version));
  expect(slots.map((slot) => table.get(slot))).toEqual(extremes);
  expect(slots.map((slot) => table.keyNumber(slot))).toEqual(slots.map((_, number) => number));
  table.remove(slots[3] as number);
  expect(table.add(11, put)).toBe(slots[3]);
  expect(table.get(slots[3] as number)).toEqual(put);
  expect(table.get(slots[4] as number)).toEqual(extremes[4]);
});

test('what does not fit is no version', () => {
  const table = new VersionTable();
  expect(() => table.add(0, { ...put, sub: 0x10000 })).toThrow('out of range');
  expect(() => table.add(0, { ...put, version: 2 ** 45 })).toThrow('out of range');
});
