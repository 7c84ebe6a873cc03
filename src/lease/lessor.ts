import { assert } from '../base/assert.ts';
import { SortedMap } from '../base/sorted-map.ts';
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';

/** What is stored of a lease. */
export interface LeaseState {
  readonly ttlMs: number;
  /** In log time. The lease is alive before it and gone from it on. */
  readonly deadlineMs: number;
  /** Revoked, but with keys left to delete. */
  readonly revoked: boolean;
}

export interface Lease extends LeaseState {
  readonly id: string;
  /** How many keys are attached, in all spaces. */
  readonly keyCount: number;
}

class OwnLease implements Lease, Deadline {
  readonly id: string;
  readonly ttlMs: number;
  deadlineMs: number;
  revoked: boolean;
  heapDeadlineMs = 0;
  heapAt = -1;
  /** By the number of the space; null while it has no key there. In order, so that all nodes agree. */
  readonly attached: (SortedMap<true> | null)[] = [];

  constructor(id: string, state: LeaseState) {
    this.id = id;
    this.ttlMs = state.ttlMs;
    this.deadlineMs = state.deadlineMs;
    this.revoked = state.revoked;
  }

  get keyCount(): number {
    let count = 0;
    for (const keys of this.attached) count += keys?.size ?? 0;
    return count;
  }
}

/**
 * All leases with their deadlines and attached keys. Time is log time, handed in by whoever calls.
 *
 * A lease goes through `alive` → `ended` → removed. Ended means that its deadline has come or that it
 * was revoked: for every command it is gone at once. It is removed with the last of its keys, which
 * are deleted in bounded steps; meanwhile only its id is taken.
 */
export class Lessor {
  readonly #leases = new SortedMap<OwnLease>();
  readonly #deadlines = new DeadlineHeap<OwnLease>();

  /** How many leases there are, ended ones with keys left included. */
  get size(): number {
    return this.#leases.size;
  }

  /** Whether a lease of this id is alive or still has keys to delete. */
  has(id: string): boolean {
    return this.#leases.has(id);
  }

  alive(id: string, nowMs: number): Lease | null {
    const lease = this.#leases.get(id);
    return lease !== undefined && lease.deadlineMs > nowMs ? lease : null;
  }

  /** Adds a lease whose id is free: a granted one, or one that was stored. */
  add(id: string, state: LeaseState): Lease {
    assert(!this.#leases.has(id), () => `Lease ${id} exists`);
    const lease = new OwnLease(id, state);
    this.#leases.set(id, lease);
    this.#deadlines.add(lease);
    return lease;
  }

  /** Gives a lease that is alive its whole TTL again. */
  renew(id: string, nowMs: number): Lease {
    const lease = this.#own(id);
    assert(lease.deadlineMs > nowMs, () => `Lease ${id} has ended`);
    lease.deadlineMs = nowMs + lease.ttlMs;
    return lease;
  }

  /** Ends a lease that is alive, before its time. */
  revoke(id: string, nowMs: number): Lease {
    const lease = this.#own(id);
    this.#deadlines.remove(lease);
    lease.deadlineMs = nowMs;
    lease.revoked = true;
    this.#deadlines.add(lease);
    return lease;
  }

  /** Forgets a lease without keys. */
  remove(id: string): void {
    const lease = this.#own(id);
    assert(lease.keyCount === 0, () => `Lease ${id} has ${lease.keyCount} keys`);
    this.#deadlines.remove(lease);
    this.#leases.delete(id);
  }

  /** The ended lease whose turn it is, by (deadline, id). */
  ended(nowMs: number): Lease | null {
    return this.#deadlines.due(nowMs);
  }

  attach(id: string, space: number, key: string): void {
    const lease = this.#own(id);
    lease.attached[space] ??= new SortedMap();
    lease.attached[space].set(key, true);
  }

  detach(id: string, space: number, key: string): void {
    const lease = this.#own(id);
    const keys = lease.attached[space];
    assert(keys?.delete(key) === true, () => `A key is not attached to lease ${id}`);
    if (keys?.size === 0) lease.attached[space] = null;
  }

  /** How many keys of the space are attached; 0 when there is no such lease. */
  keyCount(id: string, space: number): number {
    return this.#leases.get(id)?.attached[space]?.size ?? 0;
  }

  /** Up to `max` attached keys of the space, in order, from `from` on. */
  keys(id: string, space: number, max = Number.POSITIVE_INFINITY, from = ''): string[] {
    const keys: string[] = [];
    const attached = this.#leases.get(id)?.attached[space];
    if (!attached) return keys;
    for (const cursor = attached.cursor(from); keys.length < max; cursor.advance()) {
      const { key } = cursor;
      if (key === undefined) break;
      keys.push(key);
    }
    return keys;
  }

  /** Up to `max` of those alive, by id, from `from` on. */
  list(nowMs: number, max = Number.POSITIVE_INFINITY, from = ''): Lease[] {
    const leases: Lease[] = [];
    for (const cursor = this.#leases.cursor(from); leases.length < max; cursor.advance()) {
      if (cursor.key === undefined) break;
      if (cursor.value.deadlineMs > nowMs) leases.push(cursor.value);
    }
    return leases;
  }

  #own(id: string): OwnLease {
    const lease = this.#leases.get(id);
    assert(lease !== undefined, () => `Lease ${id} does not exist`);
    return lease;
  }
}
