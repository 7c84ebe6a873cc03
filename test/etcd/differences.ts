/** What means something else here on purpose: the README has each of them with its reason. */
import { matches } from '../../src/mvcc/key-range.ts';
import { checkOperation } from '../../src/mvcc/operation-check.ts';
import type {
  DeleteOperation,
  Key,
  KeyRange,
  Operation,
  TxnOperation,
} from '../../src/mvcc/types.ts';
import type { Step, WatchStep } from './step.ts';

/**
 * Whether both would not answer alike, or not be alike afterwards. `compactRevision` is the oldest revision
 * that can be read; 0 before any compaction.
 */
export function isAvoided(step: Step | WatchStep, compactRevision: number): boolean {
  switch (step.type) {
    case 'txn':
      return isOverlapThatEtcdMisses(step);
    case 'watch':
      // A compaction takes the deletions of its own revision away in etcd 3.4, though a watch may begin there.
      return step.startRevision === compactRevision && compactRevision > 0;
    default:
      return false;
  }
}

/**
 * etcd does not look at a put again when a transaction after the one that it is in deletes its key, and a
 * delete to the end of all keys is none to its check: both then change a key twice in one revision.
 */
function isOverlapThatEtcdMisses(txn: TxnOperation): boolean {
  if (checkOperation(txn)?.code !== 'duplicateKey') return false;
  return overlapsOf(txn.success) !== null && overlapsOf(txn.failure) !== null;
}

interface Changes {
  readonly puts: Set<Key>;
  readonly deletes: KeyRange[];
}

/** What etcd's check gathers of the operations of a branch; null when it finds an overlap. */
function overlapsOf(operations: readonly Operation[]): Changes | null {
  const puts = new Set<Key>();
  const deletes: KeyRange[] = operations.filter(
    (one): one is DeleteOperation => one.type === 'delete' && one.rangeEnd !== '\0',
  );
  const isDeleted = (key: Key) => deletes.some((range) => matches(range, key));
  for (const operation of operations) {
    if (operation.type !== 'txn') continue;
    const [success, failure] = [overlapsOf(operation.success), overlapsOf(operation.failure)];
    if (success === null || failure === null) return null;
    const inner = new Set([...success.puts, ...failure.puts]);
    for (const key of inner) if (puts.has(key) || isDeleted(key)) return null;
    for (const key of inner) puts.add(key);
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const operation of operations) {
    if (operation.type !== 'put') continue;
    if (puts.has(operation.key) || isDeleted(operation.key)) return null;
    puts.add(operation.key);
  }
  return { puts, deletes };
}
