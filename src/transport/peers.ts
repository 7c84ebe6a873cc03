/**
 * The sockets between the members. Every node listens on its peer port and dials every other member
 * with one connection per lane; raft messages go from the one that dialed to the one that accepted.
 * No message flows before both have said who they are (see hello.ts).
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { formatAddress, parseAddress } from '../base/address.ts';
import type { Clock, Timer } from '../base/clock.ts';
import type { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { type Random, randomId } from '../base/prng.ts';
import type { Birth } from '../format/identity.ts';
import type { Configuration, EntryId, Index, PeerMessage } from '../format/types.ts';
import { Complaints } from './complaints.ts';
import type { Hello, PeerSelf } from './hello.ts';
import { closeServer, createGuardedServer, listen, refuseUpgrade } from './http-guard.ts';
import { IncomingConnection } from './incoming-connection.ts';
import { laneOf } from './lanes.ts';
import { Link } from './link.ts';
import type { OutgoingLane, Target } from './outgoing-lane.ts';
import { defaultTiming, type PeerContext, type PeerTiming } from './peer-context.ts';
import { PeerDirectory } from './peer-directory.ts';
import { peerSubprotocol } from './peer-frame.ts';

export interface PeerHooks {
  /** The set of `greeted()` members changed. */
  readonly onHandshake: (hello: Hello) => void;
  /** A member of a cluster says that this unborn one belongs to it. May come more than once. */
  readonly onBirth: (birth: Birth, from: Hello) => void;
  /** This node's disk is surely older than what the node has acknowledged to `by`, up to this entry. */
  readonly onLost: (said: EntryId, by: string) => void;
  /** The cluster's feature level is higher than this node knows: it cannot take part. */
  readonly onOutdated: (refusal: RollcallError) => void;
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

/** What a node says of itself in its handshake. */
export interface Greeting {
  readonly id: string;
  readonly name: string;
  readonly peerAddress: string;
  readonly clientAddress: string;
  readonly featureLevel: number;
}

interface PeerHandlers {
  readonly message: (message: PeerMessage) => void;
  readonly unreachable: (peer: string) => void;
  /** The peer's process has ended: it closed its control connection and refuses a new one. */
  readonly gone: (peer: string) => void;
  /** A node that is not born asks to be taken in; repeated every `keepAliveMs` while it does. */
  readonly knock: (applicant: Greeting) => void;
  /** What a member of the configuration says of itself; again after every handshake. This node is one. */
  readonly greeted: (member: Greeting) => void;
  /** The cluster goes on without this node, surely: ids never come back. May come more than once. */
  readonly removed: (configurationIndex: Index) => void;
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
  #directory: PeerDirectory;
  #links: readonly Link[] = [];
  #linkOf = new Map<string, Link>();
  readonly #dirty = new Set<OutgoingLane>();
  #handlers: PeerHandlers | null = null;
  #keepAlive: Timer | null = null;
  #address = '';
  #closing: Promise<void> | null = null;

  constructor(options: PeersOptions) {
    this.#directory = new PeerDirectory(options.self);
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
    this.#findOwnAddress();
    this.#dialAll();
    this.#scheduleKeepAlive();
  }

