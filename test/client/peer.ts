/**
 * Nodes that speak `rollcall.v1` over real sockets, on one shared in-memory store. Who leads, who is
 * silent and which answers never come is the test's to say.
 */
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { RollcallError } from '../../src/base/errors.ts';
import { errorBody } from '../../src/wire/error-body.ts';
import {
  decodeRequests,
  encodeHeader,
  encodeItem,
  type ItemKind,
  itemKinds,
  joinServerFrame,
  subprotocol,
  type WireRequest,
  type WireSession,
} from '../../src/wire/frame.ts';
import { type Method, methods, type Parameters } from '../../src/wire/methods.ts';
import type { NodeStatus } from '../../src/wire/results.ts';
import { type InstanceBatch, type KeyBatch, Store, within } from './store.ts';

const anywhere: ReadonlySet<string> = new Set([
  'status',
  'watch',
  'watchService',
  'watchProgress',
  'cancel',
]);

/** The parameters that tests look at. */
export interface Params {
  readonly key?: string;
  readonly revision?: number;
  readonly minRevision?: number;
  readonly startRevision?: number;
  readonly progressMs?: number;
  readonly leaseId?: string | null;
  readonly leaseIds?: readonly string[];
  readonly sessionId?: string;
}

export interface Received {
  readonly node: string;
  readonly method: string;
  readonly params: Params;
  readonly session: WireSession | null;
  /** How many requests shared its frame. */
  readonly frameSize: number;
}

/**
 * `drop`: it takes effect and the socket closes without an answer. `applyOnly`: it takes effect, no
 * answer. `ignore`: nothing happens at all.
 */
export type Fault = 'drop' | 'ignore' | 'applyOnly' | RollcallError;

export class PeerCluster {
  store = new Store();
  /** Empty: no node belongs to a cluster yet. */
  clusterId = '00000000000000c1';
  incarnation = '00000000000000e1';
  term = 1;
  /** Results by session and number; null while the cluster knows no sessions. */
  sessions: Map<string, Map<number, object>> | null = null;
  leader: PeerNode | null = null;
  readonly nodes: PeerNode[] = [];
  readonly received: Received[] = [];
  #arrivals: { readonly matches: (got: Received) => boolean; readonly done: () => void }[] = [];

  static async start(count: number): Promise<PeerCluster> {
    const cluster = new PeerCluster();
    for (let index = 1; index <= count; index++) {
      const node = new PeerNode(cluster, `n${index}`, `000000000000000${index}`);
      await node.start();
      cluster.nodes.push(node);
    }
    cluster.leader = cluster.node(0);
    return cluster;
  }

  get endpoints(): readonly string[] {
    return this.nodes.map((node) => node.address);
  }

