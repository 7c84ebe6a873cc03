import { describe, expect, test } from 'vitest';
import { matches, prefixRange } from '../../src/mvcc/key-range.ts';
import { rangeSteps } from '../../src/mvcc/range.ts';
import {
  type KeyValue,
  type Operation,
  plainRange,
  type RangeOperation,
  type RangeResult,
  type Selection,
} from '../../src/mvcc/types.ts';
import { rangeOf, reading, TestSpace } from './space.ts';

const all = { key: '\0', rangeEnd: '\0', ...plainRange };

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
    const expected = rangeOf(tested.space, all);
    const steps = rangeSteps(tested.space, all, reading);
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
    expect(pauses).toBeGreaterThan(3);
    expect(step.value).toEqual(expected);
    expect(expected.count).toBe(2999);
  });

  test('holds no more values to sort by than fit into an answer, also where only keys are asked for', () => {
    const tested = new TestSpace();
    for (const key of ['a', 'b', 'c']) tested.put(key, 'x'.repeat(1000));
    const byValue = { ...all, sortBy: 'value', keysOnly: true } as const;
    const { pairs, count, more } = rangeOf(tested.space, byValue, { bytesMax: 2400 });
    expect(pairs.map(({ key, value }) => [key, value.length])).toEqual([
      ['a', 0],
      ['b', 0],
    ]);
    expect({ count, more }).toEqual({ count: 3, more: true });
  });

  test('ends before its bytes are too many', () => {
    const tested = new TestSpace();
    for (const key of ['a', 'b', 'c']) tested.put(key, 'x'.repeat(1000));
    const keys = (bytesMax: number) => {
      const { pairs, count, more } = rangeOf(tested.space, all, { bytesMax });
      return { keys: pairs.map(({ key }) => key).join(''), count, more };
    };
    expect(keys(1)).toEqual({ keys: 'a', count: 3, more: true });
    expect(keys(2400)).toEqual({ keys: 'ab', count: 3, more: true });
    expect(keys(4000)).toEqual({ keys: 'abc', count: 3, more: false });
  });
});

describe('an order', () => {
  const tested = new TestSpace();
  for (let at = 0; at < 1500; at++) {
    const key = `k${((at * 7919) % 1500).toString().padStart(4, '0')}`;
    tested.put(key, `${(at * 31) % 100}`.padEnd(at % 50, 'x'));
    if (at % 3 === 0) tested.put(key, `${(at * 17) % 100}`);
  }
  const { revision } = tested;
  const then = { ...all, revision };
  const everything = rangeOf(tested.space, then).pairs;
  const ranks = {
    key: ({ key }: KeyValue) => key,
    version: ({ version }: KeyValue) => version,
    createRevision: ({ createRevision }: KeyValue) => createRevision,
    modRevision: ({ modRevision }: KeyValue) => modRevision,
    value: ({ value }: KeyValue) => Buffer.from(value).toString('latin1'),
  };
  function sorted({ sortBy, order }: Pick<Selection, 'sortBy' | 'order'>): KeyValue[] {
    const rank = ranks[sortBy];
    const turned = order === 'ascend' ? 1 : -1;
    return everything.toSorted((left, right) =>
      rank(left) === rank(right) ? 0 : rank(left) < rank(right) ? -turned : turned,
    );
  }
  function lines(pairs: readonly KeyValue[]): string {
    const line = ({ key, value, modRevision }: KeyValue) => `${key} ${modRevision} ${value}`;
    return pairs.map(line).join('\n');
  }
  const orders = (Object.keys(ranks) as (keyof typeof ranks)[]).flatMap((sortBy) => [
    { sortBy, order: 'ascend' as const },
    { sortBy, order: 'descend' as const },
  ]);

  test.each(orders)('by $sortBy, $order: the first ones are kept, however few', (order) => {
    const expected = sorted(order);
    for (const limit of [0, 1, 7, 700, 1499, 1500]) {
      const found = rangeOf(tested.space, { ...then, ...order, limit });
      expect(lines(found.pairs)).toBe(lines(limit === 0 ? expected : expected.slice(0, limit)));
      expect(found).toMatchObject({ count: 1500, more: limit > 0 && limit < 1500 });
    }
  });

  test.each(orders)('by $sortBy, $order: as many as the bytes allow', (order) => {
    const expected = sorted(order);
    for (const bytesMax of [1, 500, 5000, 100_000]) {
      const { pairs, more } = rangeOf(tested.space, { ...then, ...order }, { bytesMax });
      expect(lines(pairs)).toBe(lines(expected.slice(0, pairs.length)));
      const bytes = pairs.reduce((sum, { value }) => sum + 170 + value.length, 0);
      expect(bytes <= bytesMax || pairs.length === 1).toBe(true);
      const next = expected[pairs.length];
      expect(bytes + 170 + (next?.value.length ?? 0)).toBeGreaterThan(bytesMax);
      expect(more).toBe(true);
    }
  });

  test.each(orders)('by $sortBy, $order: of one moment, also in steps', (order) => {
    const expected = sorted(order);
    const steps = rangeSteps(tested.space, { ...then, ...order }, reading);
    let step = steps.next();
    for (let pauses = 0; !step.done; step = steps.next()) {
      const near = (pauses++ * 97) % 1490;
      tested.delete(`k${near.toString().padStart(4, '0')}`);
      tested.put(`k${(near + 3).toString().padStart(4, '0')}`, 'new');
      tested.put(`l${pauses}`, 'new');
    }
    const found = step.value as RangeResult;
    expect(lines(found.pairs)).toBe(lines(expected));
    expect(found).toMatchObject({ count: 1500, more: false });
  });
});

describe('a compaction while a range is read', () => {
  const tested = new TestSpace();
  tested.fill('k', 3000);
  const read = (sortBy: Selection['sortBy'], passedAfter: number): unknown => {
    let compactRevision = 0;
    const request = { ...all, sortBy, revision: tested.revision };
    const steps = rangeSteps(tested.space, request, {
      ...reading,
      compactRevision: () => compactRevision,
    });
    let step = steps.next();
    for (let pauses = 1; !step.done; pauses++) {
      if (pauses === passedAfter) compactRevision = tested.revision + 1;
      step = steps.next();
    }
    return step.value;
  };
  test.each(['key', 'modRevision', 'value'] as const)(
    'by %s: the answer is whole or refused',
    (sortBy) => {
      expect(read(sortBy, 1)).toMatchObject({ code: 'compacted' });
      expect(read(sortBy, 4)).toMatchObject({ code: 'compacted' });
      expect(read(sortBy, 1000)).toMatchObject({ count: 3000 });
    },
  );
});

test('without a count a page of an old revision ends where it is full', () => {
  const tested = new TestSpace();
  tested.fill('k', 3000);
  const { revision } = tested;
  tested.put('new');
  const request = { ...all, revision, limit: 10 };
  expect(rangeOf(tested.space, request)).toMatchObject({ count: 3000, more: true });
  expect(rangeOf(tested.space, request, { counted: false })).toMatchObject({
    count: 11,
    more: true,
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
  const range: RangeOperation = { type: 'range', ...all, key: 'k', rangeEnd: 'l', keysOnly: true };
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
    expect(rangeOf(tested.space, { ...all, countOnly: true }).count).toBe(4100);
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
        {
          type: 'put',
          key: 'x',
          value: Buffer.from(''),
          leaseId: null,
          previous: false,
          ignoreValue: false,
          ignoreLease: false,
        },
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
