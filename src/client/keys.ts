import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/prng.ts';
import type { Method } from '../wire/methods.ts';
import type { Results, WirePair } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import { type Key, type KeySelector, keyRange, type Value } from './key.ts';
import type { KeyPrefix } from './key-prefix.ts';
import { KeyValue } from './key-value.ts';
import type { Lease, LeaseKeeper } from './lease.ts';
import { type GrantOptions, Leases } from './leases.ts';
import { type Page, type PageOptions, type RequestPage, readPages } from './pages.ts';
import {
  type AtomicallyOptions,
  type AtomicTransaction,
  atomically,
} from './recipes/atomically.ts';
import { Barrier } from './recipes/barrier.ts';
import { Election } from './recipes/election.ts';
import { Holding, type HoldingOptions } from './recipes/holding.ts';
import { placesOf, takeTurn, tryTurn } from './recipes/place.ts';
import { Queue } from './recipes/queue.ts';
import { Semaphore } from './recipes/semaphore.ts';
import type { Router } from './router.ts';
import {
  checkNesting,
  type DeleteOptions,
  type PutOptions,
  putParameters,
  type Range,
  type ReadOptions,
  rangeParameters,
  type Txn,
  type TxnResult,
  txnParameters,
  txnResult,
} from './txn.ts';
import { Watch, type WatchOptions } from './watch.ts';

export interface FreshnessOptions {
  /**
   * Let any node answer from what it has, without asking the others: possibly stale, but never older
   * than what this client has seen.
   */
  readonly serializable?: boolean;
}

/** Every result carries the revision of the state that it was made from. */
export interface Revisioned {
  readonly revision: number;
}

/**
 * Keys with their history, watches and leases: all that there are in the cluster, or those of a namespace.
 * What every request may reject with is said at `Client`.
 */
export class Keys {
  /** Leases one request at a time. `lease()` keeps one alive for you. */
  readonly leases: Leases;
  readonly #router: Router;
  readonly #keeper: LeaseKeeper;
  readonly #prefix: KeyPrefix;

  /** @internal */
  constructor(router: Router, keeper: LeaseKeeper, prefix: KeyPrefix) {
    this.#router = router;
    this.#keeper = keeper;
    this.#prefix = prefix;
    this.leases = new Leases(router, keeper, prefix);
  }

  /** The highest revision that this client has seen. */
  get revision(): number {
    return this.#router.revision;
  }

  /** Changes when the cluster is restored from a backup. */
  get incarnation(): string {
    return this.#router.incarnation;
  }

  /**
   * The keys that begin with `prefix`, as if there were no others and without it: a key `a` of the namespace
   * `team/` is `team/a` to the cluster. Ranges, transactions, watches, key lists of leases and recipes, of
   * whatever form, never reach beyond it; only `leases.list` names those of the whole cluster. Conditions and
   * operations, such as the `guard` of a lock, belong to the namespace that they were made for. Lives as long as
   * the client. Throws `invalidArgument` for an empty prefix.
   */
  namespace(prefix: Key): Keys {
    return new Keys(this.#router, this.#keeper, this.#prefix.within(prefix));
  }

