/**
 * Runs the operations of one command on a space with an open draft. Compares, also those of nested
 * transactions, are decided before anything changes, and so is whether the leases, keys and revisions that
 * operations speak of exist: first of all puts, then of all ranges, as etcd does. Then the operations run in
 * order and each sees what those before it changed. A refusal leaves the draft to be rolled back.
 */
import { unreachable } from '../base/assert.ts';
import { Refusal } from '../base/refusal.ts';
import { Budget } from './budget.ts';
import { holds } from './compare.ts';
import { boundsOf } from './key-range.ts';
import type { KeySpace } from './key-space.ts';
import { checkOperation } from './operation-check.ts';
import { compacted, presentKeys, readRange } from './range.ts';
import type {
  Compare,
  DeleteOperation,
  KeyValue,
  LeaseId,
  Operation,
  OperationResult,
  PutOperation,
  RangeOperation,
  Revision,
  TxnOperation,
} from './types.ts';

/** What operations must know of the world around the space. */
export interface OperationContext {
  /** The newest revision before the command. */
  readonly revision: Revision;
  readonly compactRevision: Revision;
  isLeaseAlive(leaseId: LeaseId): boolean;
}

/** Null when the revision may be read; 0 is the newest. */
export function checkRevision(
  revision: Revision,
  context: Pick<OperationContext, 'revision' | 'compactRevision'>,
): Refusal | null {
  if (revision > context.revision) return futureRevision(revision, context.revision);
  if (revision === 0 || revision >= context.compactRevision) return null;
  return compacted(context.compactRevision);
}

export function futureRevision(asked: Revision, newest: Revision): Refusal {
  return new Refusal('futureRevision', `Revision ${asked} does not exist yet`, {
    revision: newest,
  });
}

/** Runs a put, a delete or a transaction. */
export function runOperation(
  space: KeySpace,
  operation: Operation,
  context: OperationContext,
): OperationResult | Refusal {
  return new Runner(space, context).run(operation);
}

class Runner {
  readonly #space: KeySpace;
  readonly #context: OperationContext;
  readonly #budget = new Budget();
  /** Which branch each transaction takes, in the order in which they run. */
  readonly #choices: boolean[] = [];
  #choice = 0;
  /** What runs, in order, without the transactions around it. */
  readonly #taken: Exclude<Operation, TxnOperation>[] = [];

  constructor(space: KeySpace, context: OperationContext) {
    this.#space = space;
    this.#context = context;
  }

  run(operation: Operation): OperationResult | Refusal {
    const refusal =
      checkOperation(operation) ?? this.#choose([operation]) ?? this.#check(operation);
    return refusal ?? this.#run(operation);
  }

  #run(operation: Operation): OperationResult | Refusal {
    switch (operation.type) {
      case 'put':
        return this.#put(operation);
      case 'delete':
        return this.#delete(operation);
      case 'range':
        return this.#range(operation);
      case 'txn':
        return this.#txn(operation);
      default:
        return unreachable(operation);
    }
  }

  /** Decides the transactions and those nested in the branches that they take. */
  #choose(operations: readonly Operation[]): Refusal | null {
    for (const operation of operations) {
      if (operation.type !== 'txn') {
        this.#taken.push(operation);
        continue;
      }
      const succeeded = this.#decide(operation.compares);
      if (succeeded instanceof Refusal) return succeeded;
      this.#choices.push(succeeded);
      const refusal = this.#choose(succeeded ? operation.success : operation.failure);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  #decide(compares: readonly Compare[]): boolean | Refusal {
    for (const compare of compares) {
      const outcome = holds(this.#space, compare, this.#budget);
      if (outcome !== true) return outcome;
    }
    return true;
  }

  /** What operations speak of, before any of them has changed anything. */
  #check(command: Operation): Refusal | null {
    // As in etcd a put by itself is asked for its lease first, one in a transaction for its key.
    if (command.type === 'put') return this.#checkLease(command) ?? this.#checkKept(command);
    for (const operation of this.#taken) {
      if (operation.type !== 'put') continue;
      const refusal = this.#checkKept(operation) ?? this.#checkLease(operation);
      if (refusal !== null) return refusal;
    }
    for (const operation of this.#taken) {
      if (operation.type !== 'range') continue;
      const refusal = checkRevision(operation.revision, this.#context);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  #checkKept({ key, ignoreValue, ignoreLease }: PutOperation): Refusal | null {
    const keeps = ignoreValue || ignoreLease;
    if (!keeps || this.#space.index.present(key) !== undefined) return null;
    return new Refusal('keyNotFound', 'There is no key whose value or lease could be kept');
  }

  #checkLease({ leaseId }: PutOperation): Refusal | null {
    if (leaseId === null || this.#context.isLeaseAlive(leaseId)) return null;
    return leaseNotFound(leaseId);
  }

  #put(operation: PutOperation): OperationResult | Refusal {
    const { key } = operation;
    const { index } = this.#space;
    const refusal = this.#budget.visit(1);
    if (refusal !== null) return refusal;
    const reads = operation.previous || operation.ignoreValue;
    const found = reads ? this.#previous([key]) : [];
    if (found instanceof Refusal) return found;
    const [before] = found;
    let { value, leaseId } = operation;
    const history = index.present(key);
    if (history !== undefined) {
      if (operation.ignoreValue && before !== undefined) value = before.value;
      if (operation.ignoreLease) leaseId = index.table.leaseId(history.newest);
    }
    this.#space.put(key, value, leaseId);
    return { type: 'put', previous: (operation.previous ? before : null) ?? null };
  }

  #delete(operation: DeleteOperation): OperationResult | Refusal {
    const bounds = boundsOf(operation);
    const count = this.#space.index.countPresent(bounds);
    const refusal = this.#budget.visit(Math.max(1, count));
    if (refusal !== null) return refusal;
    const keys = presentKeys(this.#space, bounds, count);
    const previous = operation.previous ? this.#previous(keys) : [];
    if (previous instanceof Refusal) return previous;
    for (const key of keys) this.#space.delete(key, 'request');
    return { type: 'delete', deleted: keys.length, previous };
  }

  #range(operation: RangeOperation): OperationResult | Refusal {
    const { index } = this.#space;
    const bounds = boundsOf(operation);
    const keys = operation.revision === 0 ? index.countPresent(bounds) : index.countAll(bounds);
    const refusal = this.#budget.visit(Math.max(1, keys));
    if (refusal !== null) return refusal;
    const result = readRange(this.#space, operation, { budget: this.#budget });
    return result instanceof Refusal ? result : { type: 'range', ...result };
  }

  #txn(txn: TxnOperation): OperationResult | Refusal {
    const succeeded = this.#choices[this.#choice++] === true;
    const results: OperationResult[] = [];
    for (const operation of succeeded ? txn.success : txn.failure) {
      const result = this.#run(operation);
      if (result instanceof Refusal) return result;
      results.push(result);
    }
    return { type: 'txn', succeeded, results };
  }

  /** Those of the keys that exist, as they are before the change. */
  #previous(keys: readonly string[]): KeyValue[] | Refusal {
    const { index } = this.#space;
    const pairs: KeyValue[] = [];
    for (const key of keys) {
      const history = index.present(key);
      if (history === undefined) continue;
      const refusal = this.#budget.read(index.table.valueLength(history.newest));
      if (refusal !== null) return refusal;
      pairs.push(this.#space.pair(history, history.newest, true));
    }
    return pairs;
  }
}

export function leaseNotFound(leaseId: LeaseId): Refusal {
  return new Refusal('leaseNotFound', `Lease ${leaseId} does not exist`);
}
