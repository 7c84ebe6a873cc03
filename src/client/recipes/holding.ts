import type { Timer } from '../../base/clock.ts';
import { RollcallError } from '../../base/errors.ts';
import type { CallOptions } from '../call.ts';
import { Deferred } from '../deferred.ts';
import type { Keys } from '../keys.ts';
import { type Compare, compare } from '../txn.ts';
import { awaitChange, persist } from './persistence.ts';
import { isSure, marginMs, type Place } from './place.ts';

const timerMsMax = 2 ** 31 - 1;

export interface HoldingOptions {
  /**
   * How long a holder that dies keeps others waiting, in milliseconds: 500 or more. Default 10,000. The living
   * one renews it by itself.
   */
  readonly ttlMs?: number;
  /** Gives up waiting: `cancelled`. Afterwards it has no effect. */
  readonly signal?: AbortSignal;
}

/**
 * Why something is no longer held. `unconfirmed`: no renewal was confirmed for so long that the lease may soon be
 * over; nobody else has it before a fifth of the TTL has passed. `gone`: the cluster says that the lease is over,
 * or somebody deleted the key; another may have it. `released`: by its holder. `closed`: with the client; others
 * have it when the TTL has passed.
 */
export type HoldingLoss = 'unconfirmed' | 'gone' | 'released' | 'closed';

/**
 * A lock, a permit or a leadership that this process has until it releases or loses it.
 *
 * No lock service can keep a holder that hangs from going on once it wakes, so that what it protects has to
 * check: put `guard` into each transaction that is only right for the holder, and give `token` to everything
 * else, which refuses what comes with a lower one than it has seen.
 */
export class Holding {
  /** Deleted when it is lost or released. */
  readonly key: string;
  /** The fencing token: the revision that created the key. Each holder's is higher than those of all before it. */
  readonly token: number;
  /** A condition of a transaction that holds exactly while this is held, as the cluster knows it. */
  readonly guard: Compare;
  /** Aborts when it is lost or released: pass it to what is only to be done while it is held. */
  readonly signal: AbortSignal;
  /** Resolves, and never rejects, at the same time. */
  readonly lost: Promise<HoldingLoss>;
  readonly #place: Place;
  readonly #lost = new Deferred<HoldingLoss>();
  readonly #stop = new AbortController();
  #loss: HoldingLoss | null = null;
  #timer: Timer | null = null;

  /** @internal */
  constructor(keys: Keys, place: Place) {
    const { key, token, lease } = place;
    this.key = key;
    this.token = token;
    this.guard = compare.createRevision(key, 'equal', token);
    this.signal = this.#stop.signal;
    this.lost = this.#lost.promise;
    this.#place = place;
    lease.observe(() => this.#arm());
    void lease.lost.then((loss) => this.#end(loss === 'closed' ? 'closed' : 'gone'));
    void this.#awaitDeletion(keys);
    this.#arm();
  }

  /** Whether it is certain to be held now. False just before `lost` resolves, as a timer may come late. */
  get held(): boolean {
    return this.#loss === null && isSure(this.#place.lease);
  }

  /** Why it is no longer held, or null. */
  get loss(): HoldingLoss | null {
    return this.#loss;
  }

  /** How long others keep away from it after `lost` said `unconfirmed`, in milliseconds: time to wind down. */
  get graceMs(): number {
    return marginMs(this.#place.lease);
  }

  /**
   * Lets others have it. One that was lost is no error. Rejects as every request does, and then it goes when its
   * TTL has passed. Idempotent.
   */
  async release(options: CallOptions = {}): Promise<void> {
    this.#end('released');
    const { lease } = this.#place;
    try {
      await lease.revoke(options);
    } finally {
      lease.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** Our own clock decides: the cluster counts the TTL from a moment after each renewal was sent. */
  #arm(): void {
    if (this.#loss !== null) return;
    this.#timer?.cancel();
    const { lease } = this.#place;
    if (!isSure(lease)) {
      this.#end('unconfirmed');
      return;
    }
    const leftMs = lease.confirmedUntilMs - marginMs(lease) - lease.clock.monotonic();
    this.#timer = lease.clock.after(Math.min(leftMs, timerMsMax), () => this.#arm());
  }

  async #awaitDeletion(keys: Keys): Promise<void> {
    const { key, token, signal } = this;
    try {
      await persist(keys, signal, async () => {
        while (!signal.aborted) {
          const { revision, pairs } = await keys.range(key, { keysOnly: true, signal });
          if (pairs[0]?.createRevision !== token) return;
          await awaitChange(keys, key, { startRevision: revision + 1, only: 'delete', signal });
        }
      });
      this.#end('gone');
    } catch (error) {
      // Its end by another way.
      if (!(error instanceof RollcallError)) throw error;
    }
  }

  #end(loss: HoldingLoss): void {
    if (this.#loss !== null) return;
    this.#loss = loss;
    this.#timer?.cancel();
    // Renewing it further would only keep others waiting.
    if (loss !== 'released') this.#place.lease.close();
    this.#stop.abort(new RollcallError('notHeld', `${this.key} is no longer held (${loss})`));
    this.#lost.resolve(loss);
  }
}
