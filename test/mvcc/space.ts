/** A key space with its values in a Map, and a short way to write to it. */

import { expect } from 'vitest';
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

  deleteAll(): void {
    this.run({ type: 'delete', key: '\0', rangeEnd: '\0', previous: false });
  }

  /** Does nothing where that is compacted already. */
  compact(revision: number): void {
    if (revision > this.space.compactRevision) this.space.compact(revision);
    this.compactRevision = this.space.compactRevision;
  }

  get isUnfinished(): boolean {
    return this.space.removedRevision < this.space.compactRevision;
  }

  /** Goes on with what is compacted. */
  remove(changesMin: number): void {
    const steps = this.space.removeSteps(changesMin, (_key, { revision, sub, tombstone }) => {
      expect(tombstone || this.values.delete(`${revision}.${sub}`)).toBe(true);
    });
    while (!steps.next().done);
  }

  /** The same, made of what is stored. */
  reloaded(): TestSpace {
    const loaded = new TestSpace();
    for (const [at, value] of this.values) loaded.values.set(at, value);
    loaded.revision = this.revision;
    const { index, compactRevision, removedRevision } = this.space;
    for (const slot of index.log.from(0)) {
      loaded.space.load(index.owner(slot).key, index.table.get(slot));
    }
    loaded.space.loadCompaction(compactRevision, removedRevision);
    loaded.compactRevision = compactRevision;
    return loaded;
  }

  fill(prefix: string, count: number): void {
    for (let at = 0; at < count; at++) this.put(`${prefix}${at.toString().padStart(5, '0')}`);
  }
}
