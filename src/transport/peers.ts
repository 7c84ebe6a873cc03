/**
 * The sockets between the members. Every node listens on its peer port and dials every other member
 * with one connection per lane; raft messages go from the one that dialed to the one that accepted.
 * No message flows before both have said who they are (see hello.ts).
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { formatAddress } from '../base/address.ts';
import type { Clock, Timer } from '../base/clock.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/prng.ts';
import type { Birth } from '../format/identity.ts';
import type { Member, PeerMessage } from '../format/types.ts';
import { Complaints } from './complaints.ts';
import { type Hello, helloOf, judge, type PeerSelf } from './hello.ts';
import { closeServer, createGuardedServer, listen, refuseUpgrade } from './http-guard.ts';
import { IncomingConnection } from './incoming-connection.ts';
import { type Lane, laneOf, lanes } from './lanes.ts';
import { OutgoingLane, type Target } from './outgoing-lane.ts';
import { defaultTiming, type PeerContext, type PeerTiming } from './peer-context.ts';
import { peerSubprotocol } from './peer-frame.ts';

export interface PeerHooks {
  /** The set of `greeted()` members changed. */
  readonly onHandshake: (hello: Hello) => void;
  /** A member of a cluster says that this unborn one belongs to it. May come more than once. */
  readonly onBirth: (birth: Birth, from: Hello) => void;
}

export interface PeersOptions {
  /** `host:port`; port 0 lets the system choose. */
  readonly listen: string;
  readonly self: PeerSelf;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly hooks: PeerHooks;
  readonly timing?: Partial<PeerTiming>;
}

interface PeerHandlers {
  readonly message: (message: PeerMessage) => void;
  readonly unreachable: (peer: string) => void;
}

/** Resolves once the port is open; throws `addressInUse`. */
export async function openPeers(options: PeersOptions): Promise<Peers> {
  const peers = new Peers(options);
  await peers.open(options.listen);
  return peers;
}

export class Peers {
  readonly #server: Server;
  readonly #sockets: WebSocketServer;
  readonly #context: PeerContext;
  readonly #hooks: PeerHooks;
  readonly #complaints = new Complaints();
  readonly #incoming = new Set<IncomingConnection>();
  #self: PeerSelf;
  #members: readonly Member[];
  #links: readonly Link[] = [];
  #linkOf = new Map<string, Link>();
  readonly #dirty = new Set<OutgoingLane>();
  #handlers: PeerHandlers | null = null;
  #keepAlive: Timer | null = null;
  #address = '';
  #closing: Promise<void> | null = null;

