import { expect, test } from 'vitest';
import { utf8Decode } from '../../src/base/bytes.ts';
import { plainRange } from '../../src/mvcc/types.ts';
import { leaseId, put, TestMachine } from './machine.ts';
import { readRange } from './read-range.ts';

const all = { key: '\0', rangeEnd: '\0' };

test('a new incarnation goes on 2^32 revisions higher, with all that was there before', () => {
  const machine = new TestMachine();
  machine.run({ type: 'leaseGrant', leaseId: leaseId(1), ttlMs: 5000 });
  machine.apply([put('a', 'one'), put('a', 'two', { leaseId: leaseId(1) })]);
  const { digest } = machine;
  expect(machine.run({ type: 'beginIncarnation' })).toMatchObject({
    ok: true,
    revision: 2 ** 32 + 3,
  });
  expect(machine.digest).toBe(digest);
  machine.reload();
  const { outcomes, revisions } = machine.apply([
    { type: 'leaseRevoke', leaseId: leaseId(1) },
    put('b', 'three'),
  ]);
  expect(outcomes.map(({ revision }) => revision)).toEqual([2 ** 32 + 4, 2 ** 32 + 5]);
  expect(revisions.map(({ revision }) => revision)).toEqual([2 ** 32 + 4, 2 ** 32 + 5]);
  machine.reload();
  const values = (revision: number): string[] => {
    const request = { ...plainRange, ...all, revision };
    const result = readRange(machine.machine, 'kv', request);
    if (!('pairs' in result)) return [result.code];
    return result.pairs.map(({ key, value }) => `${key}=${utf8Decode(value)}`);
  };
  expect(values(2)).toEqual(['a=one']);
  expect(values(3)).toEqual(['a=two']);
  // The revisions between were never given, and read as the last one before them.
  expect(values(2 ** 32)).toEqual(['a=two']);
  expect(values(2 ** 32 + 4)).toEqual([]);
  expect(values(0)).toEqual(['b=three']);
  const history = machine.machine.history('kv', all, 4, 10);
  expect(history.revisions.map(({ revision }) => revision)).toEqual([2 ** 32 + 4, 2 ** 32 + 5]);
  expect(history.next).toBe(2 ** 32 + 6);
});
