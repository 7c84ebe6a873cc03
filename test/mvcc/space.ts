/** A key space with its values in a Map, and a short way to write to it. */

import { Refusal } from '../../src/base/refusal.ts';
import { KeySpace } from '../../src/mvcc/key-space.ts';
import { runOperation } from '../../src/mvcc/operation.ts';
import { type Reading, readRange } from '../../src/mvcc/range.ts';
import type {
  Operation,
  OperationResult,
  RangeRequest,
  RangeResult,
} from '../../src/mvcc/types.ts';

export const reading: Reading = {
  bytesMax: Number.POSITIVE_INFINITY,
  counted: true,
  budget: null,
  compactRevision: () => 0,
};

/** Of a range that is not refused. */
export function rangeOf(
  space: KeySpace,
  request: RangeRequest,
  bounds: Partial<Reading> = {},
): RangeResult {
  const result = readRange(space, request, bounds);
  if (result instanceof Refusal) throw result.toError();
  return result;
}

export class TestSpace {
  readonly values = new Map<string, Uint8Array>();
  readonly space = new KeySpace((revision, sub) => this.values.get(`${revision}.${sub}`) ?? null);
  revision = 1;
  compactRevision = 0;

  run(operation: Operation): OperationResult | Refusal {
    this.space.begin(this.revision + 1);
    const result = runOperation(this.space, operation, {
      revision: this.revision,
      compactRevision: this.compactRevision,
      isLeaseAlive: () => true,
    });
    if (result instanceof Refusal) this.space.rollback();
    const changes = this.space.commit();
    if (changes.length > 0) this.revision++;
    for (const { event, sub } of changes) {
      if (event.type === 'put') this.values.set(`${this.revision}.${sub}`, event.pair.value);
    }
    return result;
  }

  put(key: string, value = ''): void {
    this.run({
      type: 'put',
      key,
      value: Buffer.from(value),
      leaseId: null,
      previous: false,
      ignoreValue: false,
      ignoreLease: false,
    });
  }

  delete(key: string): void {
    this.run({ type: 'delete', key, rangeEnd: null, previous: false });
  }

  fill(prefix: string, count: number): void {
    for (let at = 0; at < count; at++) this.put(`${prefix}${at.toString().padStart(5, '0')}`);
  }
}
