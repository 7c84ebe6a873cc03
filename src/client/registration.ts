import { EventEmitter } from 'node:events';
import { RollcallError } from '../base/errors.ts';
import { randomId } from '../base/prng.ts';
import type { Parameters } from '../wire/methods.ts';
import type { Results } from '../wire/results.ts';
import { backoffMs } from './backoff.ts';
import type { CallOptions } from './call.ts';
import { Deferred } from './deferred.ts';
import type { Lease, LeaseKeeper, LeaseLoss } from './lease.ts';
import { pause } from './outside.ts';
import { mayMend } from './resend.ts';
import type { Router } from './router.ts';

const retryBackoff = { minMs: 50, maxMs: 3000 };

type Wish = Omit<Parameters<'register'>, 'leaseId' | 'replace'>;

/**
 * How somebody else ended a registration. `deregistered`: took the instance out of the registry.
 * `replaced`: registered the same id; the instance is theirs now.
 */
export type RegistrationEnd = 'deregistered' | 'replaced';

interface RegistrationEvents {
  /** The instance stands in the registry for the first time. */
  registered: [];
  /** Its lease is gone, and the instance with it. It will be registered again. */
  lost: [LeaseLoss];
  /** It stands in the registry again. */
  restored: [];
  /** Somebody else has ended the registration. It stays so, and nothing follows. */
  ended: [RegistrationEnd];
}

/**
 * A declared state: "this instance is there". It is made true and kept true for as long as the client
 * lives, whatever happens in between: the lease is renewed, and after any loss of it granted anew and
 * the instance registered again, without end and with jitter. `deregister()` takes the wish back.
 *
 * It ends when somebody else takes the instance out or registers the same id: then the newest word
 * counts. The next renewal of the lease notices it, a third of the TTL later at most, or the attempt to
 * come back after a loss, which never takes the place of another living owner; `ended` tells. An
 * instance that was taken out and whose lease was lost before a renewal comes back. A cluster below
 * feature level 2 cannot look whose an instance is: there a registration that comes back wins.
 */
export class Registration extends EventEmitter<RegistrationEvents> {
  /** The instance's id, given or drawn. */
  readonly id: string;
  readonly #router: Router;
  readonly #keeper: LeaseKeeper;
  readonly #wish: Wish;
  readonly #ttlMs: number;
  readonly #stop = new AbortController();
  readonly #first = new Deferred<void>();
  readonly #stopListening: () => void;
  #lease: Lease | null = null;
  #leaseId: string;
  /** When a grant of `#leaseId` was first sent whose answer never came; null if there is none such. */
  #grantInDoubtAtMs: number | null = null;
  #end: RegistrationEnd | null = null;
  /** By its owner, who hears of nothing else from then on. */
  #takenBack = false;

  /** @internal Registrations come from `client.registry.register`. */
  constructor(router: Router, keeper: LeaseKeeper, wish: Wish, ttlMs: number) {
    super();
    this.#router = router;
    this.#keeper = keeper;
    this.#wish = wish;
    this.#ttlMs = ttlMs;
    this.id = wish.instance.id;
    this.#leaseId = randomId(router.random);
    this.#stopListening = router.onClose(() => this.#stop.abort());
    void this.#keepTrue();
  }

  /** Whether the instance stands in the registry, as far as is known here. */
  get registered(): boolean {
    return this.#lease !== null && this.#lease.loss === null && !this.#stop.signal.aborted;
  }

  /** How somebody else ended it, or null. Known at the latest once `deregister()` has resolved. */
  get end(): RegistrationEnd | null {
    return this.#end;
  }

  /** @internal Resolves with the first success; rejects where no retry can help. */
  first(): Promise<void> {
    return this.#first.promise;
  }

  /** @internal Gives up without telling the cluster. */
  abandon(error: RollcallError): void {
    this.#stop.abort();
    this.#stopListening();
    this.#lease?.close();
    this.#first.reject(error);
  }

