import type { Clock, Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Results } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import { Deferred } from './deferred.ts';
import { LeaseSchedule } from './lease-schedule.ts';
import type { Router } from './router.ts';

/** How many leases one request renews at most. */
const idsPerRequestMax = 10_000;
const requestMsMin = 250;
/** After a restore leases are asked for within so long. */
const restoredMsMax = 1000;

/**
 * Why a lease is no longer kept. `expired`: the cluster does not know it any more (its time ran out,
 * somebody revoked it, or the cluster was restored). `revoked`: by this handle. `closed`: the handle or
 * the client was closed; the lease lives on until its TTL has passed.
 */
export type LeaseLoss = 'expired' | 'revoked' | 'closed';

/** Hears what a renewal found that was sent at `sentAtMs`. */
export type RenewalObserver = (sentAtMs: number, instances: number) => void;

/**
 * A lease that this process keeps alive until it is revoked, closed or lost. Keys put with its `id`
 * vanish when it ends.
 */
export class Lease {
  readonly id: string;
  readonly ttlMs: number;
  /** Resolves, and never rejects, when the lease is no longer kept. */
  readonly lost: Promise<LeaseLoss>;
  readonly #lost = new Deferred<LeaseLoss>();
  readonly #keeper: LeaseKeeper;
  #confirmedUntilMs: number;
  #loss: LeaseLoss | null = null;
  #observe: RenewalObserver = () => {};

  /** @internal Leases come from `Client.lease`. */
  constructor(keeper: LeaseKeeper, id: string, ttlMs: number, sentAtMs: number) {
    this.#keeper = keeper;
    this.id = id;
    this.ttlMs = ttlMs;
    this.#confirmedUntilMs = sentAtMs + ttlMs;
    this.lost = this.#lost.promise;
  }

  /**
   * Whether the lease is certain to live now: its last confirmed renewal was sent less than a TTL ago.
   * False is not yet a loss: the next renewal may find it alive.
   */
  get confirmed(): boolean {
    return this.#loss === null && this.#keeper.clock.monotonic() < this.#confirmedUntilMs;
  }

  /** @internal Until when it is certain to live, by `clock`, unless somebody revokes it. */
  get confirmedUntilMs(): number {
    return this.#confirmedUntilMs;
  }

  /** @internal */
  get clock(): Clock {
    return this.#keeper.clock;
  }

  /** Why it is no longer kept, or null while it is. */
  get loss(): LeaseLoss | null {
    return this.#loss;
  }

  /** Ends the lease and deletes its keys. A lease that is already gone is no error. */
  async revoke(options?: CallOptions): Promise<void> {
    await this.#keeper.revoke(this, options);
  }

  /** Stops renewing; the lease ends when its TTL has passed. Idempotent. */
  close(): void {
    this.#keeper.drop(this, 'closed');
  }

  /** @internal One observer, who hears of every renewal. */
  observe(observer: RenewalObserver): void {
    this.#observe = observer;
  }

  /** @internal A request sent at `sentAtMs` found it alive, and so many instances registered with it. */
  renewed(sentAtMs: number, instances: number): void {
    this.#confirmedUntilMs = Math.max(this.#confirmedUntilMs, sentAtMs + this.ttlMs);
    this.#observe(sentAtMs, instances);
  }