  /**
   * Stores a value under a key, and makes a revision. A key has 1 byte to 4 KiB, a value up to 1 MiB −
   * 16 KiB; without `leaseId` the key is taken off the lease that it had. Rejects with `keyTooLong`,
   * `valueTooLarge`, `leaseNotFound`.
   */
  async put(
    key: Key,
    value: Value,
    options: PutOptions & CallOptions = {},
  ): Promise<Revisioned & { readonly previous: KeyValue | null }> {
    const parameters = putParameters(key, value, options);
    const body = await this.#call('put', this.#prefix.into(parameters), options);
    const { revision, previous } = body as Results['put'];
    return { revision, previous: previous && this.#pair(previous) };
  }

  /** One key, or null if there is none. Rejects as `range` does. */
  async get(
    key: Key,
    options: { readonly revision?: number } & FreshnessOptions & CallOptions = {},
  ): Promise<KeyValue | null> {
    const { pairs } = await this.range(key, options);
    return pairs[0] ?? null;
  }

  /**
   * Keys in one answer: the first ones by `sortBy` and `order` of those within the bounds on revisions, at
   * most `limit`, 4,096, and as many as fit into 2.25 MiB; `more` says that there are others, `count` how
   * many keys there are in all. At the newest revision, or at `revision`: rejects with `compacted` or
   * `futureRevision` where that cannot be read; a serializable read with `behind` when no node has yet seen
   * what this client has.
   */
  async range(
    keys: KeySelector,
    options: ReadOptions & FreshnessOptions & CallOptions = {},
  ): Promise<Revisioned & Range> {
    const body = await this.#range(this.#prefix.into(rangeParameters(keys, options)), options);
    const { revision, pairs, count, more } = body;
    return { revision, pairs: pairs.map((pair) => this.#pair(pair)), count, more };
  }

  /**
   * The same, however many keys there are: page by page, as they are asked for, and all at one revision. In
   * key order, or against it with `order: 'descend'`; `limit` is that of all pages together, and
   * `timeoutMs` counts for each. Rejects as `range` does; also with `compacted` when a compaction passes
   * the revision between two pages, and with `incarnationChanged`.
   *
   *     for await (const { revision, pairs } of client.pages({ prefix: 'config/' })) { … }
   */
  pages(
    keys: KeySelector,
    options: PageOptions & FreshnessOptions & CallOptions = {},
  ): AsyncGenerator<Page, undefined> {
    const request: RequestPage = (parameters) => this.#range(parameters, options);
    return readPages(keys, options, this.#prefix, request, () => this.#router.incarnation);
  }

  /** All keys with a prefix, read in pages. An empty prefix means every key. Rejects as `pages` does. */
  async getPrefix(
    prefix: Key,
    options: PageOptions & FreshnessOptions & CallOptions = {},
  ): Promise<Revisioned & { readonly pairs: readonly KeyValue[] }> {
    const pairs: KeyValue[] = [];
    let revision = 0;
    for await (const page of this.pages({ prefix }, options)) {
      revision = page.revision;
      for (const pair of page.pairs) pairs.push(pair);
    }
    return { revision, pairs };
  }

  /**
   * Deletes one key, or all that the selector names: atomically, at one revision, none if there are none.
   * Rejects with `tooManyKeys`, and deletes nothing, where that are more than 4,096.
   */
  async delete(
    keys: KeySelector,
    options: DeleteOptions & CallOptions = {},
  ): Promise<Revisioned & { readonly deleted: number; readonly previous: readonly KeyValue[] }> {
    const selected = this.#prefix.into(keyRange(keys));
    const parameters = { ...selected, previous: options.previous ?? false };
    const body = (await this.#call('delete', parameters, options)) as Results['delete'];
    const { revision, deleted, previous } = body;
    return { revision, deleted, previous: previous.map((pair) => this.#pair(pair)) };
  }

  /**
   * Runs `success` if all conditions of `compare` hold, else `failure`: atomically, at one revision. That
   * the conditions do not hold is a result, not an error. Rejects, and does nothing, with
   * `tooManyOperations` (more than 128, nested ones counted), `duplicateKey` (a key put twice, or put and
   * deleted), `tooManyKeys` (visits more than 4,096 keys or reads more than 1,000 values or 2 MiB),
   * `keyTooLong`, `valueTooLarge`, `leaseNotFound`, `compacted`, `futureRevision`.
   *
   *     await client.txn({
   *       compare: [compare.version('lock', 'equal', 0)],
   *       success: [operation.put('lock', 'me')],
   *       failure: [operation.range('lock')],
   *     });
   */
  async txn(txn: Txn, options: CallOptions = {}): Promise<Revisioned & TxnResult> {
    const parameters = txnParameters(txn);
    checkNesting(parameters);
    const body = await this.#call('txn', this.#prefix.intoTxn(parameters), options);
    const { revision, ...result } = body as Results['txn'];
    return { revision, ...txnResult(this.#prefix.outOfTxn(result)) };
  }

  /** The changes of some keys from now on, or from `startRevision`. See `Watch`. */
  watch(keys: KeySelector, options: WatchOptions = {}): Watch {
    return new Watch(this.#router, this.#prefix, keys, options);
  }

  /** Grants a lease and keeps it alive until it is revoked, closed or lost. Rejects as `leases.grant`. */
  lease(options: GrantOptions): Promise<Lease> {
    return this.leases.hold(options);
  }

  /**
   * Waits until the lock is ours: behind all that asked before, for as long as it takes or until `signal`
   * aborts (`cancelled`). One that loses its place, as its lease has expired, queues up again at the end.
   * The contenders are the keys that begin with `name/`, first come first served, as in etcd's recipe. Rejects
   * also as every request does when there is no leader to queue up with.
   *
   *     await using lock = await client.lock('jobs/nightly', { ttlMs: 10_000 });
   *     await client.txn({ compare: [lock.guard], success: [operation.put('report', text)] });
   */
  async lock(name: string, options: HoldingOptions = {}): Promise<Holding> {
    return new Holding(this, await takeTurn(this, placesOf(name, 1), '', options));
  }

  /** The lock if nobody has it or waits for it; otherwise null. */
  async tryLock(name: string, options: HoldingOptions = {}): Promise<Holding | null> {
    const place = await tryTurn(this, placesOf(name, 1), '', options);
    return place && new Holding(this, place);
  }

  /** Leaders by that name; to run for it, to ask or to observe who it is. */
  election(name: string): Election {
    return new Election(this, name);
  }

  /** A lock that `permits` may have at once. Throws `invalidArgument` for less than one. */
  semaphore(name: string, permits: number): Semaphore {
    return new Semaphore(this, name, permits);
  }

  /** A barrier that keeps others waiting while it is closed. */
  barrier(name: string): Barrier {
    return new Barrier(this, name);
  }

  /** A queue of values. */
  queue(name: string): Queue {
    return new Queue(this, name);
  }

  /**
   * Runs a function that reads and writes keys as if nobody else did: all it reads is of one revision, and its
   * writes are one transaction, which is only done if nothing that it read has changed. Else all of it is run
   * again, for as long as it takes or until `signal` aborts, so that it should do nothing else. Resolves with
   * what it returns; where it throws nothing is written. It may read and write 128 keys each.
   *
   *     await client.atomically(async (transaction) => {
   *       const count = Number((await transaction.getText('count')) ?? 0);
   *       transaction.put('count', String(count + 1));
   *     });
   */
  atomically<T>(
    run: (transaction: AtomicTransaction) => Promise<T>,
    options: AtomicallyOptions = {},
  ): Promise<T> {
    return atomically(this, run, options);
  }

  /** @internal */
  get closed(): boolean {
    return this.#router.closed;
  }

  /** @internal */
  get clock(): Clock {
    return this.#router.clock;
  }

  /** @internal */
  get random(): Random {
    return this.#router.random;
  }

  #pair(pair: WirePair): KeyValue {
    return new KeyValue(this.#prefix.outOf(pair));
  }

  async #range(
    parameters: object,
    options: FreshnessOptions & CallOptions,
  ): Promise<Results['range']> {
    const anywhere = options.serializable ?? false;
    const freshness = anywhere ? { serializable: true, minRevision: this.#router.revision } : {};
    const body = await this.#call('range', { ...parameters, ...freshness }, options, anywhere);
    return body as Results['range'];
  }

  async #call(
    method: Method,
    parameters: object,
    options: CallOptions,
    anywhere = false,
  ): Promise<unknown> {
    const body = await this.#router.call({ method, parameters, anywhere }, options);
    this.#router.sawRevision((body as Revisioned).revision);
    return body;
  }
}
