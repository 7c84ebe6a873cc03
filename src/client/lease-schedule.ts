/**
 * When leases are to be renewed: each after a third of its TTL, and all that fall due about then
 * together in one request. No clock in here: the keeper passes the time.
 */

interface Scheduled {
  readonly ttlMs: number;
  dueAtMs: number;
}

export class LeaseSchedule {
  readonly #leases = new Map<string, Scheduled>();

  get size(): number {
    return this.#leases.size;
  }

  add(leaseId: string, ttlMs: number, nowMs: number): void {
    this.#leases.set(leaseId, { ttlMs, dueAtMs: nowMs + ttlMs / 3 });
  }

  delete(leaseId: string): void {
    this.#leases.delete(leaseId);
  }

  /** When the next lease falls due, or null without leases. */
  nextDueAtMs(): number | null {
    let next: number | null = null;
    for (const { dueAtMs } of this.#leases.values()) {
      if (next === null || dueAtMs < next) next = dueAtMs;
    }
    return next;
  }

  /**
   * The leases to renew now, at most `idsMax`: those that are due, and those that would be within a
   * tenth of their TTL. They are scheduled anew, a third of their TTL ahead.
   */
  take(nowMs: number, idsMax: number): readonly string[] {
    const taken: string[] = [];
    for (const [leaseId, lease] of this.#leases) {
      if (lease.dueAtMs - lease.ttlMs / 10 > nowMs) continue;
      if (taken.length === idsMax) break;
      lease.dueAtMs = nowMs + lease.ttlMs / 3;
      taken.push(leaseId);
    }
    return taken;
  }

  /** The renewal failed: again after `delayMs`, if that is sooner. */
  retry(leaseIds: readonly string[], nowMs: number, delayMs: number): void {
    for (const leaseId of leaseIds) {
      const lease = this.#leases.get(leaseId);
      if (lease !== undefined) lease.dueAtMs = Math.min(lease.dueAtMs, nowMs + delayMs);
    }
  }

  /** The shortest TTL among `leaseIds`; Infinity for none. */
  shortestTtlMs(leaseIds: readonly string[]): number {
    let shortest = Number.POSITIVE_INFINITY;
    for (const leaseId of leaseIds) {
      shortest = Math.min(shortest, this.#leases.get(leaseId)?.ttlMs ?? shortest);
    }
    return shortest;
  }
}