  /** @internal */
  end(loss: LeaseLoss): void {
    if (this.#loss !== null) return;
    this.#loss = loss;
    this.#lost.resolve(loss);
  }
}

/** Renews all leases of a client, those that fall due together in one request. */
export class LeaseKeeper {
  readonly #router: Router;
  readonly #leases = new Map<string, Lease>();
  readonly #schedule = new LeaseSchedule();
  #timer: Timer | null = null;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(router: Router) {
    this.#router = router;
    router.onClose(() => {
      for (const lease of [...this.#leases.values()]) this.drop(lease, 'closed');
    });
    router.onIncarnation(() => this.#lookSoon());
  }

  get clock(): Clock {
    return this.#router.clock;
  }

  /**
   * Takes over a lease that was granted, or found alive, by a request sent at `sentAtMs`. A lease that
   * is kept already has one handle, whoever asks.
   */
  keep(id: string, ttlMs: number, sentAtMs: number): Lease {
    const kept = this.#leases.get(id);
    if (kept !== undefined) return kept;
    const lease = new Lease(this, id, ttlMs, sentAtMs);
    if (this.#router.closed) {
      lease.end('closed');
      return lease;
    }
    this.#leases.set(id, lease);
    this.#schedule.add(id, ttlMs, sentAtMs);
    this.#arm();
    return lease;
  }

  async revoke(lease: Lease, options: CallOptions | undefined): Promise<void> {
    if (lease.loss === 'expired' || lease.loss === 'revoked') return;
    try {
      await this.#revoke(lease.id, options);
    } catch (error) {
      if (!(error instanceof RollcallError && error.code === 'leaseNotFound')) throw error;
    }
    this.drop(lease, 'revoked');
  }

  /** Revokes if it can be done now; otherwise the lease ends by itself. */
  async revokeQuietly(leaseId: string): Promise<void> {
    try {
      await this.#revoke(leaseId, undefined);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
    }
  }

  drop(lease: Lease, loss: LeaseLoss): void {
    if (this.#leases.get(lease.id) === lease) {
      this.#leases.delete(lease.id);
      this.#schedule.delete(lease.id);
    }
    lease.end(loss);
    if (this.#leases.size > 0 || this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
  }

  /** A restored cluster knows no lease of before. Not all clients ask at the same moment. */
  #lookSoon(): void {
    const delayMs = restoredMsMax * this.#router.random();
    this.#schedule.retry([...this.#leases.keys()], this.clock.monotonic(), delayMs);
    this.#arm();
  }

  async #revoke(leaseId: string, options: CallOptions | undefined): Promise<void> {
    const request = { method: 'leaseRevoke', parameters: { leaseId }, anywhere: false } as const;
    await this.#router.call(request, options);
  }

  #arm(): void {
    const dueAtMs = this.#schedule.nextDueAtMs();
    if (dueAtMs === null || dueAtMs >= this.#wakeAtMs) return;
    this.#timer?.cancel();
    this.#wakeAtMs = dueAtMs;
    // A long TTL would overflow the timer; waking early costs nothing.
    const delayMs = Math.min(Math.max(0, dueAtMs - this.clock.monotonic()), 2 ** 31 - 1);
    this.#timer = this.clock.after(delayMs, () => this.#wake());
  }

  #wake(): void {
    this.#timer = null;
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.clock.monotonic();
    for (;;) {
      const leaseIds = this.#schedule.take(nowMs, idsPerRequestMax);
      if (leaseIds.length === 0) break;
      void this.#renew(leaseIds, nowMs);
    }
    this.#arm();
  }

  async #renew(leaseIds: readonly string[], sentAtMs: number): Promise<void> {
    const ttlMs = this.#schedule.shortestTtlMs(leaseIds);
    const request = {
      method: 'leaseKeepAlive',
      parameters: { leaseIds },
      anywhere: false,
    } as const;
    try {
      // A renewal that takes longer than that is overtaken by the next one.
      const body = await this.#router.call(request, {
        timeoutMs: Math.max(ttlMs / 3, requestMsMin),
      });
      const { ttlsMs, instances } = body as Results['leaseKeepAlive'];
      for (const [index, leaseId] of leaseIds.entries()) {
        const lease = this.#leases.get(leaseId);
        if (lease === undefined) continue;
        if ((ttlsMs[index] ?? 0) > 0) lease.renewed(sentAtMs, instances[index] ?? 0);
        else this.drop(lease, 'expired');
      }
    } catch {
      // Whatever it was, only trying again can tell whether the leases still live.
      const nowMs = this.clock.monotonic();
      const delayMs = (ttlMs / 10) * (0.5 + 0.5 * this.#router.random());
      this.#schedule.retry(leaseIds, nowMs, delayMs);
      this.#arm();
    }
  }
}
