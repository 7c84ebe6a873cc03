import { describe, expect, test } from 'vitest';
import { checkOperation } from '../../src/mvcc/operation-check.ts';
import { type Operation, plainRange, type TxnOperation } from '../../src/mvcc/types.ts';

const none = new Uint8Array(0);
function put(key: string): Operation {
  return {
    type: 'put',
    key,
    value: none,
    leaseId: null,
    previous: false,
    ignoreValue: false,
    ignoreLease: false,
  };
}
function del(key: string, rangeEnd: string | null = null): Operation {
  return { type: 'delete', key, rangeEnd, previous: false };
}
function range(key: string): Operation {
  return { type: 'range', key, rangeEnd: null, ...plainRange };
}
function txn(success: Operation[], failure: Operation[] = []): TxnOperation {
  return { type: 'txn', compares: [], success, failure };
}
function puts(count: number): Operation[] {
  return Array.from({ length: count }, (_, at) => put(`k${at}`));
}

describe('a transaction changes a key at most once', () => {
  test.each<[string, TxnOperation, string | null]>([
    ['two keys', txn([put('a'), put('b')]), null],
    ['a key twice', txn([put('a'), put('a')]), 'duplicateKey'],
    ['a key in each branch', txn([put('a')], [put('a')]), null],
    ['twice in the other branch', txn([], [put('a'), put('a')]), 'duplicateKey'],
    ['put and delete', txn([put('a'), del('a')]), 'duplicateKey'],
    ['delete and put', txn([del('a'), put('a')]), 'duplicateKey'],
    ['put inside a deleted range', txn([put('b'), del('a', 'c')]), 'duplicateKey'],
    ['put at the end of a deleted range', txn([put('c'), del('a', 'c')]), null],
    ['put after from-key delete', txn([del('a', '\0'), put('z')]), 'duplicateKey'],
    ['put before from-key delete', txn([del('b', '\0'), put('a')]), null],
    ['overlapping deletes', txn([del('a', 'c'), del('b', 'd')]), null],
    ['put and delete in different branches', txn([put('a')], [del('a')]), null],
    ['outer put, nested put', txn([put('a'), txn([put('a')])]), 'duplicateKey'],
    [
      'outer put, nested put in the failure branch',
      txn([txn([], [put('a')]), put('a')]),
      'duplicateKey',
    ],
    ['nested branches exclude each other', txn([txn([put('a')], [put('a')])]), null],
    ['nested put and a delete beside it', txn([txn([put('a')]), del('a')]), 'duplicateKey'],
    [
      'nested delete and a put beside it',
      txn([txn([], [del('\0', '\0')]), put('a')]),
      'duplicateKey',
    ],
    ['two nested ones', txn([txn([put('a')]), txn([put('a')])]), 'duplicateKey'],
    ['a read of a key that is put', txn([put('a'), range('a')]), null],
  ])('%s', (_, operation, code) => {
    expect(checkOperation(operation)?.code ?? null).toBe(code);
  });
});

describe('sizes', () => {
  const compares = (count: number): TxnOperation => ({
    ...txn([]),
    compares: Array.from({ length: count }, () => ({
      key: 'a',
      rangeEnd: null,
      operator: 'equal',
      target: 'version',
      number: 0,
    })),
  });
  let deep = txn([]);
  for (let depth = 1; depth <= 129; depth++) deep = txn([deep]);
  test.each<[string, Operation, string | null]>([
    ['128 operations', txn(puts(128)), null],
    ['129 operations', txn(puts(129)), 'tooManyOperations'],
    ['128 with nested ones', txn([...puts(100), txn(puts(27).map(() => del('z')))]), null],
    [
      '129 with nested ones',
      txn([...puts(100), txn(puts(28).map(() => del('z')))]),
      'tooManyOperations',
    ],
    ['129 in both branches', txn(puts(65), puts(64)), 'tooManyOperations'],
    ['128 compares', compares(128), null],
    ['129 compares', compares(129), 'tooManyOperations'],
    ['129 levels', deep, 'tooManyOperations'],
    ['no key', put(''), 'invalidArgument'],
    ['no key inside', txn([del('')]), 'invalidArgument'],
    ['no range end', del('a', ''), 'invalidArgument'],
    ['key of 4 KiB', put('k'.repeat(4096)), null],
    ['longer key', put('k'.repeat(4097)), 'keyTooLong'],
    ['longer range end', del('a', 'k'.repeat(4097)), 'keyTooLong'],
    ['largest value', { ...put('a'), value: new Uint8Array(1008 * 1024) } as Operation, null],
    [
      'larger value',
      { ...put('a'), value: new Uint8Array(1008 * 1024 + 1) } as Operation,
      'valueTooLarge',
    ],
  ])('%s', (_, operation, code) => {
    expect(checkOperation(operation)?.code ?? null).toBe(code);
  });
});
