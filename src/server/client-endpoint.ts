/**
 * The client port: WebSocket connections of `rollcall.v1`, and what a plain HTTP request may ask.
 * It is open before the member is born, and says then for whom the member waits.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { formatAddress } from '../base/address.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { MemberApi } from '../node/types.ts';
import { Complaints } from '../transport/complaints.ts';
import {
  closeServer,
  createGuardedServer,
  listen,
  refuseUpgrade,
} from '../transport/http-guard.ts';
import {
  encodeHeader,
  encodeItem,
  itemKinds,
  joinServerFrame,
  subprotocol,
} from '../wire/frame.ts';
import type { NodeStatus } from '../wire/results.ts';
import { nodeStatusOf } from './answers.ts';
import { ClientConnection } from './client-connection.ts';
import {
  type ConnectionContext,
  defaultBounds,
  type EndpointBounds,
} from './connection-context.ts';
import { type Debug, debugPrefix } from './debug.ts';
import { FlushRounds } from './flush-rounds.ts';
import { refusalOf } from './host-check.ts';
import { answerHttp } from './http-answers.ts';

/** The member behind the endpoint, which may come later than it. */
export interface MemberProvider {
  memberId(): string;
  readonly name: string;
  /** Null before birth, and while damage is repaired. */
  member(): MemberApi | null;
  /** Without a member: for what the node waits, as the end of a sentence. */
  waitsFor(): string;
}

export interface EndpointOptions {
  /** `host:port`; port 0 lets the system choose. */
  readonly listen: string;
  readonly provider: MemberProvider;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the program, for the status. */
  readonly version: string;
  /** Names besides loopback by which clients may call this node. */
  readonly allowedHosts: readonly string[];
  /** What answers below `/debug/`; null when nothing does. */
  readonly debug: Debug | null;
  readonly bounds?: Partial<EndpointBounds>;
}

/** How many connections are served in one go, so that many of them do not hold the loop. */
const sliceLength = 256;

/** Resolves once the port is open; throws `addressInUse`. */
export async function openClientEndpoint(options: EndpointOptions): Promise<ClientEndpoint> {
  const endpoint = new ClientEndpoint(options);
  await endpoint.open(options.listen);
  return endpoint;
}

