/**
 * The peer port of one process: the counterpart of `src/transport/peers.ts` on simulated links. Who the
 * peers are, who is let in, refused, taken for a guest, handed a birth or told that it was removed is
 * decided by the shipped `PeerDirectory`.
 */

import type { RollcallError } from '../../src/base/errors.ts';
import { type Random, randomId } from '../../src/base/prng.ts';
import type { Birth } from '../../src/format/identity.ts';
import { decodeMessages } from '../../src/format/message.ts';
import type { Configuration, EntryId, Index, NodeId, PeerMessage } from '../../src/format/types.ts';
import type { Applicant, PeerTransport } from '../../src/node/types.ts';
import {
  type Hello,
  lossOf,
  type PeerSelf,
  removalIndexOf,
  type Verdict,
} from '../../src/transport/hello.ts';
import { PeerDirectory } from '../../src/transport/peer-directory.ts';
import { type Answer, type Far, Link, type Near } from './link.ts';
import type { Party } from './network.ts';
import type { NodeClock } from './node-clock.ts';

type Handlers = Parameters<PeerTransport['attach']>[0];

/** What the process behind the port does about its birth, and what a run wants to know. */
export interface PortHooks {
  readonly onHandshake: () => void;
  readonly onBirth: (birth: Birth) => void;
  readonly onLost: (said: EntryId, by: string) => void;
  /** The member has been told that the cluster goes on without it. */
  readonly onRemoved: () => void;
  readonly onGuest: () => void;
  /** The member says that this configuration is committed. */
  readonly onConfiguration: (configuration: Configuration, index: Index) => void;
  /** The member says that the cluster is at this level. */
  readonly onFeatureLevel: (level: number) => void;
  /** Before a turn's messages leave. */
  readonly onFlush: () => void;
}

/** How a port reaches the others. */
export interface Wires {
  dial(from: Port, address: string, link: Link, hello: Hello): void;
  tell(from: Port, to: Far, action: () => void): void;
  send(from: Port, link: Link | null, message: PeerMessage): void;
  /** Whether a process can hear another one now. */
  hears(at: Port, from: Far): boolean;
}

export interface PortOptions {
  /** The machine. */
  readonly party: Party;
  readonly self: PeerSelf;
  readonly clock: NodeClock;
  readonly random: Random;
  readonly hooks: PortHooks;
  readonly wires: Wires;
}

/** A connection that another node has dialed. */
interface Incoming {
  readonly link: Link;
  readonly from: Far;
  readonly hello: Hello;
  verdict: Exclude<Verdict['type'], 'refuse'>;
  silences: number;
}

const keepAliveMs = 1000;
const silencesMax = 3;

export class Port implements PeerTransport, Near, Far {
  readonly party: Party;
  readonly clock: NodeClock;
  readonly random: Random;
  readonly #options: PortOptions;
  #directory: PeerDirectory;
  readonly #incoming = new Map<NodeId, Incoming>();
  readonly #queue: PeerMessage[] = [];
  #links: readonly Link[] = [];
  #handlers: Handlers | null = null;

  constructor(options: PortOptions) {
    const { party, self, clock, random } = options;
    this.party = party;
    this.clock = clock;
    this.random = random;
    this.#options = options;
    this.#directory = new PeerDirectory(self);
  }

  /** Begins to dial. */
  open(): void {
    this.#dialAll();
    this.#scheduleKeepAlive();
  }

  get self(): PeerSelf {
    return this.#directory.self;
  }

  /** The nodes that have answered and are connected now. */
  greeted(): readonly Hello[] {
    return this.#links.flatMap(({ hello }) => (hello === null ? [] : [hello]));
  }

  /** From now on this node belongs to a cluster. */
  born(birth: Birth): void {
    this.#directory.born(birth);
    this.#beginAnew();
  }

  /** From now on this node is another member, at the same address. */
  become(self: PeerSelf): void {
    this.#directory = new PeerDirectory(self);
    this.#handlers = null;
    this.#beginAnew();
  }

  opened(log: EntryId): void {
    this.#directory.opened({ ...log, life: randomId(this.random) });
    this.#beginAnew();
  }

