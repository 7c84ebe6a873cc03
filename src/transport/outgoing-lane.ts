/**
 * One lane to one member: dials, shakes hands, carries raft messages in that direction only, and
 * dials again whenever the connection is lost.
 *
 *     waiting ──► dialing ──► open      hello exchanged, raft messages flow
 *        ▲           │  └───► greeted   one of the two is not born: nothing flows
 *        └───────────┴────────── lost, refused or silent: back off, then again
 */
import { WebSocket } from 'ws';
import { assert } from '../base/assert.ts';
import type { Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { entryBytes } from '../format/entry.ts';
import { isNodeMessage, nodeMessageBytes } from '../format/node-message.ts';
import type { PeerMessage } from '../format/types.ts';
import { hangUp } from './hang-up.ts';
import { type Hello, levelNeededOf, lossOf, removalIndexOf } from './hello.ts';
import type { Lane } from './lanes.ts';
import type { PeerContext } from './peer-context.ts';
import { decodePeerFrame, encodePeerFrame, type PeerFrame, peerSubprotocol } from './peer-frame.ts';
import { RefusalProbe } from './refusal-probe.ts';

export interface Target {
  /** Null before birth. */
  readonly memberId: string | null;
  /** Null while only the address is known, before birth. */
  readonly name: string | null;
  /** At least one; where the last attempt failed, the next one is made elsewhere. */
  readonly addresses: readonly string[];
}

/** Messages of one turn go out in frames of at most about this size. */
const frameBytesMax = 256 * 1024;
/** What a socket may hold back before the lane drops messages, and where it begins to take them again. */
const backlogBytesMax = { control: 256 * 1024, calls: 1024 * 1024, bulk: 8 * 1024 * 1024 };
const backlogBytesResume = 64 * 1024;

type State = 'waiting' | 'dialing' | 'open' | 'greeted' | 'closed';

export class OutgoingLane {
  readonly #context: PeerContext;
  #target: Target;
  readonly #lane: Lane;
  readonly #greeted: (hello: Hello | null) => void;
  #state: State = 'waiting';
  #socket: WebSocket | null = null;
  /** Who answered, while `open` or `greeted`. */
  #hello: Hello | null = null;
  #timer: Timer | null = null;
  #probe: RefusalProbe | null = null;
  #attempts = 0;
  /** Counts on whenever an attempt failed: whose turn it is among the addresses. */
  #turn = 0;
  /** Where the last attempt went. */
  #address = '';
  #openedMs = 0;
  #heard = false;
  #silences = 0;
  #queue: PeerMessage[] = [];
  /** Invariant: while set, nothing is queued. */
  #congested = false;

  /** `greeted` hears who answered, and null when that connection is gone. */
  constructor(
    context: PeerContext,
    target: Target,
    lane: Lane,
    greeted: (hello: Hello | null) => void,
  ) {
    this.#context = context;
    this.#target = target;
    this.#lane = lane;
    this.#greeted = greeted;
    this.#dial();
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Best effort: what cannot leave is dropped. */
  send(message: PeerMessage): void {
    if (this.#state !== 'open' || this.#socket === null) return;
    if (this.#isCongested(this.#socket)) return;
    this.#queue.push(message);
  }

  flush(): void {
    const socket = this.#socket;
    const queue = this.#queue;
    if (socket === null || queue.length === 0) return;
    this.#queue = [];
    let start = 0;
    let bytes = 0;
    for (let at = 0; at < queue.length; at++) {
      const more = messageBytes(queue[at] as PeerMessage);
      if (at > start && bytes + more > frameBytesMax) {
        this.#write(socket, { type: 'messages', messages: queue.slice(start, at) });
        start = at;
        bytes = 0;
      }
      bytes += more;
    }
    this.#write(socket, {
      type: 'messages',
      messages: start === 0 ? queue : queue.slice(start),
    });
  }

  /** To be called every `keepAliveMs`. */
  keepAlive(): void {
    const socket = this.#socket;
    if (socket === null || this.#hello === null) return;
    this.#silences = this.#heard ? 0 : this.#silences + 1;
    this.#heard = false;
    if (this.#silences >= this.#context.timing.silencesMax) {
      this.#lose(socket, 'it has fallen silent');
    } else {
      socket.ping();
      // Not sooner: who refuses this node says so right after the handshake.
      const { clock, timing } = this.#context;
      const isProven = clock.monotonic() - this.#openedMs >= timing.keepAliveMs;
      if (this.#state === 'open' && isProven)
        this.#context.content(this.#key, `The connection to ${this.#who}`);
    }
  }

  /** A connection to an address that is no longer the target's is made anew. */
  retarget(target: Target): void {
    const added = target.addresses.filter((address) => !this.#target.addresses.includes(address));
    this.#target = target;
    const isKept = target.addresses.includes(this.#address);
    if (this.#state === 'closed' || (isKept && this.#state !== 'waiting')) return;
    if (isKept && added.length === 0) return;
    const wasShaken = this.#hello !== null;
    if (this.#socket !== null) this.#drop(this.#socket, 'its address has changed');
    this.#turn = added[0] === undefined ? 0 : target.addresses.indexOf(added[0]);
    this.#attempts = 0;
    this.#dial();
    this.#tellLoss(wasShaken);
  }

  /** Dials now instead of later. */
  wake(): void {
    if (this.#state !== 'waiting') return;
    this.#attempts = 0;
    this.#dial();
  }

  close(): void {
    this.#state = 'closed';
    this.#timer?.cancel();
    this.#probe?.cancel();
    this.#queue = [];
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }

  #dial(): void {
    this.#state = 'dialing';
    const { clock, timing } = this.#context;
    const { addresses } = this.#target;
    const address = addresses[this.#turn % addresses.length];
    assert(address !== undefined, 'A peer has an address');
    this.#address = address;
    const socket = new WebSocket(`ws://${address}/`, peerSubprotocol, {
      perMessageDeflate: false,
      maxPayload: limits.peerFrameBytesMax,
      maxFragments: 64,
      handshakeTimeout: timing.handshakeTimeoutMs,
      // Masking protects proxies from browsers; between members it would only cost a copy.
      generateMask: (mask) => mask.fill(0),
    });
    this.#socket = socket;
    let reason = 'it closed the connection';
    socket.on('open', () => {
      const hello = this.#context.hello(this.#lane, this.#target.memberId);
      this.#write(socket, { type: 'hello', hello });
    });
    socket.on('message', (bytes: Buffer) => this.#receive(socket, bytes));
    socket.on('ping', () => this.#hear());
    socket.on('pong', () => this.#hear());
    socket.on('error', (error) => {
      reason = error.message || (error as NodeJS.ErrnoException).code || reason;
    });
    socket.on('close', () => {
      const wasOpen = socket === this.#socket && this.#state === 'open';
      this.#lose(socket, reason);
      if (wasOpen) this.#suspectEnd();
    });
    this.#timer?.cancel();
    this.#timer = clock.after(timing.handshakeTimeoutMs, () => {
      if (this.#state === 'dialing') this.#lose(socket, 'it did not finish the handshake');
    });
  }

  #receive(socket: WebSocket, bytes: Uint8Array): void {
    if (socket !== this.#socket) return;
    this.#hear();
    try {
      const frame = decodePeerFrame(bytes);
      if (frame.type === 'hello' && this.#hello === null) this.#shakeHands(socket, frame.hello);
      else if (frame.type === 'refusal') this.#refused(socket, frame.error);
      else if (frame.type === 'birth' && this.#hello !== null && this.#state === 'greeted') {
        this.#context.birth(frame.birth, this.#hello);
      } else this.#lose(socket, `it sent a frame of type ${frame.type} out of turn`);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#lose(socket, error.message);
    }
  }

  #shakeHands(socket: WebSocket, hello: Hello): void {
    const verdict = this.#context.judge(hello);
    if (verdict.type === 'refuse') {
      this.#write(socket, { type: 'refusal', error: verdict.error });
      this.#lose(socket, verdict.error.message);
      return;
    }
    if (!this.#isWanted(hello)) {
      this.#lose(socket, `the member there is "${hello.name}" with the id ${hello.memberId}`);
      return;
    }
    if (verdict.type === 'handBirth') this.#write(socket, { type: 'birth', birth: verdict.birth });
    this.#timer?.cancel();
    this.#hello = hello;
    this.#state = verdict.type === 'raft' ? 'open' : 'greeted';
    this.#openedMs = this.#context.clock.monotonic();
    this.#silences = 0;
    this.#congested = false;
    this.#probe?.cancel();
    this.#context.log.debug({ peer: hello.name, lane: this.#lane }, 'Connected to peer');
    this.#greeted(hello);
  }

  #isWanted(hello: Hello): boolean {
    const { memberId, name } = this.#target;
    if (memberId !== null) return hello.memberId === memberId;
    return name === null || hello.name === name;
  }

  #refused(socket: WebSocket, error: RollcallError): void {
    const index = this.isOpen ? removalIndexOf(error) : null;
    const lost = lossOf(error);
    const level = levelNeededOf(error);
    const by = this.#hello?.name;
    this.#lose(socket, error.message);
    if (index !== null) this.#context.removed(index);
    if (lost !== null && by !== undefined) this.#context.lost(lost, by);
    if (level !== null) this.#context.outdated(error, level);
  }

  /** Gives the connection up, whatever its state, and dials again later. */
  #lose(socket: WebSocket, reason: string): void {
    if (socket !== this.#socket) return;
    const { clock, random, timing } = this.#context;
    const wasShaken = this.#hello !== null;
    // Whoever was just born makes all connections anew.
    const wasBorn = this.#state === 'greeted' && this.#target.memberId !== null;
    this.#drop(socket, reason);
    if (this.#lane === 'control' && !wasBorn) this.#complain(reason);
    const ceiling = Math.min(timing.backoffMsMax, timing.backoffMsMin * 2 ** this.#attempts++);
    this.#timer = clock.after(ceiling * (0.5 + random() / 2), () => this.#dial());
    this.#tellLoss(wasShaken);
  }

  #complain(reason: string): void {
    const peer = this.#target.name;
    const address = this.#address;
    const message = `No connection to ${this.#who} at ${address}: ${reason}`;
    this.#context.complain(this.#key, { peer, address }, message);
  }

  #drop(socket: WebSocket, reason: string): void {
    const { clock, timing } = this.#context;
    this.#socket = null;
    // A refusal that was just written still has to leave.
    hangUp(socket, clock, 1002, reason);
    if (this.#hello === null) this.#turn++;
    else if (clock.monotonic() - this.#openedMs >= timing.backoffMsMax) this.#attempts = 0;
    this.#state = 'waiting';
    this.#queue = [];
    this.#hello = null;
    this.#timer?.cancel();
  }

  #tellLoss(wasShaken: boolean): void {
    if (wasShaken) this.#greeted(null);
    if (this.#target.memberId !== null) this.#context.unreachable(this.#target.memberId);
  }

  /** The other side closed the control connection: was that the end of its process? */
  #suspectEnd(): void {
    const { memberId } = this.#target;
    // What the loss was told to may have closed or moved this lane.
    if (this.#lane !== 'control' || memberId === null || this.#state !== 'waiting') return;
    const { clock, timing } = this.#context;
    this.#probe?.cancel();
    this.#probe = new RefusalProbe(this.#address, clock, timing.goneMs, () =>
      this.#context.gone(memberId),
    );
  }

  get #who(): string {
    const { name } = this.#target;
    return name === null ? 'a member' : `"${name}"`;
  }

  /** Of two members with one name, one takes the place of the other: each has its own complaints. */
  get #key(): string {
    const { memberId, name } = this.#target;
    return `to ${memberId ?? name ?? this.#address} ${this.#lane}`;
  }

  #hear(): void {
    this.#heard = true;
  }

  /** Whether the socket holds back so much that more would only wait; says so to raft once. */
  #isCongested(socket: WebSocket): boolean {
    const backlog = socket.bufferedAmount;
    if (this.#congested) {
      this.#congested = backlog > backlogBytesResume;
      return this.#congested;
    }
    if (backlog <= backlogBytesMax[this.#lane]) return false;
    this.#congested = true;
    this.#queue = [];
    if (this.#target.memberId !== null) this.#context.unreachable(this.#target.memberId);
    return true;
  }

  #write(socket: WebSocket, frame: PeerFrame): void {
    const bytes = encodePeerFrame(frame);
    if (bytes.length > limits.peerFrameBytesMax) {
      this.#context.complain(
        `${this.#key} size`,
        { peer: this.#target.name, bytes: bytes.length },
        'Dropped a peer frame above the limit',
      );
      return;
    }
    // A failed write shows as the connection's end.
    socket.send(bytes, { binary: true, compress: false }, () => {});
  }
}

function messageBytes(message: PeerMessage): number {
  if (isNodeMessage(message)) return nodeMessageBytes(message);
  let bytes = 64;
  if (message.type === 'appendEntries') {
    for (const entry of message.entries) bytes += entryBytes(entry);
  }
  return bytes;
}