  /** What this node says of itself, and what members have said before, is told at the end of the turn. */
  attach(handlers: PeerHandlers): void {
    this.#handlers = handlers;
    this.#context.clock.soon(() => {
      handlers.greeted(greetingOf(this.#directory.hello('control', null)));
      for (const hello of this.#directory.greetings) handlers.greeted(greetingOf(hello));
    });
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

  /** This node as its peers see it. */
  get self(): PeerSelf {
    return this.#directory.self;
  }

  /** Everybody who was a member at this node's birth or is one now. */
  get names(): ReadonlySet<string> {
    return this.#directory.names;
  }

  /** From now on this node belongs to a cluster: every connection is made anew and says so. */
  born(birth: Birth): void {
    this.#directory.born(birth);
    this.#beginAnew();
  }

  /**
   * The member is open: this is the newest term and the last entry's index that its disk holds, and
   * whoever remembers more of this member refuses it. Before, no messages flow.
   */
  opened(log: EntryId): void {
    this.#directory.opened({ ...log, life: randomId(this.#context.random) });
    this.#beginAnew();
  }

  /** From now on this node is another member, at the same address. */
  become(self: PeerSelf): void {
    this.#directory = new PeerDirectory(self);
    this.#handlers = null;
    this.#findOwnAddress();
    this.#beginAnew();
  }

  /**
   * The newest **committed** configuration, with its log index or a later one at which it is still in
   * force: whoever left is told so and hung up on, whoever is new is dialed and, if it waits for that,
   * born. An older one than the one that is known does nothing.
   */
  setConfiguration(configuration: Configuration, index: Index): void {
    const before = new Set(this.#directory.greetings);
    if (!this.#directory.maybeSetConfiguration(configuration, index)) return;
    if (this.#closing !== null) return;
    for (const connection of this.#incoming) connection.review();
    this.#dialAll();
    for (const hello of this.#directory.greetings) {
      if (!before.has(hello)) this.#handlers?.greeted(greetingOf(hello));
    }
  }

  /** The cluster is at this level: members that know less are refused from now on. */
  setFeatureLevel(level: number): void {
    if (!this.#directory.maybeSetFeatureLevel(level) || this.#closing !== null) return;
    for (const connection of this.#incoming) connection.review();
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

  #findOwnAddress(): void {
    const { peerAddress } = this.#directory.self;
    if (parseAddress(peerAddress).port === 0) this.#directory.moved(this.#address);
  }

  /** Every connection is made anew, with what this node says of itself now. */
  #beginAnew(): void {
    if (this.#closing !== null) return;
    this.#hangUp();
    this.#dialAll();
  }

  #hangUp(): void {
    for (const link of this.#links) link.close();
    for (const connection of this.#incoming) connection.close();
    this.#links = [];
    this.#linkOf.clear();
    this.#dirty.clear();
  }

  /** Keeps the links to those who are still peers. */
  #dialAll(): void {
    const isBorn = this.#directory.self.birth !== null;
    const old = new Set(this.#links);
    const kept: (readonly [Link, Target])[] = [];
    this.#links = this.#directory.targets().map((target) => {
      const link = this.#links.find((one) => one.leadsTo(target));
      if (link === undefined) {
        return new Link(this.#context, target, isBorn, (hello) => this.#answered(hello));
      }
      old.delete(link);
      kept.push([link, target]);
      return link;
    });
    this.#linkOf = new Map(
      this.#links.flatMap((link) => (link.memberId === null ? [] : [[link.memberId, link]])),
    );
    for (const link of old) link.close();
    for (const [link, target] of kept) link.retarget(target);
  }

  #answered(hello: Hello): void {
    if (hello.clusterId !== null) this.#meet(hello);
    this.#hooks.onHandshake(hello);
  }

  /** A member of a cluster, of this node's own if it has one, has shaken hands on its control lane. */
  #meet(hello: Hello): void {
    this.#directory.meet(hello);
    this.#dialAll();
    if (this.#directory.isMember(hello.memberId)) this.#handlers?.greeted(greetingOf(hello));
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
      this.#shaken(connection, hello),
    );
    this.#incoming.add(connection);
    socket.on('close', () => {
      this.#incoming.delete(connection);
      this.#parted(connection);
    });
  }

  #shaken(connection: IncomingConnection, hello: Hello): void {
    // A member has one connection per lane: a new one means that it has given up the old one.
    for (const other of this.#incoming) {
      if (other !== connection && isSameLane(other.hello, hello)) other.close();
    }
    if (!connection.isOpen || hello.lane !== 'control') return;
    this.#meet(hello);
    this.#linkOf.get(hello.memberId)?.wake();
  }

  #parted({ hello }: IncomingConnection): void {
    if (this.#closing !== null || hello?.lane !== 'control') return;
    if ([...this.#incoming].some((other) => isSameLane(other.hello, hello))) return;
    this.#directory.part(hello.memberId);
    this.#dialAll();
  }

  #hint(): string {
    const { name, clientAddress } = this.#directory.self;
    return (
      `This is the peer port of "${name}" and speaks ${peerSubprotocol}; ` +
      `clients connect to ${clientAddress}`
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
      hello: (lane, to) => this.#directory.hello(lane, to),
      judge: (hello) => this.#directory.judge(hello),
      deliver: (messages) => {
        for (const message of messages) {
          this.#directory.heard(message);
          this.#handlers?.message(message);
        }
      },
      unreachable: (memberId) => {
        if (this.#closing === null) this.#handlers?.unreachable(memberId);
      },
      gone: (memberId) => this.#handlers?.gone(memberId),
      knock: (hello) => {
        const { memberId, name, peerAddress } = hello;
        const reason = `"${name}" at ${peerAddress} asks to be taken in`;
        if (this.#complaints.isNews(`knock ${memberId}`, reason)) log.info({ memberId }, reason);
        this.#handlers?.knock(greetingOf(hello));
      },
      removed: (configurationIndex) => this.#handlers?.removed(configurationIndex),
      lost: (said, by) => {
        if (this.#directory.hasLost(said)) this.#hooks.onLost(said, by);
      },
      outdated: (refusal, levelNeeded) => {
        if (this.#directory.isOutdated(levelNeeded)) this.#hooks.onOutdated(refusal);
      },
      birth: (birth, from) => this.#hooks.onBirth(birth, from),
      complain: (key, fields, reason) => {
        if (this.#closing === null && this.#complaints.isNews(key, reason))
          log.warn(fields, reason);
      },
      content: (key, what) => {
        if (this.#complaints.forget(key)) log.info({}, `${what} is well again`);
      },
    };
  }
}

function isSameLane(one: Hello | null, other: Hello): boolean {
  return one?.memberId === other.memberId && one.lane === other.lane;
}

function greetingOf(hello: Hello): Greeting {
  const { memberId: id, name, peerAddress, clientAddress, featureLevel } = hello;
  return { id, name, peerAddress, clientAddress, featureLevel };
}
