import { RollcallError } from '../base/errors.ts';
import type { Method } from '../wire/methods.ts';
import type { NodeStatus, Results } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import { ClusterControl } from './cluster-control.ts';
import { type Key, type KeySelector, keyRange, type Value } from './key.ts';
import { KeyValue, keyValueOrNull } from './key-value.ts';
import { type Lease, LeaseKeeper } from './lease.ts';
import { type GrantOptions, Leases } from './leases.ts';
import { unreachableReason } from './outage.ts';
import { type Outside, realOutside } from './outside.ts';
import { type Page, type PageOptions, type RequestPage, readPages } from './pages.ts';
import { Registry } from './registry.ts';
import { awaitRemoval } from './removal.ts';
import { Router } from './router.ts';
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

const requestTimeoutMsDefault = 5000;
const timeoutMsMax = 2 ** 31 - 1;

export interface ConnectOptions {
  /** `host:port` of some or all nodes. One is enough to find the leader, all survive any failure. */
  readonly endpoints: readonly string[];
  /**
   * How long a request may take, and how long to wait for the first endpoint, in milliseconds. At most
   * 2^31 − 1. Default 5000.
   */
  readonly requestTimeoutMs?: number;
  /**
   * Connect to members that the endpoints tell of as well, so that the client follows a cluster whose
   * members change. Default true; false where clients reach the nodes only under other addresses.
   */
  readonly learnEndpoints?: boolean;
  /**
   * Whether writes are done under a session, and so exactly once. Default true; false spares a program that
   * writes once the two requests that open and close a session.
   */
  readonly sessions?: boolean;
  /** Gives up connecting. Afterwards it has no effect. */
  readonly signal?: AbortSignal;
}

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

/** What the client knows of one endpoint at the moment. */
export interface EndpointState {
  readonly address: string;
  readonly connected: boolean;
  readonly leads: boolean;
  /** The name of the leader as the endpoint said last; null while it knows none or is not connected. */
  readonly leaderName: string | null;
  /** Why there is no connection. */
  readonly error: RollcallError | null;
}

/**
 * Connects to a cluster. Resolves once one endpoint has answered with its status; rejects with
 * `unreachable`, naming each endpoint and why, if none has within `requestTimeoutMs`; with `cancelled`
 * when the signal aborts; with `invalidArgument` for endpoints that are not HOST:PORT.
 */
export function connect(options: ConnectOptions): Promise<Client> {
  return connectThrough(realOutside, options);
}

/** @internal `connect` over sockets and a clock that the caller provides. */
export async function connectThrough(outside: Outside, options: ConnectOptions): Promise<Client> {
  const requestTimeoutMs = options.requestTimeoutMs ?? requestTimeoutMsDefault;
  checkEndpoints(options.endpoints);
  checkTimeout('requestTimeoutMs', requestTimeoutMs);
  const router = new Router({
    endpoints: options.endpoints,
    requestTimeoutMs,
    learnEndpoints: options.learnEndpoints ?? true,
    sessions: options.sessions ?? true,
    outside,
  });
  try {
    await firstStatus(router, requestTimeoutMs, options.signal);
  } catch (error) {
    router.close();
    throw error;
  }
  return new Client(router);
}

/**
 * A connection to a cluster, which lasts over lost sockets and changes of leaders.
 *
 * Reads are repeated by themselves wherever that helps. So are writes: they come under a session, by
 * which the cluster does each of them once, however often it is sent. If the fate of one is in doubt all the
 * same, because its time is over, the session has ended or the cluster was restored, its promise rejects
 * with an error whose `definite` is false (`timeout`, `sessionExpired`, `incarnationChanged`, `closed`, and
 * `connectionLost` without sessions): read before writing again.
 *
 * Besides what a method names, every request may reject with: `noLeader` and `notBorn` when no leader was
 * found in its time, `timeout`, `connectionLost`, `leadershipLost`, `cancelled` by its signal, `closed`
 * with the client, `invalidArgument` for what makes no sense, `frameTooLarge` for more than 2 MiB in one
 * request, `tooManyRequests` from an overloaded node. All rejections are `RollcallError`s. Times are in
 * milliseconds.
 */
export class Client {
  /** Services and their instances. */
  readonly registry: Registry;
  /** Leases one request at a time. `lease()` keeps one alive for you. */
  readonly leases: Leases;
  /** Who the cluster is, and changes of that. */
  readonly cluster: ClusterControl;
  readonly #router: Router;
  #closing: Promise<void> | null = null;

  /** @internal Use `connect`. */
  constructor(router: Router) {
    this.#router = router;
    const keeper = new LeaseKeeper(router);
    this.leases = new Leases(router, keeper);
    this.cluster = new ClusterControl(router);
    this.registry = new Registry(router, keeper);
  }

  /** The highest revision that this client has seen. */
  get revision(): number {
    return this.#router.revision;
  }