  node(index: number): PeerNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`No node ${index}`);
    return node;
  }

  elect(leader: PeerNode | null): void {
    this.term++;
    this.leader = leader;
    for (const node of this.nodes) node.pushStatus();
  }

  count(method: Method): number {
    return this.received.filter((got) => got.method === method).length;
  }

  /** Resolves when the next request arrives that matches. */
  arrival(method: Method, matches: (got: Received) => boolean = () => true): Promise<void> {
    return new Promise((done) => {
      this.#arrivals.push({ matches: (got) => got.method === method && matches(got), done });
    });
  }

  note(got: Received): void {
    this.received.push(got);
    const arrived = this.#arrivals.filter((arrival) => arrival.matches(got));
    this.#arrivals = this.#arrivals.filter((arrival) => !arrived.includes(arrival));
    for (const { done } of arrived) done();
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

export class PeerNode {
  readonly name: string;
  readonly memberId: string;
  /** What becomes of the next requests of a method, in order; afterwards all is well again. */
  readonly faults = new Map<Method, Fault[]>();
  /** Frames that came while it was paused; null while it runs. */
  #paused: { readonly socket: WebSocket; readonly bytes: Uint8Array }[] | null = null;
  readonly #cluster: PeerCluster;
  readonly #sockets = new Map<WebSocket, Map<number, () => void>>();
  #server: WebSocketServer | null = null;
  #port = 0;

  constructor(cluster: PeerCluster, name: string, memberId: string) {
    this.#cluster = cluster;
    this.name = name;
    this.memberId = memberId;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  start(): Promise<void> {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: this.#port,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    });
    this.#server = server;
    server.on('connection', (socket) => {
      this.#sockets.set(socket, new Map());
      socket.on('message', (bytes) => this.#receive(socket, bytes as Buffer));
      socket.on('error', () => socket.terminate());
      socket.on('close', () => {
        for (const end of this.#sockets.get(socket)?.values() ?? []) end();
        this.#sockets.delete(socket);
      });
      this.#send(socket, 0, itemKinds.item, this.#status());
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => {
        this.#port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  /** Closes the port and all sockets, like a process that dies. */
  stop(): Promise<void> {
    this.hangUp();
    const server = this.#server;
    this.#server = null;
    if (server === null) return Promise.resolve();
    return new Promise((resolve) => server.close(() => resolve()));
  }

  /** Closes all sockets but goes on listening. */
  hangUp(): void {
    for (const socket of this.#sockets.keys()) socket.terminate();
  }

  /** Ends all streams with an error. */
  endStreams(error: RollcallError): void {
    for (const [socket, streams] of this.#sockets) {
      for (const [id, end] of streams) {
        end();
        this.#send(socket, id, itemKinds.error, errorBody(error));
      }
      streams.clear();
    }
  }

  /** Says nothing and does nothing, as a stopped process. What arrives is seen, and waits. */
  pause(): void {
    this.#paused ??= [];
  }

  resume(): void {
    const waiting = this.#paused ?? [];
    this.#paused = null;
    for (const { socket, bytes } of waiting) this.#serveAll(socket, decodeRequests(bytes));
  }

  pushStatus(): void {
    for (const socket of this.#sockets.keys()) {
      this.#send(socket, 0, itemKinds.item, this.#status());
    }
  }

  fail(method: Method, ...faults: readonly Fault[]): void {
    this.faults.set(method, [...(this.faults.get(method) ?? []), ...faults]);
  }

  #status(): NodeStatus {
    const { clusterId, leader, term, incarnation, store } = this.#cluster;
    return {
      clusterId,
      incarnation,
      memberId: this.memberId,
      name: this.name,
      role: leader === this ? 'leader' : 'follower',
      standing: 'voter',
      troubles: [],
      term,
      leaderId: leader?.memberId ?? null,
      leaderName: leader?.name ?? null,
      leaderAddress: leader?.address ?? null,
      members: leader === null ? [] : [{ id: leader.memberId, clientAddress: leader.address }],
      featureLevel: 2,
      featureLevelMax: 2,
      commitIndex: store.revision,
      appliedIndex: store.revision,
      revision: store.revision,
      ...{ compactRevision: 0, removedRevision: 0, storedBytes: 0, quotaBytes: 0 },
      ...{ historyAgeMs: 0, historyRevisions: 0 },
      digest: '0000000000000000',
      version: '0.1.0',
    };
  }

  #send(socket: WebSocket, id: number, kind: ItemKind, body: unknown): void {
    if (this.#paused !== null || socket.readyState !== socket.OPEN) return;
    const { clusterId, incarnation, term } = this.#cluster;
    const header = encodeHeader({
      clusterId,
      incarnation,
      memberId: this.memberId,
      term,
    });
    socket.send(joinServerFrame(header, [encodeItem(id, kind, body)]));
  }

  #receive(socket: WebSocket, bytes: Uint8Array): void {
    const requests = decodeRequests(bytes);
    this.#paused?.push({ socket, bytes });
    if (this.#paused === null) this.#serveAll(socket, requests);
    for (const request of requests) {
      const params = request.params as Params;
      const frameSize = requests.length;
      const { method, session } = request;
      this.#cluster.note({ node: this.name, method, params, session, frameSize });
    }
  }

  #serveAll(socket: WebSocket, requests: readonly WireRequest[]): void {
    for (const request of requests) {
      const fault = this.faults.get(request.method as Method)?.shift();
      if (fault === 'ignore') continue;
      if (fault instanceof RollcallError) {
        this.#send(socket, request.id, itemKinds.error, errorBody(fault));
        continue;
      }
      this.#serve(socket, request, fault === undefined);
      if (fault === 'drop') socket.terminate();
    }
  }

  #serve(socket: WebSocket, request: WireRequest, answer: boolean): void {
    try {
      const method = request.method as Method;
      const schema = methods[method];
      if (schema === undefined) throw new RollcallError('unknownMethod', `No method ${method}`);
      const parameters = schema(request.params, '');
      if (this.#cluster.leader !== this && !anywhere.has(method)) {
        const serializable = (parameters as { serializable?: boolean }).serializable ?? false;
        if (!serializable) throw new RollcallError('notLeader', `${this.name} does not lead`);
      }
      const body = this.#once(request.session, () =>
        this.#perform(socket, request.id, method, parameters),
      );
      if (body !== null && answer) this.#send(socket, request.id, itemKinds.result, body);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#send(socket, request.id, itemKinds.error, errorBody(error));
    }
  }

  /** The first result of a write, however often it comes. */
  #once(header: WireSession | null, run: () => object | null): object | null {
    if (header === null) return run();
    const results = this.#cluster.sessions?.get(header.sessionId);
    if (results === undefined)
      throw new RollcallError('sessionExpired', 'There is no such session');
    const body = results.get(header.sequence) ?? run();
    if (body !== null) results.set(header.sequence, body);
    return body;
  }

  /** Null for what is no method of sessions, or where there are none. */
  #session(method: Method, parameters: unknown): object | null {
    const { sessions, store } = this.#cluster;
    if (sessions === null) return null;
    const { revision } = store;
    if (method === 'sessionOpen') {
      const sessionId = `5e55000000000${100 + sessions.size}`;
      sessions.set(sessionId, new Map());
      return { revision, sessionId, ttlMs: 60_000 };
    }
    if (method !== 'sessionRenew' && method !== 'sessionClose') return null;
    const { sessionId } = parameters as Parameters<'sessionClose'>;
    if (method === 'sessionClose') sessions.delete(sessionId);
    else if (!sessions.has(sessionId)) throw new RollcallError('sessionExpired', 'It is gone');
    return { revision };
  }

  #perform(socket: WebSocket, id: number, method: Method, parameters: unknown): object | null {
    switch (method) {
      case 'status':
        return this.#status();
      case 'watch':
        this.#watch(socket, id, parameters as Parameters<'watch'>);
        return null;
      case 'watchService':
        this.#watchService(socket, id, parameters as Parameters<'watchService'>);
        return null;
      case 'watchProgress':
        this.bookmark();
        return { revision: this.#cluster.store.revision };
      case 'cancel':
        this.#cancel(socket, (parameters as Parameters<'cancel'>).id);
        return { revision: this.#cluster.store.revision };
      default: {
        const session = this.#session(method, parameters);
        if (session !== null) return session;
        const result = perform(this.#cluster.store, method, parameters);
        return { revision: this.#cluster.store.revision, ...result };
      }
    }
  }

  /** Says to all watches of this node that they were told everything. */
  bookmark(revision = this.#cluster.store.revision): void {
    this.tellStreams({ type: 'progress', revision });
  }

  /** Says the same to every stream of this node. */
  tellStreams(item: object): void {
    for (const [socket, streams] of this.#sockets) {
      for (const id of streams.keys()) this.#send(socket, id, itemKinds.item, item);
    }
  }

  #cancel(socket: WebSocket, id: number): void {
    const streams = this.#sockets.get(socket);
    if (streams?.get(id) === undefined) return;
    streams.get(id)?.();
    streams.delete(id);
    const error = new RollcallError('cancelled', 'The client cancelled it');
    this.#send(socket, id, itemKinds.error, errorBody(error));
  }

  #watch(socket: WebSocket, id: number, parameters: Parameters<'watch'>): void {
    const store = this.#cluster.store;
    const { startRevision } = parameters;
    if (startRevision > 0 && startRevision < store.compacted) {
      throw new RollcallError('compacted', `Compacted up to ${store.compacted}`);
    }
    this.#send(socket, id, itemKinds.item, { type: 'created', revision: store.revision });
    const send = (batch: KeyBatch | InstanceBatch): void => {
      if ('service' in batch || batch.revision < startRevision) return;
      const events = batch.events
        .filter(({ pair }) => within(parameters, pair.key))
        .filter(({ type }) => !(type === 'put' ? parameters.noPut : parameters.noDelete))
        .map((event) => ({ ...event, previous: parameters.previous ? event.previous : null }));
      if (events.length === 0) return;
      this.#send(socket, id, itemKinds.item, { type: 'events', revision: batch.revision, events });
    };
    if (startRevision > 0) for (const batch of store.keyBatches) send(batch);
    this.#sockets.get(socket)?.set(id, store.onBatch(send));
  }

  #watchService(socket: WebSocket, id: number, parameters: Parameters<'watchService'>): void {
    const store = this.#cluster.store;
    const instances = [...(store.services.get(parameters.service)?.values() ?? [])];
    const view = { type: 'view', revision: store.revision, instances };
    this.#send(socket, id, itemKinds.item, view);
    const send = (batch: KeyBatch | InstanceBatch): void => {
      if (!('service' in batch) || batch.service !== parameters.service) return;
      const { revision, events } = batch;
      this.#send(socket, id, itemKinds.item, { type: 'changes', revision, events });
    };
    this.#sockets.get(socket)?.set(id, store.onBatch(send));
  }
}

function perform(store: Store, method: Method, given: unknown): object {
  switch (method) {
    case 'put':
      return store.put(given as Parameters<'put'>);
    case 'delete':
      return store.delete(given as Parameters<'delete'>);
    case 'range':
      return store.range(given as Parameters<'range'>);
    case 'txn':
      return store.txn(given as Parameters<'txn'>);
    case 'leaseGrant': {
      const { leaseId, ttlMs } = given as Parameters<'leaseGrant'>;
      return { leaseId: store.grant(leaseId, ttlMs), ttlMs };
    }
    case 'leaseRevoke':
      store.revoke((given as Parameters<'leaseRevoke'>).leaseId);
      return {};
    case 'leaseKeepAlive': {
      const { leaseIds } = given as Parameters<'leaseKeepAlive'>;
      return {
        ttlsMs: leaseIds.map((id) => store.leases.get(id) ?? 0),
        instances: leaseIds.map((id) => store.instancesOf(id)),
      };
    }
    case 'leaseTimeToLive':
      return timeToLive(store, given as Parameters<'leaseTimeToLive'>);
    case 'leaseList': {
      const leases = [...store.leases].map(([leaseId, ttlMs]) => ({
        leaseId,
        ttlMs,
        remainingMs: ttlMs,
      }));
      return { leases, more: false };
    }
    case 'register':
      return { created: store.register(given as Parameters<'register'>) };
    case 'deregister': {
      const { service, id, leaseId } = given as Parameters<'deregister'>;
      store.deregister(service, id, leaseId);
      return {};
    }
    case 'discover': {
      const { service } = given as Parameters<'discover'>;
      return { instances: [...(store.services.get(service)?.values() ?? [])] };
    }
    case 'services': {
      const services = [...store.services].map(([service, instances]) => ({
        service,
        instances: instances.size,
      }));
      return { services };
    }
    default:
      throw new RollcallError('unknownMethod', `No method ${method}`);
  }
}

function timeToLive(store: Store, { leaseId, keys }: Parameters<'leaseTimeToLive'>): object {
  const ttlMs = store.leases.get(leaseId);
  if (ttlMs === undefined)
    throw new RollcallError('leaseNotFound', `Lease ${leaseId} does not exist`);
  const attached = [...store.pairsAt(store.revision).values()]
    .filter((pair) => pair.leaseId === leaseId)
    .map((pair) => pair.key);
  return { grantedTtlMs: ttlMs, remainingMs: ttlMs, keys: keys ? attached : [], more: false };
}