  /**
   * Takes the instance out of the registry, unless it is somebody else's by now (see `end`), and ends
   * its lease. Repeated, within the time of `options.timeoutMs`, while it is in doubt; rejects as any
   * request does (`timeout`, `noLeader` …), and then the instance goes with its TTL. Idempotent.
   */
  async deregister(options: CallOptions = {}): Promise<void> {
    const leaseId = this.#leaseId;
    this.#takenBack = true;
    this.abandon(new RollcallError('closed', 'The registration was taken back'));
    if (this.#end !== null) return;
    const { clock } = this.#router;
    const deadlineMs = clock.monotonic() + (options.timeoutMs ?? this.#router.requestTimeoutMs);
    for (let attempt = 0; ; attempt++) {
      try {
        const timeoutMs = Math.max(1, deadlineMs - clock.monotonic());
        if ((await this.#takeOut(leaseId, { ...options, timeoutMs })) === 'replaced') {
          this.#end ??= 'replaced';
        }
        break;
      } catch (error) {
        const delayMs = backoffMs(retryBackoff, attempt, this.#router.random);
        const again = isCode(error, 'connectionLost') || isCode(error, 'leadershipLost');
        if (!again || clock.monotonic() + delayMs > deadlineMs) throw error;
        await pause(clock, delayMs, null);
      }
    }
    // With the lease gone, a registration still under way somewhere can't bring the instance back.
    await this.#keeper.revokeQuietly(leaseId);
  }

  /** Takes the instance out if it has this lease; says how it stands afterwards. */
  async #takeOut(leaseId: string, options: CallOptions): Promise<RegistrationEnd> {
    const { namespace, service } = this.#wish;
    const parameters = { namespace, service, id: this.id, leaseId };
    const request = { method: 'deregister', parameters, anywhere: false } as const;
    try {
      await this.#router.call(request, options);
    } catch (error) {
      if (isCode(error, 'instanceReplaced')) return 'replaced';
      if (isCode(error, 'featureLevelTooLow')) await this.#revoke(leaseId, options);
      else if (!isCode(error, 'instanceNotFound')) throw error;
    }
    return 'deregistered';
  }

  /** Where the cluster cannot look whose the instance is: with the lease it goes, if it is this one's. */
  async #revoke(leaseId: string, options: CallOptions): Promise<void> {
    const request = { method: 'leaseRevoke', parameters: { leaseId }, anywhere: false } as const;
    try {
      await this.#router.call(request, options);
    } catch (error) {
      if (!isCode(error, 'leaseNotFound')) throw error;
    }
  }

  async #keepTrue(): Promise<void> {
    let before = false;
    while (!this.#stop.signal.aborted) {
      const restored = before;
      const lease = await this.#establish(before);
      if (lease === null) return;
      this.#lease = lease;
      const registeredAtMs = this.#router.clock.monotonic();
      lease.observe((sentAtMs, instances) => {
        // An older renewal may have overtaken the registration.
        if (instances === 0 && sentAtMs >= registeredAtMs) void this.#missed(lease.id);
      });
      this.#first.resolve();
      // Deferred, so that whoever awaited the first success can listen for it still.
      this.#router.clock.soon(() => this.emit(restored ? 'restored' : 'registered'));
      before = true;
      const loss = await lease.lost;
      if (this.#stop.signal.aborted) return;
      this.#renewId();
      // As above, and a listener that throws must not end the renewing.
      this.#router.clock.soon(() => this.emit('lost', loss));
    }
  }

  /** The lease lives, but no instance stands there with it: only somebody else can have done that. */
  async #missed(leaseId: string): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.abandon(new RollcallError('closed', 'The registration was ended by somebody else'));
    for (let attempt = 0; !this.#takenBack; attempt++) {
      try {
        const end = await this.#takeOut(leaseId, {});
        if (!this.#takenBack) this.#endBy(end, leaseId);
        return;
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        if (this.#router.closed || !mayMend(error)) return;
        const delayMs = backoffMs(retryBackoff, attempt, this.#router.random);
        await pause(this.#router.clock, delayMs, null);
      }
    }
  }

  #endBy(end: RegistrationEnd, leaseId: string): void {
    this.abandon(new RollcallError('closed', 'The registration was ended by somebody else'));
    this.#end = end;
    void this.#keeper.revokeQuietly(leaseId);
    this.#router.clock.soon(() => this.emit('ended', end));
  }

  /** Grants and registers until it has worked. Null when the wish was taken back or can't come true. */
  async #establish(before: boolean): Promise<Lease | null> {
    const signal = this.#stop.signal;
    let lease: Lease | null = null;
    let replace = !before;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        lease ??= await this.#grant();
        const parameters = { ...this.#wish, leaseId: lease.id, replace };
        const request = { method: 'register', parameters, anywhere: false } as const;
        const body = await this.#router.call(request, { signal });
        this.#router.sawRevision((body as Results['register']).revision);
        return lease;
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        if (!signal.aborted && !before && !mayMend(error)) {
          lease?.close();
          this.abandon(error);
          return null;
        }
        // Better twice than not at all: a cluster in the middle of an upgrade cannot look whose it is.
        if (error.code === 'featureLevelTooLow') replace = true;
        if (error.code === 'instanceReplaced') {
          lease?.close();
          this.#endBy('replaced', this.#leaseId);
          return null;
        }
        if (error.code === 'leaseNotFound' || lease?.loss === 'expired') {
          lease?.close();
          lease = null;
          this.#renewId();
        }
      }
      const delayMs = backoffMs(retryBackoff, attempt, this.#router.random);
      await pause(this.#router.clock, delayMs, signal);
    }
    lease?.close();
    return null;
  }

  /** The id is ours, so that a grant in doubt can be asked for again without leaving a second lease. */
  async #grant(): Promise<Lease> {
    const sentAtMs = this.#router.clock.monotonic();
    const leaseId = this.#leaseId;
    const parameters = { leaseId, ttlMs: this.#ttlMs };
    const request = { method: 'leaseGrant', parameters, anywhere: false } as const;
    try {
      const body = await this.#router.call(request, { signal: this.#stop.signal });
      return this.#keeper.keep(leaseId, (body as Results['leaseGrant']).ttlMs, sentAtMs);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      if (error.code === 'leaseExists') {
        if (this.#grantInDoubtAtMs !== null) {
          return this.#keeper.keep(leaseId, this.#ttlMs, this.#grantInDoubtAtMs);
        }
        this.#renewId();
      }
      if (!error.definite) this.#grantInDoubtAtMs ??= sentAtMs;
      throw error;
    }
  }

  #renewId(): void {
    this.#leaseId = randomId(this.#router.random);
    this.#grantInDoubtAtMs = null;
  }
}

function isCode(error: unknown, code: RollcallError['code']): boolean {
  return error instanceof RollcallError && error.code === code;
}