export class ClientEndpoint {
  readonly #options: EndpointOptions;
  readonly #context: ConnectionContext;
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #hosts: ReadonlySet<string>;
  readonly #connections = new Set<ClientConnection>();
  readonly #complaints = new Complaints();
  #dirty: ClientConnection[] = [];
  readonly #rounds: FlushRounds;
  #unfinishedBytes = 0;
  #header: Uint8Array;
  #status: NodeStatus;
  #timer: Timer | null = null;
  #stopListening: () => void = () => {};
  #isPushDue = false;
  #address = '';
  #closing: Promise<void> | null = null;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#hosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
    const bounds = { ...defaultBounds, ...options.bounds };
    this.#rounds = new FlushRounds(options.clock);
    this.#context = this.#createContext(bounds);
    this.#status = this.#currentStatus();
    this.#header = encodeHeader(this.#status);
    this.#server = createGuardedServer(
      {
        connectionsMax: bounds.connectionsMax,
        pendingMax: bounds.pendingMax,
        headersTimeoutMs: bounds.handshakeTimeoutMs,
        requestTimeoutMs: bounds.requestTimeoutMs,
      },
      {
        request: (request, response) => this.#request(request, response),
        upgrade: (request, socket, head) => this.#upgrade(request, socket, head),
      },
    );
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.clientFrameBytesMax,
      maxFragments: 64,
    });
  }

  /** Where this node listens, with the port that it really got. */
  get address(): string {
    return this.#address;
  }

  async open(address: string): Promise<void> {
    this.#address = formatAddress(await listen(this.#server, address));
    this.memberChanged();
    this.#scheduleTick();
  }

  /** To be called when the provider has another member than before. */
  memberChanged(): void {
    this.#stopListening();
    const member = this.#options.provider.member();
    this.#stopListening = member?.onStatusChange(() => this.#statusChanged()) ?? (() => {});
    this.#statusChanged();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#timer?.cancel();
    this.#stopListening();
    for (const connection of this.#connections) connection.close();
    await closeServer(this.#server);
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const { provider, debug } = this.#options;
    const refusal = refusalOf(request, this.#hosts);
    const state = { member: provider.member(), waitsFor: () => provider.waitsFor() };
    const isDebug = debug !== null && refusal === null && request.url?.startsWith(debugPrefix);
    if (isDebug) void debug.answer(request, response, state);
    else answerHttp(request, response, { ...state, refusal });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = refusalOf(request, this.#hosts);
    const offered = request.headers['sec-websocket-protocol']
      ?.split(',')
      .map((name) => name.trim());
    if (refusal !== null) {
      refuseUpgrade(socket, 403, refusal);
    } else if (request.url !== '/') {
      refuseUpgrade(socket, 404, 'WebSocket connections go to /');
    } else if (!offered?.includes(subprotocol)) {
      refuseUpgrade(socket, 400, `The WebSocket sub-protocol here is ${subprotocol}`);
    } else if (this.#closing !== null) {
      refuseUpgrade(socket, 503, 'The node closes');
    } else {
      // The library agrees to the first protocol offered, which may be another one.
      request.headers['sec-websocket-protocol'] = subprotocol;
      this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
        this.#accept(accepted, socket, request);
      });
    }
  }

  #accept(socket: WebSocket, raw: Duplex, request: IncomingMessage): void {
    const remote = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    const connection = new ClientConnection(this.#context, socket, raw, remote);
    this.#connections.add(connection);
    // Who asks for the status reads the first push, and has perhaps just been told of a newer state.
    this.#refreshStatus();
    connection.push(this.#statusFrame());
  }

  #statusFrame(): Uint8Array {
    const item = encodeItem(0, itemKinds.item, this.#status);
    return joinServerFrame(this.#header, [item]);
  }

  #currentStatus(): NodeStatus {
    const { provider, version } = this.#options;
    const { name } = provider;
    return nodeStatusOf(provider.member(), { memberId: provider.memberId(), name }, version);
  }

  #refreshStatus(): void {
    this.#status = this.#currentStatus();
    this.#header = encodeHeader(this.#status);
  }

  /** Answers of this turn already tell the new term; the push to everybody waits for the turn's end. */
  #statusChanged(): void {
    this.#refreshStatus();
    if (this.#isPushDue) return;
    this.#isPushDue = true;
    this.#context.clock.soon(() => {
      this.#isPushDue = false;
      this.#pushStatus();
    });
  }

  #pushStatus(): void {
    this.#refreshStatus();
    const frame = this.#statusFrame();
    this.#forEachInSlices((connection) => connection.push(frame));
  }

  #scheduleTick(): void {
    const { clock, bounds } = this.#context;
    this.#timer = clock.after(bounds.tickMs, () => {
      // After a pause of the process the sockets may hold what would be missed otherwise.
      clock.soon(() => this.#tick());
      this.#scheduleTick();
    });
  }

  #tick(): void {
    if (this.#closing !== null) return;
    this.#pushStatus();
    this.#forEachInSlices((connection) => connection.tick());
  }

  #forEachInSlices(action: (connection: ClientConnection) => void): void {
    const connections = [...this.#connections];
    const slice = (start: number): void => {
      for (const connection of connections.slice(start, start + sliceLength)) action(connection);
      const next = start + sliceLength;
      if (next < connections.length) this.#context.clock.soon(() => slice(next));
    };
    slice(0);
  }

  #flushSoon(connection: ClientConnection): void {
    this.#dirty.push(connection);
    if (this.#dirty.length > 1) return;
    // At the end of what runs now: a turn of the member, or the frames of one read.
    queueMicrotask(() => {
      const dirty = this.#dirty;
      this.#dirty = [];
      for (const ready of dirty) ready.flush();
    });
  }

  #createContext(bounds: EndpointBounds): ConnectionContext {
    const { clock, log, provider } = this.#options;
    return {
      clock,
      bounds,
      member: () => provider.member(),
      waitsFor: () => provider.waitsFor(),
      header: () => this.#header,
      statusItem: (id) => encodeItem(id, itemKinds.result, this.#currentStatus()),
      flushSoon: (connection) => this.#flushSoon(connection),
      flushStreams: (connection) => this.#rounds.add(connection),
      holds: (changeBytes) => {
        this.#unfinishedBytes += changeBytes;
        return this.#unfinishedBytes <= bounds.unfinishedBytesMax;
      },
      complain: ({ remote }, reason) => {
        const host = String(remote).replace(/:\d+$/, '');
        if (this.#complaints.isNews(host, reason)) log.warn({ remote }, reason);
      },
      closed: (connection) => {
        this.#connections.delete(connection);
        this.#rounds.remove(connection);
      },
    };
  }
}
