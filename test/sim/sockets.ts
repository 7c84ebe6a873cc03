/**
 * Sockets between clients and nodes: frames arrive in order or not at all. A cut link delays them, as
 * TCP does, until the link is open again or the socket is given up. A process that dies resets its
 * sockets; a machine that loses its power says nothing.
 */
import type { Clock } from '../../src/base/clock.ts';
import type { Dial, Socket, SocketEvents } from '../../src/client/socket.ts';
import type { VirtualClock } from './clock.ts';
import type { Party, SimNetwork } from './network.ts';

/** What a node does with a client's socket. */
export interface Served {
  received(frame: Uint8Array): void;
  /** A frame has left for the client: there is more room than before. */
  written(): void;
  closed(): void;
}

/** The way back to the client. */
export interface Answering {
  readonly client: Party;
  /** How many frames have not got through yet. */
  readonly backlog: number;
  send(frame: Uint8Array): void;
  /** The process has died: its machine says so when it gets the chance. */
  reset(): void;
}

/** One life of a node, as seen from its client port. */
export interface Listener {
  readonly party: Party;
  /** False before it has started up and after its end. */
  readonly listens: boolean;
  readonly clock: { run(kind: 'socket', callback: () => void): void };
  accept(answering: Answering): Served;
}

const handshakeTimeoutMs = 2000;
const resendMs = 40;
/** When a dial that nobody answers is repeated. */
const knockAgainMs = 1000;
/** TCP gives up after minutes; a shorter time lets a run see it. */
const giveUpMs = 8000;

export class SocketWorld {
  readonly #clock: VirtualClock;
  readonly #network: SimNetwork;
  readonly #listenerAt: (address: string) => Listener | null;

  /** `listenerAt` gives the life that listens there now: null while the machine has no power. */
  constructor(
    clock: VirtualClock,
    network: SimNetwork,
    listenerAt: (address: string) => Listener | null,
  ) {
    this.#clock = clock;
    this.#network = network;
    this.#listenerAt = listenerAt;
  }

  /** How a client dials. */
  dialer(client: Party, clock: Clock): Dial {
    return (address, events) => new ClientSocket(this, client, address, clock, events);
  }

  listenerAt(address: string): Listener | null {
    return this.#listenerAt(address);
  }

  pipe(from: Party, to: Party): Pipe {
    return new Pipe(this.#clock, this.#network, from, to);
  }
}

/** One direction of a socket. */
class Pipe {
  readonly #clock: VirtualClock;
  readonly #network: SimNetwork;
  readonly #from: Party;
  readonly #to: Party;
  readonly #queue: { readonly atMs: number; readonly deliver: () => void }[] = [];
  #lastAtMs = 0;
  #isClosed = false;
  #isArmed = false;
  /** Called when nothing got through for too long. */
  onGivenUp: () => void = () => {};

  constructor(clock: VirtualClock, network: SimNetwork, from: Party, to: Party) {
    this.#clock = clock;
    this.#network = network;
    this.#from = from;
    this.#to = to;
  }

  send(deliver: () => void): void {
    if (this.#isClosed) return;
    this.#lastAtMs = Math.max(this.#lastAtMs, this.#clock.monotonic() + this.#network.delayMs());
    this.#queue.push({ atMs: this.#lastAtMs, deliver });
    if (!this.#isArmed) this.#arm(this.#lastAtMs - this.#clock.monotonic());
  }

  get length(): number {
    return this.#queue.length;
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
  }

  #arm(delayMs: number): void {
    this.#isArmed = true;
    this.#clock.after(delayMs, () => {
      this.#isArmed = false;
      this.#flow();
    });
  }

