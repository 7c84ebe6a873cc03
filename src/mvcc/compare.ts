import { unreachable } from '../base/assert.ts';
import { compareBytes, emptyBytes } from '../base/bytes.ts';
import { Refusal } from '../base/refusal.ts';
import type { Budget } from './budget.ts';
import { boundsOf } from './key-range.ts';
import type { KeySpace } from './key-space.ts';
import { readRange } from './range.ts';
import {
  type Compare,
  type CompareOperator,
  type KeyValue,
  type LeaseId,
  plainRange,
} from './types.ts';

/** What an absent key is compared as. */
const absent: KeyValue = {
  key: '',
  value: emptyBytes,
  createRevision: 0,
  modRevision: 0,
  version: 0,
  leaseId: null,
};
const noLease = '0000000000000000';

/** Whether the compare holds now, for every key of its range; a value never holds where there is none. */
export function holds(space: KeySpace, compare: Compare, budget: Budget): boolean | Refusal {
  const comparesValue = compare.target === 'value';
  const keys = compare.rangeEnd === null ? 1 : space.index.countPresent(boundsOf(compare));
  const refusal = budget.visit(keys);
  if (refusal !== null) return refusal;
  const { key, rangeEnd } = compare;
  const request = { ...plainRange, key, rangeEnd, keysOnly: !comparesValue };
  const range = readRange(space, request, { budget });
  if (range instanceof Refusal) return range;
  const { pairs } = range;
  if (pairs.length === 0) return !comparesValue && isTrue(compare, absent);
  return pairs.every((pair) => isTrue(compare, pair));
}

function isTrue(compare: Compare, pair: KeyValue): boolean {
  switch (compare.target) {
    case 'value':
      return satisfies(compare.operator, compareBytes(pair.value, compare.value));
    case 'lease': {
      const own = signed(pair.leaseId ?? noLease);
      const given = signed(compare.leaseId ?? noLease);
      return satisfies(compare.operator, own === given ? 0 : own < given ? -1 : 1);
    }
    default:
      return satisfies(compare.operator, pair[compare.target] - compare.number);
  }
}

/** As etcd has it an id is a signed number: those with the first bit come first. */
function signed(leaseId: LeaseId): string {
  const first = Number.parseInt(leaseId.charAt(0), 16) ^ 8;
  return first.toString(16) + leaseId.slice(1);
}

function satisfies(operator: CompareOperator, order: number): boolean {
  switch (operator) {
    case 'equal':
      return order === 0;
    case 'notEqual':
      return order !== 0;
    case 'less':
      return order < 0;
    case 'greater':
      return order > 0;
    default:
      return unreachable(operator);
  }
}
