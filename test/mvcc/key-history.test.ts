import { expect, test } from 'vitest';
import { plainRange } from '../../src/mvcc/types.ts';
import { rangeOf, TestSpace } from './space.ts';

test('the worked example of KeyHistory', () => {
  const tested = new TestSpace();
  tested.put('foo');
  tested.put('foo');
  tested.delete('foo');
  tested.put('other');
  tested.put('foo');
  tested.put('foo');
  tested.put('other');
  tested.delete('foo');
  const { space } = tested;
  const lines = Array.from({ length: 10 }, (_, at) => {
    const revision = at + 1;
    const history = space.index.find('foo');
    const slot = history === undefined ? -1 : space.index.visible(history, revision);
    if (history === undefined || slot === -1) return `at ${revision}: absent`;
    const { modRevision, version, createRevision } = space.pair(history, slot, false);
    return `at ${revision}: mod ${modRevision}, version ${version}, create ${createRevision}`;
  });
  expect(lines).toEqual([
    'at 1: absent',
    'at 2: mod 2, version 1, create 2',
    'at 3: mod 3, version 2, create 2',
    'at 4: absent',
    'at 5: absent',
    'at 6: mod 6, version 1, create 6',
    'at 7: mod 7, version 2, create 6',
    'at 8: mod 7, version 2, create 6',
    'at 9: absent',
    'at 10: absent',
  ]);
});

test('the worked example, compacted', () => {
  const kept = Array.from({ length: 9 }, (_, at) => {
    const tested = new TestSpace();
    for (const isPut of [true, true, false, null, true, true, null, false, null]) {
      if (isPut === null) tested.put('other');
      else if (isPut) tested.put('foo');
      else tested.delete('foo');
    }
    const { space } = tested;
    tested.compact(at + 2);
    tested.remove(1000);
    const foo = { key: 'foo', rangeEnd: null };
    const { revisions } = space.history(foo, 0, 100);
    return `at ${at + 2}: ${revisions.map(({ revision }) => revision).join(' ')}`;
  });
  expect(kept).toEqual([
    'at 2: 2 3 4 6 7 9',
    'at 3: 3 4 6 7 9',
    'at 4: 4 6 7 9',
    'at 5: 6 7 9',
    'at 6: 6 7 9',
    'at 7: 7 9',
    'at 8: 7 9',
    'at 9: 9',
    'at 10: ',
  ]);
});

test('a refused draft leaves no trace', () => {
  const tested = new TestSpace();
  tested.put('kept', '1');
  tested.put('gone', '2');
  tested.delete('gone');
  const { space } = tested;
  space.begin(5);
  space.delete('kept', 'request');
  space.put('gone', Buffer.from('x'), null);
  space.put('new', Buffer.from('x'), null);
  space.rollback();
  const all = { ...plainRange, key: '\0', rangeEnd: '\0' };
  const read = (revision: number) =>
    rangeOf(space, { ...all, revision }).pairs.map(
      ({ key, value }) => `${key}=${Buffer.from(value)}`,
    );
  expect(read(0)).toEqual(['kept=1']);
  expect(read(3)).toEqual(['gone=2', 'kept=1']);
  expect(space.index.log.length).toBe(3);
  expect(space.index.find('new')).toBeUndefined();
  tested.put('new', '3');
  expect(read(0)).toEqual(['kept=1', 'new=3']);
});
