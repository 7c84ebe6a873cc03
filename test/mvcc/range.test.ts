import { describe, expect, test } from 'vitest';
import { matches, prefixRange } from '../../src/mvcc/key-range.ts';
import { rangeSteps, readRange } from '../../src/mvcc/range.ts';
import type { Operation } from '../../src/mvcc/types.ts';
import { TestSpace } from './space.ts';

const all = { key: '\0', rangeEnd: '\0', revision: 0, limit: 0, keysOnly: false, countOnly: false };

describe('prefixRange', () => {
  test.each([
    ['a', ['a', 'a\0', 'a\xff\xff'], ['`', 'b', '']],
    ['a\xff', ['a\xff', 'a\xff\0'], ['a\xfe', 'b']],
    ['\xff\xff', ['\xff\xff', '\xff\xff\xff'], ['\xff', '\xff\xfe']],
    ['', ['\0', 'a', '\xff'], []],
  ])('%j', (prefix, inside, outside) => {
    const range = prefixRange(prefix);
    for (const key of inside) expect(matches(range, key)).toBe(true);
    for (const key of outside) expect(matches(range, key)).toBe(false);
  });
});

describe('a range in steps', () => {
  test('is of one moment, whatever is written between the steps', () => {
    const tested = new TestSpace();
    tested.fill('k', 3000);
    tested.delete('k00007');
    const expected = readRange(tested.space, all, () => true);
    const steps = rangeSteps(tested.space, all, () => true);
    let step = steps.next();
    let pauses = 0;
    for (; !step.done; step = steps.next()) {
      pauses++;
      tested.delete('k02500');
      tested.delete('k00001');
      tested.put('k02600', 'new');
      tested.put(`a${pauses}`);
      tested.put(`k02700-${pauses}`);
    }
    expect(pauses).toBe(2);
    expect(step.value).toEqual(expected);
    expect(step.value.count).toBe(2999);
  });

  test('ends where values are no longer admitted', () => {
    const tested = new TestSpace();
    for (const key of ['a', 'b', 'c']) tested.put(key, 'xyz');
    let admitted = 0;
    const result = readRange(tested.space, all, () => ++admitted <= 2);
    expect(result).toMatchObject({ count: 3, more: true });
    expect(result.pairs.map(({ key }) => key)).toEqual(['a', 'b']);
  });
});

test('a value that is not what was put is damage', () => {
  const tested = new TestSpace();
  tested.put('a', 'right');
  tested.values.set('2.0', Buffer.from('wrong'));
  expect(() => tested.space.get('a')).toThrow(expect.objectContaining({ code: 'dataDamaged' }));
  tested.values.delete('2.0');
  expect(() => tested.space.get('a')).toThrow(expect.objectContaining({ code: 'dataDamaged' }));
});

describe('the bounds of one command', () => {
  const tested = new TestSpace();
  tested.fill('k', 4096);
  tested.put('z1', 'v'.repeat(1_000_000));
  tested.put('z2', 'v'.repeat(1_000_000));
  tested.put('z3', 'v'.repeat(97_152));
  tested.put('z4', 'v');
  const { revision } = tested;
  const range: Operation = { type: 'range', ...all, key: 'k', rangeEnd: 'l', keysOnly: true };
  const del: Operation = { type: 'delete', key: 'k', rangeEnd: 'l', previous: false };
  const compare = {
    key: 'k',
    rangeEnd: 'l',
    operator: 'greater',
    target: 'version',
    number: 0,
  } as const;
  const txn = (...success: Operation[]): Operation => ({
    type: 'txn',
    compares: [],
    success,
    failure: [],
  });
  test.each<[string, Operation, string | null]>([
    ['4,096 keys read', txn(range), null],
    ['4,097 keys read', txn({ ...range, rangeEnd: 'z2' }), 'tooManyKeys'],
    ['4,097 keys counted', txn({ ...range, rangeEnd: 'z2', countOnly: true }), 'tooManyKeys'],
    ['4,097 keys in an old revision', txn({ ...range, rangeEnd: 'z2', revision }), 'tooManyKeys'],
    ['4,096 keys compared', { ...txn(), compares: [compare] } as Operation, null],
    [
      'and one more',
      { ...txn({ ...range, rangeEnd: null }), compares: [compare] } as Operation,
      'tooManyKeys',
    ],
    ['4,097 keys deleted', { ...del, rangeEnd: 'z2' }, 'tooManyKeys'],
    [
      'a delete undone by the next operation',
      txn(del, { ...range, key: 'z1', rangeEnd: null }),
      'tooManyKeys',
    ],
    ['1,000 values', txn({ ...range, limit: 1000, keysOnly: false }), null],
    ['1,001 values', txn({ ...range, limit: 1001, keysOnly: false }), 'tooManyKeys'],
    ['2 MiB of values', txn({ ...range, key: 'z1', rangeEnd: 'z4', keysOnly: false }), null],
    [
      'more of values',
      txn({ ...range, key: 'z1', rangeEnd: 'z5', keysOnly: false }),
      'tooManyKeys',
    ],
    ['previous values', { ...del, key: 'z', rangeEnd: '\0', previous: true }, 'tooManyKeys'],
  ])('%s', (_, operation, code) => {
    const result = tested.run(operation);
    expect('code' in result ? result.code : null).toBe(code);
    expect(tested.revision).toBe(revision);
    expect(readRange(tested.space, { ...all, countOnly: true }, () => true).count).toBe(4100);
  });

  test('4,096 keys deleted', () => {
    expect(tested.run(del)).toMatchObject({ deleted: 4096 });
    expect(tested.revision).toBe(revision + 1);
  });
});

test('compacted and future revisions are refused inside a transaction', () => {
  const tested = new TestSpace();
  tested.fill('k', 5);
  tested.compactRevision = 4;
  const at = (revision: number) =>
    tested.run({
      type: 'txn',
      compares: [],
      success: [
        { type: 'put', key: 'x', value: Buffer.from(''), leaseId: null, previous: false },
        { type: 'range', ...all, revision },
      ],
      failure: [],
    });
  expect(at(3)).toMatchObject({ code: 'compacted', details: { compactRevision: 4 } });
  expect(at(7)).toMatchObject({ code: 'futureRevision', details: { revision: 6 } });
  expect(tested.revision).toBe(6);
  expect(at(4)).toMatchObject({ results: [{}, { count: 3 }] });
  expect(tested.revision).toBe(7);
});
