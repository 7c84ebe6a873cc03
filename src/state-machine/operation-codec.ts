/**
 * The bytes of operations on keys, alone or inside a transaction. The command's version covers them;
 * numbers and flags never change their meaning.
 */
import { unreachable } from '../base/assert.ts';
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type {
  Compare,
  CompareOperator,
  KeyRange,
  Operation,
  Selection,
  SortTarget,
  TxnOperation,
} from '../mvcc/types.ts';

type OperationType = Operation['type'];

const kinds = { put: 1, delete: 2, range: 3, txn: 4 } as const satisfies Record<
  OperationType,
  number
>;
const operators: readonly CompareOperator[] = ['equal', 'notEqual', 'less', 'greater'];
const targets: readonly Compare['target'][] = [
  'value',
  'version',
  'createRevision',
  'modRevision',
  'lease',
];

const previousFlag = 1;
const leaseFlag = 2;
const rangeEndFlag = 4;
const keysOnlyFlag = 8;
const countOnlyFlag = 16;
const ignoreValueFlag = 32;
const ignoreLeaseFlag = 64;
/** A selection follows, other than everything in key order. */
const selectionFlag = 128;

const sortTargets: readonly SortTarget[] = [
  'key',
  'version',
  'createRevision',
  'modRevision',
  'value',
];
const everything: Selection = {
  sortBy: 'key',
  order: 'ascend',
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

const depthMax = limits.transactionOperationsMax;

/** Whether transactions are nested more deeply than a reader follows. */
export function isTooDeep(txn: TxnOperation): boolean {
  let level: readonly TxnOperation[] = [txn];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > depthMax) return true;
    level = level.flatMap(({ success, failure }) =>
      [...success, ...failure].filter((operation) => operation.type === 'txn'),
    );
  }
  return false;
}

/** Whether the operation, or one inside it, says what only feature level 2 can. */
export function isSecondVersion(operation: Operation): boolean {
  switch (operation.type) {
    case 'put':
      return operation.ignoreValue || operation.ignoreLease;
    case 'delete':
      return false;
    case 'range':
      return selects(operation);
    case 'txn':
      return [...operation.success, ...operation.failure].some(isSecondVersion);
  }
}

function selects(selection: Selection): boolean {
  return (
    selection.sortBy !== 'key' ||
    selection.order !== 'ascend' ||
    selection.minModRevision !== 0 ||
    selection.maxModRevision !== 0 ||
    selection.minCreateRevision !== 0 ||
    selection.maxCreateRevision !== 0
  );
}

export function writeOperation(writer: ByteWriter, operation: Operation): void {
  switch (operation.type) {
    case 'put': {
      const { leaseId } = operation;
      writer.u8(
        (operation.previous ? previousFlag : 0) |
          (leaseId === null ? 0 : leaseFlag) |
          (operation.ignoreValue ? ignoreValueFlag : 0) |
          (operation.ignoreLease ? ignoreLeaseFlag : 0),
      );
      if (leaseId !== null) writer.id(leaseId);
      writer.binary(operation.key).blob(operation.value);
      return;
    }
    case 'delete':
      writeRange(writer, operation, operation.previous ? previousFlag : 0);
      return;
    case 'range': {
      const keysOnly = operation.keysOnly ? keysOnlyFlag : 0;
      const selection = selects(operation) ? selectionFlag : 0;
      writeRange(
        writer,
        operation,
        keysOnly | (operation.countOnly ? countOnlyFlag : 0) | selection,
      );
      writer.varint(operation.revision).varint(operation.limit);
      if (selection !== 0) writeSelection(writer, operation);
      return;
    }
    case 'txn':
      writer.varint(operation.compares.length);
      for (const compare of operation.compares) writeCompare(writer, compare);
      writeOperations(writer, operation.success);
      writeOperations(writer, operation.failure);
      return;
    default:
      unreachable(operation);
  }
}

/** Reads an operation of a type that is known from the outside. `depth` counts enclosing transactions. */
export function readOperation<T extends OperationType>(
  reader: ByteReader,
  type: T,
  depth?: number,
): Extract<Operation, { readonly type: T }>;
export function readOperation(reader: ByteReader, type: OperationType, depth = 0): Operation {
  switch (type) {
    case 'put': {
      const known = previousFlag | leaseFlag | ignoreValueFlag | ignoreLeaseFlag;
      const flags = readFlags(reader, known);
      const leaseId = flags & leaseFlag ? reader.id() : null;
      const key = reader.binary();
      const value = reader.blob();
      return {
        type,
        key,
        value,
        leaseId,
        previous: (flags & previousFlag) !== 0,
        ignoreValue: (flags & ignoreValueFlag) !== 0,
        ignoreLease: (flags & ignoreLeaseFlag) !== 0,
      };
    }
    case 'delete': {
      const { range, flags } = readRange(reader, previousFlag);
      return { type, ...range, previous: (flags & previousFlag) !== 0 };
    }
    case 'range': {
      const { range, flags } = readRange(reader, keysOnlyFlag | countOnlyFlag | selectionFlag);
      return {
        type,
        ...range,
        revision: reader.varint(),
        limit: reader.varint(),
        keysOnly: (flags & keysOnlyFlag) !== 0,
        countOnly: (flags & countOnlyFlag) !== 0,
        ...(flags & selectionFlag ? readSelection(reader) : everything),
      };
    }
    case 'txn':
      return readTxn(reader, depth + 1);
    default:
      return unreachable(type);
  }
}

