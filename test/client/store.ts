/** A small replicated-state stand-in: one history of key events, leases and instances, in memory. */
import { RollcallError } from '../../src/base/errors.ts';
import type { Parameters, WireOperation, WireTxn } from '../../src/wire/methods.ts';
import type {
  WireEvent,
  WireInstance,
  WireInstanceEvent,
  WireOperationResult,
  WirePair,
  WireTxnResult,
} from '../../src/wire/results.ts';

export interface KeyBatch {
  readonly revision: number;
  readonly events: readonly WireEvent[];
}

export interface InstanceBatch {
  readonly revision: number;
  readonly service: string;
  readonly events: readonly WireInstanceEvent[];
}

type Put = Pick<Parameters<'put'>, 'key' | 'value' | 'leaseId' | 'previous'>;

interface Range {
  readonly key: string;
  readonly rangeEnd: string | null;
}

export function within(range: Range, key: string): boolean {
  if (range.rangeEnd === null) return key === range.key;
  return key >= range.key && (range.rangeEnd === '\0' || key < range.rangeEnd);
}

export class Store {
  revision = 1;
  compacted = 0;
  readonly keyBatches: KeyBatch[] = [];
  readonly leases = new Map<string, number>();
  readonly services = new Map<string, Map<string, WireInstance>>();
  readonly #listeners = new Set<(batch: KeyBatch | InstanceBatch) => void>();
  #nextLease = 1;