  constructor(options: PeersOptions) {
    this.#self = options.self;
    this.#members = options.self.birth?.configuration.members ?? [];
    this.#hooks = options.hooks;
    this.#context = this.#createContext(options);
    const { handshakeTimeoutMs } = this.#context.timing;
    this.#server = createGuardedServer(
      {
        connectionsMax: 1000,
        pendingMax: 500,
        headersTimeoutMs: handshakeTimeoutMs,
        requestTimeoutMs: handshakeTimeoutMs,
      },
      {
        request: (_request, response) => {
          response.writeHead(400, { 'content-type': 'text/plain', connection: 'close' });
          response.end(`${this.#hint()}\n`);
        },
        upgrade: (request, socket, head) => this.#upgrade(request, socket, head),
      },
    );
    this.#sockets = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.peerFrameBytesMax,
      maxFragments: 64,
    });
  }

  /** Where this node listens, with the port that it really got. */
  get address(): string {
    return this.#address;
  }

  async open(address: string): Promise<void> {
    this.#address = formatAddress(await listen(this.#server, address));
    this.#dialAll();
    this.#scheduleKeepAlive();
  }

  attach(handlers: PeerHandlers): void {
    this.#handlers = handlers;
  }

  /** Queued until `flush`; dropped when the member cannot be reached now. */
  send(message: PeerMessage): void {
    const lane = this.#linkOf.get(message.to)?.lanes[laneOf(message.type)];
    if (!lane?.isOpen) return;
    lane.send(message);
    this.#dirty.add(lane);
  }

  flush(): void {
    for (const lane of this.#dirty) lane.flush();
    this.#dirty.clear();
  }

  /** The members that have answered this node's handshake and are connected now. */
  greeted(): readonly Hello[] {
    return this.#links.flatMap(({ hello }) => (hello === null ? [] : [hello]));
  }

  /** From now on this node belongs to a cluster: every connection is made anew and says so. */
  born(birth: Birth): void {
    this.#self = { ...this.#self, birth };
    this.#members = birth.configuration.members;
    if (this.#closing !== null) return;
    this.#hangUp();
    this.#dialAll();
  }

  /** The members of the newest configuration: whoever left is hung up on, whoever is new is dialed. */
  setMembers(members: readonly Member[]): void {
    this.#members = members;
    if (this.#closing !== null) return;
    for (const connection of this.#incoming) {
      const { hello } = connection;
      if (hello !== null && members.every(({ id }) => id !== hello.memberId)) connection.close();
    }
    this.#dialAll();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#keepAlive?.cancel();
    this.#hangUp();
    await closeServer(this.#server);
  }

  #hangUp(): void {
    for (const link of this.#links) link.close();
    for (const connection of this.#incoming) connection.close();
    this.#links = [];
    this.#linkOf.clear();
    this.#dirty.clear();
  }

  /** Keeps the links whose target is still the same. */
  #dialAll(): void {
    const isBorn = this.#self.birth !== null;
    const old = new Set(this.#links);
    this.#links = this.#targets().map((target) => {
      const kept = this.#links.find((link) => link.leadsTo(target));
      if (kept !== undefined) old.delete(kept);
      return (
        kept ?? new Link(this.#context, target, isBorn, (hello) => this.#hooks.onHandshake(hello))
      );
    });
    for (const link of old) link.close();
    this.#linkOf = new Map(
      this.#links.flatMap((link) => (link.memberId === null ? [] : [[link.memberId, link]])),
    );
  }

  #targets(): readonly Target[] {
    if (this.#self.birth === null) {
      return this.#self.initialCluster
        .filter(({ name }) => name !== this.#self.name)
        .map(({ name, peerAddress }) => ({ memberId: null, name, peerAddress }));
    }
    return this.#members
      .filter(({ id }) => id !== this.#self.memberId)
      .map(({ id, name, peerAddress }) => ({ memberId: id, name, peerAddress }));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const offered = request.headers['sec-websocket-protocol'];
    if (request.headers.origin !== undefined) {
      refuseUpgrade(socket, 403, 'Browsers are no peers');
    } else if (offered !== peerSubprotocol) {
      refuseUpgrade(socket, 400, this.#hint());
    } else {
      this.#sockets.handleUpgrade(request, socket, head, (accepted) => {
        this.#accept(accepted, `${request.socket.remoteAddress}:${request.socket.remotePort}`);
      });
    }
  }

  #accept(socket: WebSocket, remote: string): void {
    const connection = new IncomingConnection(this.#context, socket, remote, (hello) =>
      this.#replace(connection, hello),
    );
    this.#incoming.add(connection);
    socket.on('close', () => this.#incoming.delete(connection));
  }

  /** A member has one connection per lane: a new one means that it has given up the old one. */
  #replace(connection: IncomingConnection, hello: Hello): void {
    for (const other of this.#incoming) {
      if (other === connection) continue;
      if (other.hello?.memberId === hello.memberId && other.hello.lane === hello.lane)
        other.close();
    }
  }

  #hint(): string {
    return (
      `This is the peer port of "${this.#self.name}" and speaks ${peerSubprotocol}; ` +
      `clients connect to ${this.#self.clientAddress}`
    );
  }

  #scheduleKeepAlive(): void {
    const { clock, timing } = this.#context;
    this.#keepAlive = clock.after(timing.keepAliveMs, () => {
      for (const link of this.#links) link.keepAlive();
      for (const connection of this.#incoming) connection.keepAlive();
      this.#scheduleKeepAlive();
    });
  }

  #createContext({ clock, random, log, timing }: PeersOptions): PeerContext {
    return {
      clock,
      random,
      log,
      timing: { ...defaultTiming, ...timing },
      hello: (lane) => helloOf(this.#self, lane),
      judge: (hello) => judge(this.#self, this.#members, hello),
      deliver: (messages) => {
        for (const message of messages) this.#handlers?.message(message);
      },
      unreachable: (memberId) => {
        if (this.#closing === null) this.#handlers?.unreachable(memberId);
      },
      birth: (birth, from) => this.#hooks.onBirth(birth, from),
      complain: (key, fields, reason) => {
        if (this.#closing === null && this.#complaints.isNews(key, reason))
          log.warn(fields, reason);
      },
      content: (key) => {
        if (this.#complaints.forget(key)) log.info({}, `Connection ${key} is well again`);
      },
    };
  }
}

/** The lanes to one member. Before birth only the control lane is there, for the handshake. */
class Link {
  readonly #target: Target;
  readonly lanes: Readonly<Partial<Record<Lane, OutgoingLane>>>;
  /** Who answered on the control lane, while it is connected. */
  hello: Hello | null = null;

  constructor(
    context: PeerContext,
    target: Target,
    isBorn: boolean,
    greeted: (hello: Hello) => void,
  ) {
    this.#target = target;
    const open = (lane: Lane): OutgoingLane =>
      new OutgoingLane(context, target, lane, (hello) => {
        if (lane !== 'control') return;
        this.hello = hello;
        if (hello !== null) greeted(hello);
      });
    const needed = isBorn ? lanes : lanes.filter((lane) => lane === 'control');
    this.lanes = Object.fromEntries(needed.map((lane) => [lane, open(lane)]));
  }

  get memberId(): string | null {
    return this.#target.memberId;
  }

  leadsTo({ memberId, name, peerAddress }: Target): boolean {
    const own = this.#target;
    return own.memberId === memberId && own.name === name && own.peerAddress === peerAddress;
  }

  keepAlive(): void {
    for (const lane of Object.values(this.lanes)) lane.keepAlive();
  }

  close(): void {
    for (const lane of Object.values(this.lanes)) lane.close();
  }
}
