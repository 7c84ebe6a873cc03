import { bytesFromBinary } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import type { Results } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import type { KeyPrefix } from './key-prefix.ts';
import type { Lease, LeaseKeeper } from './lease.ts';
import type { Router } from './router.ts';

/** How many leases one request renews at most. */
const renewalsMax = 10_000;

export interface LeaseStatus {
  readonly leaseId: string;
  /** What was granted, in milliseconds. */
  readonly grantedTtlMs: number;
  /** What is left of it, in milliseconds. */
  readonly remainingMs: number;
  /** The attached keys, if asked for; of a namespace only its own. */
  readonly keys: readonly Uint8Array[];
  readonly revision: number;
}

export interface GrantOptions extends CallOptions {
  /** How long the lease lives without a renewal, in whole milliseconds: from 500 to 9 · 10^12. */
  readonly ttlMs: number;
  /** 16 hexadecimal digits; drawn by the node if left out. A taken one is refused with `leaseExists`. */
  readonly leaseId?: string;
}

/**
 * Leases one request at a time, for those who renew by themselves. `Client.lease` renews for you. A lease
 * ends when nobody has renewed it for its TTL, and its keys and instances go with it. TTLs are in
 * milliseconds. Besides what a method names, each may reject as every request of `Client`.
 */
export class Leases {
  readonly #router: Router;
  readonly #keeper: LeaseKeeper;
  readonly #prefix: KeyPrefix;

  /** @internal */
  constructor(router: Router, keeper: LeaseKeeper, prefix: KeyPrefix) {
    this.#router = router;
    this.#keeper = keeper;
    this.#prefix = prefix;
  }

  /**
   * Grants a lease that nobody renews yet. Rejects with `leaseExists` where `leaseId` is taken, and with
   * `invalidArgument` for a TTL out of its range. With `leaseId` a grant in doubt can be asked for again:
   * then `leaseExists` says that it had worked.
   */
  async grant(
    options: GrantOptions,
  ): Promise<{ readonly leaseId: string; readonly ttlMs: number; readonly revision: number }> {
    const parameters = { ttlMs: options.ttlMs, leaseId: options.leaseId ?? null };
    return (await this.#call('leaseGrant', parameters, options)) as Results['leaseGrant'];
  }

  /** Grants a lease and keeps it alive: renewed every third of its TTL. Rejects as `grant`. */
  async hold(options: GrantOptions): Promise<Lease> {
    const sentAtMs = this.#router.clock.monotonic();
    const { leaseId, ttlMs } = await this.grant(options);
    return this.#keeper.keep(leaseId, ttlMs, sentAtMs);
  }

  /**
   * Keeps a lease alive that exists already. One that this client keeps has one handle, which is given
   * again. Rejects with `leaseNotFound`.
   */
  async adopt(leaseId: string, options?: CallOptions): Promise<Lease> {
    const sentAtMs = this.#router.clock.monotonic();
    const { ttlMs } = await this.keepAliveOnce(leaseId, options);
    return this.#keeper.keep(leaseId, ttlMs, sentAtMs);
  }

  /** Ends the lease and deletes its keys and instances. Rejects with `leaseNotFound`. */
  async revoke(leaseId: string, options?: CallOptions): Promise<{ readonly revision: number }> {
    return (await this.#call('leaseRevoke', { leaseId }, options)) as Results['leaseRevoke'];
  }

  /** Gives the lease its full TTL again, and says what that is. Rejects with `leaseNotFound`. */
  async keepAliveOnce(
    leaseId: string,
    options?: CallOptions,
  ): Promise<{ readonly ttlMs: number; readonly revision: number }> {
    const body = await this.#call('leaseKeepAlive', { leaseIds: [leaseId] }, options);
    const { ttlsMs, revision } = body as Results['leaseKeepAlive'];
    const ttlMs = ttlsMs[0] ?? 0;
    if (ttlMs > 0) return { ttlMs, revision };
    throw new RollcallError('leaseNotFound', `Lease ${leaseId} does not exist`);
  }

  /**
   * Gives all of these leases their full TTL again, in as few requests as possible, and says what that is
   * for each, in their order; 0 for one that does not exist.
   */
  async keepAliveAll(
    leaseIds: readonly string[],
    options?: CallOptions,
  ): Promise<readonly number[]> {
    const renewed: number[] = [];
    for (let at = 0; at < leaseIds.length; at += renewalsMax) {
      const page = leaseIds.slice(at, at + renewalsMax);
      const body = await this.#call('leaseKeepAlive', { leaseIds: page }, options);
      for (const ttlMs of (body as Results['leaseKeepAlive']).ttlsMs) renewed.push(ttlMs);
    }
    return renewed;
  }

  /** What is left of a lease and, with `keys`, which keys go with it. Rejects with `leaseNotFound`. */
  async timeToLive(
    leaseId: string,
    options?: CallOptions & { readonly keys?: boolean },
  ): Promise<LeaseStatus> {
    const keys: Uint8Array[] = [];
    for (let after: string | null = null; ; ) {
      const parameters = { leaseId, keys: options?.keys ?? false, after };
      const body = await this.#call('leaseTimeToLive', parameters, options);
      const { grantedTtlMs, remainingMs, revision, ...page } = body as Results['leaseTimeToLive'];
      for (const key of page.keys) {
        if (this.#prefix.holds(key)) keys.push(bytesFromBinary(this.#prefix.keyOutOf(key)));
      }
      after = page.keys.at(-1) ?? null;
      if (!page.more || after === null) {
        return { leaseId, grantedTtlMs, remainingMs, keys, revision };
      }
    }
  }

  /** All leases of the cluster, by id, read in pages. `timeoutMs` counts for each page. */
  async list(options?: CallOptions): Promise<Results['leaseList']['leases']> {
    const leases: Results['leaseList']['leases'][number][] = [];
    for (let after: string | null = null; ; ) {
      const body = await this.#call('leaseList', { after }, options);
      const page = body as Results['leaseList'];
      for (const lease of page.leases) leases.push(lease);
      after = page.leases.at(-1)?.leaseId ?? null;
      if (!page.more || after === null) return leases;
    }
  }

  async #call(
    method: 'leaseGrant' | 'leaseRevoke' | 'leaseKeepAlive' | 'leaseTimeToLive' | 'leaseList',
    parameters: object,
    options: CallOptions | undefined,
  ): Promise<unknown> {
    const body = await this.#router.call({ method, parameters, anywhere: false }, options);
    this.#router.sawRevision((body as { readonly revision: number }).revision);
    return body;
  }
}