  attach(handlers: Handlers): void {
    this.#handlers = handlers;
    this.clock.soon(() => {
      handlers.greeted(greetingOf(this.hello(null)));
      for (const hello of this.#directory.greetings) handlers.greeted(greetingOf(hello));
    });
  }

  send(message: PeerMessage): void {
    this.#queue.push(message);
  }

  flush(): void {
    if (this.clock.isOver) return;
    this.#options.hooks.onFlush();
    for (const message of this.#queue.splice(0)) {
      const link = this.#links.find(({ memberId }) => memberId === message.to) ?? null;
      this.#options.wires.send(this, link, message);
    }
  }

  setConfiguration(configuration: Configuration, index: Index): void {
    this.#options.hooks.onConfiguration(configuration, index);
    const before = new Set(this.#directory.greetings);
    if (!this.#directory.maybeSetConfiguration(configuration, index)) return;
    for (const incoming of [...this.#incoming.values()]) this.#review(incoming);
    this.#dialAll();
    for (const hello of this.#directory.greetings) {
      if (!before.has(hello)) this.#handlers?.greeted(greetingOf(hello));
    }
  }

  setFeatureLevel(level: number): void {
    if (!this.#directory.maybeSetFeatureLevel(level)) return;
    this.#options.hooks.onFeatureLevel(level);
    for (const incoming of [...this.#incoming.values()]) this.#review(incoming);
  }

  /** Messages of a connection from this member have arrived. False: they are none of this node's. */
  received(from: NodeId, to: NodeId, bytes: Uint8Array): boolean {
    if (to !== this.self.memberId || this.#incoming.get(from)?.verdict !== 'raft') return false;
    for (const message of decodeMessages(bytes)) {
      this.#directory.heard(message);
      this.#handlers?.message(message);
    }
    return true;
  }

  /** The process behind the far side has ended, and its machine says so. */
  ended(far: Far, isRefused: () => boolean): void {
    const link = this.#links.find((one) => one.far === far);
    for (const incoming of [...this.#incoming.values()]) {
      if (incoming.from === far) this.#part(incoming);
    }
    if (link === undefined) return;
    link.lose();
    if (link.memberId !== null && isRefused()) this.#handlers?.gone(link.memberId);
  }

  // What its links ask of the node.

  hello(to: NodeId | null): Hello {
    return this.#directory.hello('control', to);
  }

  judge(hello: Hello): Verdict {
    return this.#directory.judge(hello);
  }

  dial(address: string, link: Link, hello: Hello): void {
    this.#options.wires.dial(this, address, link, hello);
  }

  tell(far: Far, action: () => void): void {
    this.#options.wires.tell(this, far, action);
  }

  answered(hello: Hello): void {
    if (hello.clusterId !== null) this.#meet(hello);
    this.#options.hooks.onHandshake();
  }

  handedBirth(birth: Birth): void {
    this.#options.hooks.onBirth(birth);
  }

  removed(index: Index): void {
    if (this.#handlers !== null) this.#options.hooks.onRemoved();
    this.#handlers?.removed(index);
  }

  lost(said: EntryId, by: string): void {
    if (this.#directory.hasLost(said)) this.#options.hooks.onLost(said, by);
  }

  unreachable(id: NodeId): void {
    this.#handlers?.unreachable(id);
  }

  // What the links of others bring.

  dialed(link: Link, from: Far, hello: Hello): Answer {
    const verdict = this.#directory.judge(hello);
    const answer = { hello: this.hello(null), refusal: null, birth: null };
    if (hello.to !== null && hello.to !== this.self.memberId) return answer;
    if (verdict.type === 'refuse') return { ...answer, refusal: verdict.error };
    // A node has one connection: a new one means that it has given up the old one.
    const before = this.#incoming.get(hello.memberId);
    if (before?.verdict === 'raft') this.unreachable(hello.memberId);
    if (before !== undefined && before.link !== link) {
      this.tell(before.from, () => before.link.hungUp(this));
    }
    const incoming = { link, from, hello, verdict: verdict.type, silences: 0 };
    this.#incoming.set(hello.memberId, incoming);
    if (verdict.type === 'raft') {
      this.#meet(hello);
      this.#links.find(({ memberId }) => memberId === hello.memberId)?.wake();
    }
    this.#knock(incoming);
    return { ...answer, birth: verdict.type === 'handBirth' ? verdict.birth : null };
  }

  holds(link: Link): boolean {
    return this.#find(link) !== null;
  }

  refused(link: Link, error: RollcallError): void {
    const incoming = this.#find(link);
    if (incoming === null) return;
    const index = incoming.verdict === 'raft' ? removalIndexOf(error) : null;
    const lost = lossOf(error);
    this.#part(incoming);
    if (index !== null) this.removed(index);
    if (lost !== null) this.lost(lost, incoming.hello.name);
  }

  handed(link: Link, birth: Birth): void {
    if (this.#find(link)?.verdict === 'greet') this.handedBirth(birth);
  }

  parted(link: Link): void {
    const incoming = this.#find(link);
    if (incoming !== null) this.#part(incoming);
  }

  #find(link: Link): Incoming | null {
    return [...this.#incoming.values()].find((incoming) => incoming.link === link) ?? null;
  }

  #meet(hello: Hello): void {
    const isBorn = this.self.birth !== null && hello.clusterId !== null;
    if (isBorn && !this.#directory.isMember(hello.memberId)) this.#options.hooks.onGuest();
    this.#directory.meet(hello);
    this.#dialAll();
    if (this.#directory.isMember(hello.memberId)) this.#handlers?.greeted(greetingOf(hello));
  }

  #knock({ verdict, hello }: Incoming): void {
    if (verdict === 'knock') this.#handlers?.knock(greetingOf(hello));
  }

  /** The other side is judged anew, because the configuration is another one. */
  #review(incoming: Incoming): void {
    const { link, from, hello, verdict: before } = incoming;
    const verdict = this.#directory.judge(hello);
    if (verdict.type === 'refuse') {
      this.#part(incoming);
      this.tell(from, () => link.refused(this, verdict.error));
      return;
    }
    incoming.verdict = verdict.type;
    if (verdict.type === 'handBirth' && before !== 'handBirth') {
      this.tell(from, () => link.handed(this, verdict.birth));
    }
    if (verdict.type === 'knock') {
      this.#part(incoming);
      this.tell(from, () => link.hungUp(this));
    }
  }

  #part(incoming: Incoming): void {
    const { memberId } = incoming.hello;
    if (this.#incoming.get(memberId) !== incoming) return;
    this.#incoming.delete(memberId);
    if (incoming.verdict === 'raft') this.unreachable(memberId);
    this.#directory.part(memberId);
    this.#dialAll();
  }

  /** Every connection is made anew, with what this node says of itself now. */
  #beginAnew(): void {
    for (const link of this.#links) link.close();
    for (const { link, from } of this.#incoming.values()) this.tell(from, () => link.hungUp(this));
    this.#links = [];
    this.#incoming.clear();
    this.#dialAll();
  }

  /** Keeps the links to those who are still peers. */
  #dialAll(): void {
    const old = new Set(this.#links);
    const kept: (() => void)[] = [];
    this.#links = this.#directory.targets().map((target) => {
      const link = this.#links.find((one) => one.leadsTo(target));
      if (link === undefined) return new Link(this, target);
      old.delete(link);
      kept.push(() => link.retarget(target));
      return link;
    });
    for (const link of old) link.close();
    for (const retarget of kept) retarget();
  }

  #scheduleKeepAlive(): void {
    this.clock.after(keepAliveMs, () => {
      const { wires } = this.#options;
      for (const link of this.#links) link.keepAlive((far) => wires.hears(this, far));
      for (const incoming of [...this.#incoming.values()]) this.#look(incoming);
      this.#scheduleKeepAlive();
    });
  }

  #look(incoming: Incoming): void {
    const isHeard = this.#options.wires.hears(this, incoming.from) && incoming.link.leads(this);
    incoming.silences = isHeard ? 0 : incoming.silences + 1;
    if (incoming.silences > silencesMax) this.#part(incoming);
    else if (isHeard) this.#knock(incoming);
  }
}

function greetingOf(hello: Hello): Applicant {
  const { memberId: id, name, peerAddress, clientAddress, featureLevel } = hello;
  return { id, name, peerAddress, clientAddress, featureLevel };
}