  #flow(): void {
    const next = this.#queue[0];
    if (next === undefined || this.#isClosed) return;
    const nowMs = this.#clock.monotonic();
    const isOpen =
      this.#network.isOpen(this.#from, this.#to) && !this.#network.isClogged(this.#from, this.#to);
    if (!isOpen) {
      if (nowMs - next.atMs > giveUpMs) this.onGivenUp();
      else this.#arm(resendMs);
      return;
    }
    if (next.atMs > nowMs) {
      this.#arm(next.atMs - nowMs);
      return;
    }
    this.#queue.shift();
    next.deliver();
    const after = this.#queue[0];
    if (after !== undefined && !this.#isArmed) this.#arm(Math.max(0.01, after.atMs - nowMs));
  }
}

class ClientSocket implements Socket {
  readonly #world: SocketWorld;
  readonly #client: Party;
  readonly #address: string;
  readonly #clock: Clock;
  readonly #events: SocketEvents;
  readonly #up: Pipe;
  readonly #down: Pipe;
  #served: Served | null = null;
  #life: Listener | null = null;
  #state: 'dialling' | 'open' | 'closed' = 'dialling';

  constructor(
    world: SocketWorld,
    client: Party,
    address: string,
    clock: Clock,
    events: SocketEvents,
  ) {
    this.#world = world;
    this.#client = client;
    this.#address = address;
    this.#clock = clock;
    this.#events = events;
    const node = address.split(':')[0] as string;
    this.#up = world.pipe(client, node);
    this.#down = world.pipe(node, client);
    this.#up.onGivenUp = () => this.#end('the connection timed out');
    this.#down.onGivenUp = () => this.#end('the connection timed out');
    clock.after(handshakeTimeoutMs, () => {
      if (this.#state === 'dialling') this.#end('the handshake timed out');
    });
    this.#up.send(() => this.#arrive());
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get unsentBytes(): number {
    return 0;
  }

  send(frame: Uint8Array): void {
    if (this.#state !== 'open') return;
    const copy = frame.slice();
    this.#up.send(() => this.#reach((life) => life.clock.run('socket', () => this.#serve(copy))));
  }

  onceWritten(callback: () => void): void {
    this.#clock.soon(callback);
  }

  terminate(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#down.close();
    this.#up.send(() => this.#reach((life) => life.clock.run('socket', () => this.#hangUp())));
  }

  #reset(): void {
    this.#down.send(() => this.#end('the other side reset the connection'));
  }

  #serve(frame: Uint8Array): void {
    this.#served?.received(frame);
  }

  #hangUp(): void {
    this.#served?.closed();
  }

  /** The dial has come to the machine. */
  #arrive(): void {
    const life = this.#world.listenerAt(this.#address);
    if (life === null) {
      this.#clock.after(knockAgainMs, () => {
        if (this.#state === 'dialling') this.#up.send(() => this.#arrive());
      });
      return;
    }
    if (!life.listens) {
      this.#down.send(() => this.#end('the connection was refused'));
      return;
    }
    this.#life = life;
    life.clock.run('socket', () => {
      if (this.#state === 'closed' || !life.listens) return;
      const down = this.#down;
      const answering: Answering = {
        client: this.#client,
        get backlog() {
          return down.length;
        },
        send: (frame: Uint8Array) => this.#answer(frame),
        reset: () => this.#reset(),
      };
      this.#down.send(() => {
        if (this.#state !== 'dialling') return;
        this.#state = 'open';
        this.#events.opened();
      });
      this.#served = life.accept(answering);
    });
  }

  #answer(frame: Uint8Array): void {
    this.#down.send(() => {
      this.#life?.clock.run('socket', () => this.#served?.written());
      if (this.#state === 'open') this.#events.received(frame, true);
    });
  }

  /** Something of the client arrived: a machine without that process answers with a reset. */
  #reach(deliver: (life: Listener) => void): void {
    const life = this.#life;
    if (life?.listens) {
      deliver(life);
      return;
    }
    // A machine without power says nothing.
    if (this.#world.listenerAt(this.#address) !== null) this.#reset();
  }

  #end(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#up.close();
    this.#down.close();
    this.#events.closed(reason, null);
  }
}