  get clusterId(): string {
    return this.#router.clusterId;
  }

  /** Changes when the cluster is restored from a backup. */
  get incarnation(): string {
    return this.#router.incarnation;
  }

  /** The endpoints as they are known at the moment; those of members that were learned from others included. */
  get endpoints(): readonly EndpointState[] {
    const leader = this.#router.leader;
    return this.#router.connections.map(({ address, usable, error }) => ({
      address,
      connected: usable,
      leads: address === leader,
      leaderName: usable ? this.#router.leaderNamedBy(address) : null,
      error: usable ? null : error,
    }));
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
    const body = await this.#call('put', putParameters(key, value, options), options);
    const { revision, previous } = body as Results['put'];
    return { revision, previous: keyValueOrNull(previous) };
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
    const body = await this.#range(rangeParameters(keys, options), options);
    const { revision, pairs, count, more } = body;
    return { revision, pairs: pairs.map((pair) => new KeyValue(pair)), count, more };
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
    return readPages(keys, options, request, () => this.#router.incarnation);
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
    const parameters = { ...keyRange(keys), previous: options.previous ?? false };
    const body = (await this.#call('delete', parameters, options)) as Results['delete'];
    const { revision, deleted, previous } = body;
    return { revision, deleted, previous: previous.map((pair) => new KeyValue(pair)) };
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
    const body = await this.#call('txn', parameters, options);
    return { revision: (body as Results['txn']).revision, ...txnResult(body as Results['txn']) };
  }

  /**
   * Forgets the history of all keys before `revision`, which can still be read and watched from
   * afterwards; what keys hold now is not touched. Rejects with `compacted` where that has happened already,
   * `futureRevision`, `featureLevelTooLow`. With `physical` it resolves only once the leader has removed
   * what is forgotten, however long that takes; a rejection after the compaction says `definite: false`.
   */
  async compact(
    revision: number,
    options: CallOptions & { readonly physical?: boolean } = {},
  ): Promise<Revisioned> {
    const compacted = (await this.#call('compact', { revision }, options)) as Results['compact'];
    if (options.physical) await awaitRemoval(this.#router, revision, options);
    return { revision: compacted.revision };
  }

  /** The changes of some keys from now on, or from `startRevision`. See `Watch`. */
  watch(keys: KeySelector, options: WatchOptions = {}): Watch {
    return new Watch(this.#router, keys, options);
  }

  /** Grants a lease and keeps it alive until it is revoked, closed or lost. Rejects as `leases.grant`. */
  lease(options: GrantOptions): Promise<Lease> {
    return this.leases.hold(options);
  }

  /** The status of one node, whichever is asked. Rejects with `unreachable` if none answers in time. */
  async status(options: CallOptions = {}): Promise<NodeStatus> {
    const request = { method: 'status', parameters: {}, anywhere: true } as const;
    return (await this.#router.call(request, options)) as NodeStatus;
  }

  /**
   * Ends everything: open requests reject with `closed`, watches and views end, leases are no longer
   * renewed. Idempotent; nothing of the client keeps the process alive afterwards. Takes a moment where
   * a session is to be closed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#router.closeSession();
    this.#router.close();
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

/** Throws `invalidArgument` unless there is at least one endpoint and each is HOST:PORT. */
export function checkEndpoints(endpoints: readonly string[]): void {
  if (endpoints.length === 0) {
    throw new RollcallError('invalidArgument', 'At least one endpoint is needed');
  }
  for (const endpoint of endpoints) {
    if (/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}$/.test(endpoint)) continue;
    throw new RollcallError('invalidArgument', `The endpoint ${endpoint} is not HOST:PORT`);
  }
}

/** Throws `invalidArgument` for what no timer can hold. */
export function checkTimeout(name: string, timeoutMs: number): void {
  if (timeoutMs > 0 && timeoutMs <= timeoutMsMax) return;
  const message = `${name} is ${timeoutMs}, not a number above 0 and at most ${timeoutMsMax}`;
  throw new RollcallError('invalidArgument', message);
}

function firstStatus(
  router: Router,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const waiter = { connectionUsable: () => finish(null) };
    const finish = (error: RollcallError | null): void => {
      timer.cancel();
      signal?.removeEventListener('abort', abort);
      router.forget(waiter);
      if (error === null) resolve();
      else reject(error);
    };
    const timer = router.clock.after(timeoutMs, () => {
      const reasons = router.connections.map(unreachableReason).join('; ');
      const message = `No endpoint has answered within ${timeoutMs} ms: ${reasons}`;
      finish(new RollcallError('unreachable', message));
    });
    const abort = (): void => {
      const options = { definite: true, cause: signal?.reason };
      finish(new RollcallError('cancelled', 'Connecting was cancelled', options));
    };
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    router.await(waiter);
  });
}