function readTxn(reader: ByteReader, depth: number): TxnOperation {
  if (depth > depthMax) {
    throw new RollcallError('malformedFrame', `Transactions are nested ${depth} deep`);
  }
  const compares: Compare[] = [];
  for (let left = reader.varint(); left > 0; left--) compares.push(readCompare(reader));
  const success = readOperations(reader, depth);
  return { type: 'txn', compares, success, failure: readOperations(reader, depth) };
}

function writeOperations(writer: ByteWriter, operations: readonly Operation[]): void {
  writer.varint(operations.length);
  for (const operation of operations) {
    writer.u8(kinds[operation.type]);
    writeOperation(writer, operation);
  }
}

function readOperations(reader: ByteReader, depth: number): Operation[] {
  const operations: Operation[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    operations.push(readOperation(reader, readType(reader), depth));
  }
  return operations;
}

function readType(reader: ByteReader): OperationType {
  const kind = reader.u8();
  switch (kind) {
    case kinds.put:
      return 'put';
    case kinds.delete:
      return 'delete';
    case kinds.range:
      return 'range';
    case kinds.txn:
      return 'txn';
    default:
      throw new RollcallError('formatTooNew', `The operation has the unknown kind ${kind}`);
  }
}

function writeCompare(writer: ByteWriter, compare: Compare): void {
  writer.u8(operators.indexOf(compare.operator)).u8(targets.indexOf(compare.target));
  const hasLease = compare.target === 'lease' && compare.leaseId !== null;
  writeRange(writer, compare, hasLease ? leaseFlag : 0);
  if (compare.target === 'value') writer.blob(compare.value);
  else if (compare.target !== 'lease') writer.varint(compare.number);
  else if (compare.leaseId !== null) writer.id(compare.leaseId);
}

function readCompare(reader: ByteReader): Compare {
  const operator = operators[reader.u8()];
  const target = targets[reader.u8()];
  if (operator === undefined || target === undefined) {
    throw new RollcallError('formatTooNew', 'The compare has an unknown operator or target');
  }
  const { range, flags } = readRange(reader, target === 'lease' ? leaseFlag : 0);
  switch (target) {
    case 'value':
      return { ...range, operator, target, value: reader.blob() };
    case 'lease':
      return { ...range, operator, target, leaseId: flags & leaseFlag ? reader.id() : null };
    default:
      return { ...range, operator, target, number: reader.varint() };
  }
}

function writeSelection(writer: ByteWriter, selection: Selection): void {
  writer.u8(sortTargets.indexOf(selection.sortBy)).boolean(selection.order === 'descend');
  writer.varint(selection.minModRevision).varint(selection.maxModRevision);
  writer.varint(selection.minCreateRevision).varint(selection.maxCreateRevision);
}

function readSelection(reader: ByteReader): Selection {
  const sortBy = sortTargets[reader.u8()];
  if (sortBy === undefined) {
    throw new RollcallError('formatTooNew', 'The range has an unknown order');
  }
  return {
    sortBy,
    order: reader.boolean() ? 'descend' : 'ascend',
    minModRevision: reader.varint(),
    maxModRevision: reader.varint(),
    minCreateRevision: reader.varint(),
    maxCreateRevision: reader.varint(),
  };
}

function writeRange(writer: ByteWriter, { key, rangeEnd }: KeyRange, flags: number): void {
  writer.u8(flags | (rangeEnd === null ? 0 : rangeEndFlag)).binary(key);
  if (rangeEnd !== null) writer.binary(rangeEnd);
}

function readRange(
  reader: ByteReader,
  known: number,
): { readonly range: KeyRange; readonly flags: number } {
  const flags = readFlags(reader, known | rangeEndFlag);
  const key = reader.binary();
  return { range: { key, rangeEnd: flags & rangeEndFlag ? reader.binary() : null }, flags };
}

function readFlags(reader: ByteReader, known: number): number {
  const flags = reader.u8();
  if ((flags & ~known) === 0) return flags;
  throw new RollcallError('formatTooNew', `The operation has unknown flags ${flags}`);
}
