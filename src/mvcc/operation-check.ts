/** What is wrong with an operation by itself, whatever the keys hold. */
import { limits } from '../base/limits.ts';
import { Refusal } from '../base/refusal.ts';
import { matches } from './key-range.ts';
import type { Key, KeyRange, Operation, TxnOperation } from './types.ts';

/**
 * Null when the operation may run. A transaction is refused with more operations (or compares) in all
 * than are allowed, and when some choice of branches would put a key twice, or put and delete it: a
 * revision changes a key at most once. Deletes may overlap.
 */
export function checkOperation(operation: Operation): Refusal | null {
  if (operation.type !== 'txn') return checkSizes(operation);
  if (!isWithin(operation, { operations: 0, compares: 0 })) {
    return new Refusal(
      'tooManyOperations',
      `The transaction has more than ${limits.transactionOperationsMax} operations or compares`,
      { limit: limits.transactionOperationsMax },
    );
  }
  const refusal = checkSizes(operation);
  if (refusal !== null) return refusal;
  return checkBranches(operation) === null
    ? new Refusal('duplicateKey', 'The transaction changes a key more than once')
    : null;
}

function checkSizes(operation: Operation): Refusal | null {
  if (operation.type === 'put') {
    const { length } = operation.value;
    const isContradiction =
      (operation.ignoreValue && length > 0) ||
      (operation.ignoreLease && operation.leaseId !== null);
    if (isContradiction) {
      return new Refusal('invalidArgument', 'A put cannot both give and ignore a value or lease');
    }
    if (length <= limits.valueBytesMax) return checkKey(operation.key);
    return new Refusal(
      'valueTooLarge',
      `The value has ${length} bytes, at most ${limits.valueBytesMax} are allowed`,
      { limit: limits.valueBytesMax },
    );
  }
  if (operation.type !== 'txn') return checkRange(operation);
  for (const compare of operation.compares) {
    const refusal = checkRange(compare);
    if (refusal !== null) return refusal;
  }
  for (const branch of [operation.success, operation.failure]) {
    for (const nested of branch) {
      const refusal = checkSizes(nested);
      if (refusal !== null) return refusal;
    }
  }
  return null;
}

export function checkRange({ key, rangeEnd }: KeyRange): Refusal | null {
  return checkKey(key) ?? (rangeEnd === null ? null : checkKey(rangeEnd));
}

function checkKey(key: Key): Refusal | null {
  if (key.length === 0) return new Refusal('invalidArgument', 'A key has at least one byte');
  if (key.length <= limits.keyBytesMax) return null;
  return new Refusal(
    'keyTooLong',
    `The key has ${key.length} bytes, at most ${limits.keyBytesMax} are allowed`,
    { limit: limits.keyBytesMax },
  );
}

function isWithin(txn: TxnOperation, counted: { operations: number; compares: number }): boolean {
  const max = limits.transactionOperationsMax;
  counted.compares += txn.compares.length;
  counted.operations += txn.success.length + txn.failure.length;
  if (counted.operations > max || counted.compares > max) return false;
  for (const branch of [txn.success, txn.failure]) {
    for (const operation of branch) {
      if (operation.type === 'txn' && !isWithin(operation, counted)) return false;
    }
  }
  return true;
}

/** What the operations may change, whichever branches are taken inside them. */
interface Changes {
  readonly puts: ReadonlySet<Key>;
  readonly deletes: readonly KeyRange[];
}

/** The changes of both branches, of which one is taken; null when either has a conflict. */
function checkBranches(txn: TxnOperation): Changes | null {
  const success = checkOperations(txn.success);
  const failure = checkOperations(txn.failure);
  if (success === null || failure === null) return null;
  return {
    puts: new Set([...success.puts, ...failure.puts]),
    deletes: [...success.deletes, ...failure.deletes],
  };
}

/** The changes of operations that all run; null when two of them conflict. */
function checkOperations(operations: readonly Operation[]): Changes | null {
  const puts = new Set<Key>();
  const deletes: KeyRange[] = [];
  for (const operation of operations) {
    const changes = changesOf(operation);
    if (changes === null) return null;
    for (const key of changes.puts) {
      if (puts.has(key) || deletes.some((range) => matches(range, key))) return null;
    }
    for (const range of changes.deletes) {
      for (const key of puts) if (matches(range, key)) return null;
    }
    for (const key of changes.puts) puts.add(key);
    deletes.push(...changes.deletes);
  }
  return { puts, deletes };
}

const noKeys: ReadonlySet<Key> = new Set();

function changesOf(operation: Operation): Changes | null {
  switch (operation.type) {
    case 'put':
      return { puts: new Set([operation.key]), deletes: [] };
    case 'delete':
      return { puts: noKeys, deletes: [operation] };
    case 'range':
      return { puts: noKeys, deletes: [] };
    case 'txn':
      return checkBranches(operation);
  }
}
