import fc from 'fast-check';
import type {
  Compare,
  DeleteOperation,
  KeyRange,
  Operation,
  PutOperation,
  RangeOperation,
  TxnOperation,
} from '../../src/mvcc/types.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { leaseId } from './machine.ts';

/** Few keys, so that histories meet; with those that trip careless maps. */
const anyKey = fc.constantFrom('a', 'a\0', 'b', 'ba', '__proto__', '\xff', '\xff\xff', '\x01');
const anyValue = fc.uint8Array({ maxLength: 3 });
const anyLease = fc.integer({ min: 1, max: 4 }).map(leaseId);
const anyLeaseOrNone = fc.option(anyLease, { freq: 3 });

export const anyRange: fc.Arbitrary<KeyRange> = fc.record({
  key: anyKey,
  rangeEnd: fc.option(fc.oneof(anyKey, fc.constant('\0'))),
});

const rarely = fc.oneof({ arbitrary: fc.constant(false), weight: 5 }, fc.constant(true));

const anyPut: fc.Arbitrary<PutOperation> = fc
  .record({
    type: fc.constant('put' as const),
    key: anyKey,
    value: anyValue,
    leaseId: anyLeaseOrNone,
    previous: fc.boolean(),
    ignoreValue: rarely,
    ignoreLease: rarely,
  })
  .map((put) => ({
    ...put,
    value: put.ignoreValue ? new Uint8Array(0) : put.value,
    leaseId: put.ignoreLease ? null : put.leaseId,
  }));
const anyBound = fc.oneof({ arbitrary: fc.constant(0), weight: 3 }, fc.nat({ max: 30 }));
const anyDelete: fc.Arbitrary<DeleteOperation> = fc
  .record({ range: anyRange, previous: fc.boolean() })
  .map(({ range, previous }) => ({ type: 'delete', ...range, previous }));

export const anyRangeOperation: fc.Arbitrary<RangeOperation> = fc
  .record({
    range: anyRange,
    revision: fc.oneof(fc.constant(0), fc.nat({ max: 30 })),
    limit: fc.nat({ max: 3 }),
    keysOnly: fc.boolean(),
    countOnly: rarely,
    sortBy: fc.constantFrom('key', 'version', 'createRevision', 'modRevision', 'value'),
    order: fc.constantFrom('ascend', 'descend'),
    minModRevision: anyBound,
    maxModRevision: anyBound,
    minCreateRevision: anyBound,
    maxCreateRevision: anyBound,
  })
  .map(({ range, ...options }) => ({ type: 'range', ...range, ...options }));

const anyCompare: fc.Arbitrary<Compare> = fc
  .record({
    range: anyRange,
    operator: fc.constantFrom('equal', 'notEqual', 'less', 'greater'),
    target: fc.oneof(
      fc.record({ target: fc.constant('value' as const), value: anyValue }),
      fc.record({
        target: fc.constantFrom('version', 'createRevision', 'modRevision'),
        number: fc.nat({ max: 5 }),
      }),
      fc.record({ target: fc.constant('lease' as const), leaseId: anyLeaseOrNone }),
    ),
  })
  .map(({ range, operator, target }) => ({ ...range, operator, ...target }) as Compare);

const anyTxn: fc.Arbitrary<TxnOperation> = fc.letrec<{ txn: TxnOperation }>((tie) => {
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    { maxDepth: 2 },
    anyPut,
    anyDelete,
    anyRangeOperation,
    tie('txn'),
  );
  const operations = fc.array(operation, { maxLength: 3 });
  return {
    txn: fc.record({
      type: fc.constant('txn' as const),
      compares: fc.array(anyCompare, { maxLength: 2 }),
      success: operations,
      failure: operations,
    }),
  };
}).txn;

/** A command of the kv space or on leases, without those that only the registry has. */
export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  { arbitrary: anyPut, weight: 4 },
  { arbitrary: anyDelete, weight: 2 },
  { arbitrary: anyTxn, weight: 4 },
  fc.record({
    type: fc.constant('leaseGrant' as const),
    leaseId: anyLease,
    ttlMs: fc.constantFrom(500, 700, 1500),
  }),
  fc.record({ type: fc.constant('leaseRevoke' as const), leaseId: anyLease }),
  fc.record({
    type: fc.constant('compact' as const),
    space: fc.constant('kv' as const),
    revision: fc.nat({ max: 30 }),
  }),
  fc.record({
    type: fc.constant('leaseKeepAlive' as const),
    leaseIds: fc.array(anyLease, { maxLength: 3 }),
  }),
);

export interface Step {
  readonly elapsedMs: number;
  readonly commands: readonly Command[];
}

export const anyStep: fc.Arbitrary<Step> = fc.record({
  elapsedMs: fc.constantFrom(0, 100, 399, 500),
  commands: fc.array(anyCommand, { maxLength: 3 }),
});
