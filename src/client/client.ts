import { RollcallError } from '../base/errors.ts';
import type { NodeStatus, Results } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import { ClusterControl } from './cluster-control.ts';
import { noPrefix } from './key-prefix.ts';
import { Keys, type Revisioned } from './keys.ts';
import { LeaseKeeper } from './lease.ts';
import { unreachableReason } from './outage.ts';
import { type Outside, realOutside } from './outside.ts';
import { Registry } from './registry.ts';
import { awaitRemoval } from './removal.ts';
import { Router } from './router.ts';

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
export class Client extends Keys {
  /** Services and their instances. */
  readonly registry: Registry;
  /** Who the cluster is, and changes of that. */
  readonly cluster: ClusterControl;
  readonly #router: Router;
  #closing: Promise<void> | null = null;

  /** @internal Use `connect`. */
  constructor(router: Router) {
    const keeper = new LeaseKeeper(router);
    super(router, keeper, noPrefix);
    this.#router = router;
    this.cluster = new ClusterControl(router);
    this.registry = new Registry(router, keeper);
  }

  get clusterId(): string {
    return this.#router.clusterId;
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
   * Forgets the history of all keys before `revision`, which can still be read and watched from
   * afterwards; what keys hold now is not touched. Rejects with `compacted` where that has happened already,
   * `futureRevision`, `featureLevelTooLow`. With `physical` it resolves only once the leader has removed
   * what is forgotten, however long that takes; a rejection after the compaction says `definite: false`.
   */
  async compact(
    revision: number,
    options: CallOptions & { readonly physical?: boolean } = {},
  ): Promise<Revisioned> {
    const request = { method: 'compact', parameters: { revision }, anywhere: false } as const;
    const compacted = (await this.#router.call(request, options)) as Results['compact'];
    this.#router.sawRevision(compacted.revision);
    if (options.physical) await awaitRemoval(this.#router, revision, options);
    return { revision: compacted.revision };
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