  onBatch(listener: (batch: KeyBatch | InstanceBatch) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  pairsAt(revision: number): Map<string, WirePair> {
    const pairs = new Map<string, WirePair>();
    for (const batch of this.keyBatches) {
      if (batch.revision > revision) break;
      for (const { type, pair } of batch.events) {
        if (type === 'put') pairs.set(pair.key, pair);
        else pairs.delete(pair.key);
      }
    }
    return pairs;
  }

  range(parameters: Range & { readonly revision: number; readonly limit: number }) {
    const revision = parameters.revision === 0 ? this.revision : parameters.revision;
    const all = [...this.pairsAt(revision).values()]
      .filter((pair) => within(parameters, pair.key))
      .sort((left, right) => (left.key < right.key ? -1 : 1));
    const pairs = parameters.limit === 0 ? all : all.slice(0, parameters.limit);
    return { pairs, count: all.length, more: pairs.length < all.length };
  }

  txn(txn: WireTxn): WireTxnResult {
    const events: WireEvent[] = [];
    const result = this.#txn(txn, events);
    this.#commit(events);
    return result;
  }

  put(parameters: Put): { readonly previous: WirePair | null } {
    const events: WireEvent[] = [];
    const result = this.#put(parameters, events);
    this.#commit(events);
    return result;
  }

  delete(parameters: Parameters<'delete'>) {
    const events: WireEvent[] = [];
    const result = this.#delete(parameters, events);
    this.#commit(events);
    return result;
  }

  grant(leaseId: string | null, ttlMs: number): string {
    const id = leaseId ?? (this.#nextLease++).toString(16).padStart(16, '0');
    if (this.leases.has(id)) throw new RollcallError('leaseExists', `Lease ${id} exists`);
    this.leases.set(id, ttlMs);
    return id;
  }

  revoke(leaseId: string): void {
    if (!this.leases.delete(leaseId)) {
      throw new RollcallError('leaseNotFound', `Lease ${leaseId} does not exist`);
    }
    const attached = [...this.pairsAt(this.revision).values()].filter(
      (pair) => pair.leaseId === leaseId,
    );
    const events: WireEvent[] = [];
    for (const pair of attached) {
      this.#delete({ key: pair.key, rangeEnd: null, previous: false }, events);
    }
    this.#commit(events);
    for (const [service, instances] of this.services) {
      for (const instance of [...instances.values()]) {
        if (instance.leaseId === leaseId) this.#remove(service, instance.id, 'expired');
      }
    }
  }

  register(parameters: Parameters<'register'>): boolean {
    const { service, instance, leaseId, replace } = parameters;
    if (leaseId !== null && !this.leases.has(leaseId)) {
      throw new RollcallError('leaseNotFound', `Lease ${leaseId} does not exist`);
    }
    const instances = this.services.get(service) ?? new Map<string, WireInstance>();
    this.services.set(service, instances);
    const known = instances.get(instance.id);
    if (!replace && known !== undefined && known.leaseId !== leaseId) {
      throw new RollcallError('instanceReplaced', `Instance ${instance.id} is another's`);
    }
    this.revision++;
    const createRevision = known?.createRevision ?? this.revision;
    const stored = { ...instance, leaseId, createRevision, modRevision: this.revision };
    instances.set(instance.id, stored);
    this.#tell({ revision: this.revision, service, events: [{ type: 'set', instance: stored }] });
    return known === undefined;
  }

  deregister(service: string, id: string, leaseId: string | null = null): void {
    const known = this.services.get(service)?.get(id);
    if (known === undefined) {
      throw new RollcallError('instanceNotFound', `No instance ${id} of ${service}`);
    }
    if (leaseId !== null && known.leaseId !== leaseId) {
      throw new RollcallError('instanceReplaced', `Instance ${id} is another's`);
    }
    this.#remove(service, id, 'deregistered');
  }

  instancesOf(leaseId: string): number {
    const all = [...this.services.values()].flatMap((instances) => [...instances.values()]);
    return all.filter((instance) => instance.leaseId === leaseId).length;
  }

  #remove(service: string, id: string, reason: 'deregistered' | 'expired'): void {
    this.services.get(service)?.delete(id);
    this.revision++;
    this.#tell({ revision: this.revision, service, events: [{ type: 'removed', id, reason }] });
  }

  #txn(txn: WireTxn, events: WireEvent[]): WireTxnResult {
    const pairs = this.pairsAt(this.revision);
    const succeeded = txn.compares.every((compare) => {
      const pair = pairs.get(compare.key);
      if (compare.operator !== 'equal') throw new RollcallError('invalidArgument', 'Only equal');
      if (compare.target === 'value') {
        return pair !== undefined && Buffer.compare(pair.value, compare.value) === 0;
      }
      if (compare.target === 'lease') return (pair?.leaseId ?? null) === compare.leaseId;
      return (pair?.[compare.target] ?? 0) === compare.number;
    });
    const branch = succeeded ? txn.success : txn.failure;
    return { succeeded, results: branch.map((operation) => this.#operation(operation, events)) };
  }

  #operation(operation: WireOperation, events: WireEvent[]): WireOperationResult {
    switch (operation.type) {
      case 'put':
        return { type: 'put', ...this.#put(operation, events) };
      case 'delete':
        return { type: 'delete', ...this.#delete(operation, events) };
      case 'range':
        return { type: 'range', ...this.range(operation) };
      case 'txn':
        return { type: 'txn', ...this.#txn(operation, events) };
    }
  }

  #put(parameters: Put, events: WireEvent[]) {
    const { key, value, leaseId } = parameters;
    if (leaseId !== null && !this.leases.has(leaseId)) {
      throw new RollcallError('leaseNotFound', `Lease ${leaseId} does not exist`);
    }
    const before = this.pairsAt(this.revision).get(key) ?? null;
    const modRevision = this.revision + 1;
    const createRevision = before?.createRevision ?? modRevision;
    const version = (before?.version ?? 0) + 1;
    // The decoded value is a view into the frame.
    const pair = {
      key,
      value: new Uint8Array(value),
      createRevision,
      modRevision,
      version,
      leaseId,
    };
    events.push({ type: 'put', pair, previous: before });
    return { previous: parameters.previous ? before : null };
  }

  #delete(parameters: Parameters<'delete'>, events: WireEvent[]) {
    const { pairs } = this.range({ ...parameters, revision: 0, limit: 0 });
    const empty = { value: new Uint8Array(0), createRevision: 0, version: 0, leaseId: null };
    for (const before of pairs) {
      const pair = { ...empty, key: before.key, modRevision: this.revision + 1 };
      events.push({ type: 'delete', pair, previous: before });
    }
    return { deleted: pairs.length, previous: parameters.previous ? pairs : [] };
  }

  #commit(events: readonly WireEvent[]): void {
    if (events.length === 0) return;
    this.revision++;
    const batch = { revision: this.revision, events };
    this.keyBatches.push(batch);
    this.#tell(batch);
  }

  #tell(batch: KeyBatch | InstanceBatch): void {
    for (const listener of [...this.#listeners]) listener(batch);
  }
}
