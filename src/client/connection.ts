/**
 * The light socket to one endpoint, which dials again for as long as it is not closed.
 *
 * Requests of one turn of the event loop are gathered and leave together; answers find their exchange
 * by id. A connection is usable from the first status that the node pushes until the socket closes.
 * It decides nothing: what fails goes back to its exchange with the reason.
 */
import type { Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { errorFromBody } from '../wire/error-body.ts';
import {
  decodeServerFrame,
  encodeRequest,
  itemKinds,
  joinRequests,
  requestIdMax,
  type ServerFrame,
  type ServerHeader,
  type ServerItem,
} from '../wire/frame.ts';
import type { Method } from '../wire/methods.ts';
import type { NodeStatus } from '../wire/results.ts';
import { type Backoff, backoffMs } from './backoff.ts';
import type { Exchange } from './exchange.ts';
import type { Outside } from './outside.ts';
import type { Socket } from './socket.ts';

/** Requests that share a frame; a larger one travels alone. Keeps frames far below the item limit. */
const sharedFrameBytesMax = 256 * 1024;
/** What may wait in the socket's own buffer before requests are held back here, still unsent. */
const socketBytesMax = 4 * 1024 * 1024;
/** Requests that may be unanswered on one connection; a node refuses what goes far beyond. */
const unansweredMax = 4096;

const noHeader: ServerHeader = { clusterId: '', incarnation: '', memberId: '', term: 0 };

export interface ConnectionEvents {
  /** The first status after a dial makes the connection usable; later ones are news. */
  status(connection: Connection, status: NodeStatus): void;
  heard(connection: Connection): void;
  /** The socket is gone, or the dial failed. Its exchanges have been told before. */
  lost(connection: Connection, error: RollcallError): void;
}

interface Outgoing {
  readonly id: number;
  readonly exchange: Exchange;
  readonly bytes: Uint8Array;
}

export class Connection {
  readonly address: string;
  readonly #events: ConnectionEvents;
  readonly #backoff: Backoff;
  readonly #outside: Outside;
  readonly #open = new Map<number, Exchange>();
  #outbox: Outgoing[] = [];
  /** What leaves however many requests are unanswered. */
  #urgent: Outgoing[] = [];
  #flushing = false;
  /** Requests that count, sent and not yet answered or taken back. */
  #unanswered = 0;
  #socket: Socket | null = null;
  #usable = false;
  #closed = false;
  #attempts = 0;
  #dials = 0;
  #redial: Timer | null = null;
  #lastId = 0;
  #header: ServerHeader = noHeader;
  #heardAtMs = 0;
  #error: RollcallError | null = null;

  constructor(address: string, events: ConnectionEvents, backoff: Backoff, outside: Outside) {
    this.address = address;
    this.#events = events;
    this.#backoff = backoff;
    this.#outside = outside;
  }

  get usable(): boolean {
    return this.#usable;
  }

  /** Cluster, incarnation and term as the node last said. */
  get header(): ServerHeader {
    return this.#header;
  }

  /** How often it has dialled: tells one socket from the next. */
  get dials(): number {
    return this.#dials;
  }

  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** How long an established socket has said nothing; 0 while there is none. */
  quietMs(nowMs: number): number {
    return this.#socket?.isOpen ? nowMs - this.#heardAtMs : 0;
  }

  /** Counts as heard: this process was not listening, so silence until `nowMs` proves nothing. */
  excuse(nowMs: number): void {
    this.#heardAtMs = nowMs;
  }

  /** Why the last dial or socket ended. */
  get error(): RollcallError | null {
    return this.#error;
  }

  get exchanges(): Iterable<Exchange> {
    return this.#open.values();
  }

  dial(): void {
    if (this.#closed || this.#socket !== null) return;
    this.#redial = null;
    this.#dials++;
    try {
      const socket: Socket = this.#outside.dial(this.address, {
        opened: () => {
          this.#heardAtMs = this.#outside.clock.monotonic();
        },
        received: (bytes, isBinary) => {
          if (socket === this.#socket) this.#receive(bytes, isBinary);
        },
        closed: (reason, cause) => {
          if (socket !== this.#socket) return;
          const message = `${this.address}: ${cause === null ? reason : reasonOf(cause)}`;
          this.#lost(new RollcallError('connectionLost', message, { cause: cause ?? undefined }));
        },
      });
      this.#socket = socket;
    } catch (cause) {
      this.#lost(new RollcallError('invalidArgument', `${this.address} is no address`, { cause }));
    }
  }

  /** Ends a pause between two dials: the node is there, as others say. */
  hurry(): void {
    if (this.#redial === null) return;
    this.#redial.cancel();
    this.dial();
  }

  /** Takes the exchange; it leaves with all others of this turn. Only while usable. */
  send(exchange: Exchange): void {
    const id = this.#nextId();
    const { method, parameters, session } = exchange;
    const bytes = encodeRequest(id, method, parameters, session ?? null);
    if (bytes.length + 8 > limits.clientFrameBytesMax) {
      const message = `The request has ${bytes.length} bytes, at most ${limits.clientFrameBytesMax - 8} allowed`;
      const error = new RollcallError('frameTooLarge', message);
      this.#outside.clock.soon(() => exchange.failed(error, this));
      return;
    }
    exchange.id = id;
    exchange.sentAtMs = null;
    this.#open.set(id, exchange);
    (isCounted(exchange) ? this.#outbox : this.#urgent).push({ id, exchange, bytes });
    this.#flushSoon();
  }

  /** Takes the exchange back: nothing more is said to it. */
  forget(exchange: Exchange): void {
    if (this.#open.get(exchange.id) !== exchange) return;
    this.#open.delete(exchange.id);
    exchange.id = 0;
    this.#settled(exchange);
  }

  /** Ends the socket at once. It is dialled again after the longest pause, as it has been of no use. */
  drop(error: RollcallError): void {
    if (this.#socket === null) return;
    this.#attempts = Number.MAX_SAFE_INTEGER;
    this.#lost(error);
  }

  /** For good. The exchanges are told `error`. */
  close(error: RollcallError): void {
    this.#closed = true;
    this.#redial?.cancel();
    this.#redial = null;
    if (this.#socket !== null) this.#lost(error);
  }

  #nextId(): number {
    do {
      this.#lastId = this.#lastId === requestIdMax ? 1 : this.#lastId + 1;
    } while (this.#open.has(this.#lastId));
    return this.#lastId;
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    const socket = this.#socket;
    if (socket === null) return;
    const nowMs = this.#outside.clock.monotonic();
    const urgent = this.#urgent;
    this.#urgent = [];
    for (let next = 0; next < urgent.length; ) next = this.#write(socket, urgent, next, nowMs);
    const outbox = this.#outbox;
    let next = 0;
    while (next < outbox.length && this.#hasRoom(socket)) {
      next = this.#write(socket, outbox, next, nowMs);
    }
    this.#outbox = next === outbox.length ? [] : outbox.slice(next);
    // If it is answers that are missing, the next one flushes again.
    if (this.#outbox.length > 0 && this.#unanswered < unansweredMax) this.#flushOnceWritten(socket);
  };

  /** Sends one frame of what begins at `next`; returns where the next frame begins. */
  #write(socket: Socket, queue: readonly Outgoing[], next: number, nowMs: number): number {
    const frame: Uint8Array[] = [];
    let frameBytes = 0;
    let at = next;
    for (; at < queue.length; at++) {
      const { id, exchange, bytes } = queue[at] as Outgoing;
      // It was taken back, and perhaps handed in again under another id.
      if (this.#open.get(id) !== exchange) continue;
      if (frame.length > 0 && frameBytes + bytes.length > sharedFrameBytesMax) break;
      const counts = isCounted(exchange);
      if (counts && this.#unanswered >= unansweredMax) break;
      if (counts) this.#unanswered++;
      exchange.sentAtMs = nowMs;
      frame.push(bytes);
      frameBytes += bytes.length;
    }
    if (frame.length > 0) socket.send(joinRequests(frame));
    return at;
  }

  #hasRoom(socket: Socket): boolean {
    return socket.unsentBytes < socketBytesMax && this.#unanswered < unansweredMax;
  }

  #flushOnceWritten(socket: Socket): void {
    this.#flushing = true;
    socket.onceWritten(() => this.#outside.clock.soon(this.#flush));
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#outside.clock.soon(this.#flush);
  }

  #settled(exchange: Exchange): void {
    if (exchange.sentAtMs === null || !isCounted(exchange)) return;
    this.#unanswered--;
    if (this.#outbox.length > 0) this.#flushSoon();
  }

  #receive(bytes: Uint8Array, isBinary: boolean): void {
    this.#heardAtMs = this.#outside.clock.monotonic();
    let frame: ServerFrame;
    try {
      if (!isBinary) throw new RollcallError('malformedFrame', 'The frame is text');
      frame = decodeServerFrame(bytes);
    } catch (cause) {
      this.#lost(
        new RollcallError('connectionLost', `${this.address}: ${reasonOf(cause)}`, { cause }),
      );
      return;
    }
    this.#header = frame.header;
    this.#events.heard(this);
    for (const item of frame.items) this.#take(item);
  }

  #take(item: ServerItem): void {
    // An answer before this one may have led to the end of the connection.
    if (this.#socket === null) return;
    if (item.id === 0) {
      if (!isStatus(item.body)) {
        this.#lost(new RollcallError('connectionLost', `${this.address} sent no status`));
        return;
      }
      this.#usable = true;
      this.#attempts = 0;
      this.#error = null;
      this.#events.status(this, item.body);
      return;
    }
    // What has timed out or was cancelled may still be answered; nobody waits for it.
    const exchange = this.#open.get(item.id);
    if (exchange === undefined) return;
    if (item.kind === itemKinds.item) {
      exchange.item(item.body, this);
      return;
    }
    this.#open.delete(item.id);
    exchange.id = 0;
    this.#settled(exchange);
    if (item.kind === itemKinds.result) exchange.done(item.body, this);
    else exchange.failed(errorFromBody(item.body), this);
  }

  #lost(error: RollcallError): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#usable = false;
    this.#outbox = [];
    this.#urgent = [];
    this.#flushing = false;
    this.#unanswered = 0;
    this.#error = error;
    socket?.terminate();
    const open = [...this.#open.values()];
    this.#open.clear();
    // The end is announced first, so that no exchange comes straight back here.
    this.#events.lost(this, error);
    for (const exchange of open) {
      exchange.id = 0;
      exchange.failed(error, this);
    }
    if (this.#closed || this.#redial !== null) return;
    const delayMs = backoffMs(this.#backoff, this.#attempts, this.#outside.random);
    this.#attempts = Math.min(this.#attempts + 1, Number.MAX_SAFE_INTEGER);
    this.#redial = this.#outside.clock.after(delayMs, () => this.dial());
  }
}

/** Dials of names with several addresses fail with an aggregate whose own message is empty. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}

/** Streams are never answered; a ping or a cancellation must not wait for what it is about. */
const uncounted: ReadonlySet<Method> = new Set<Method>([
  'watch',
  'watchService',
  'snapshot',
  'watchProgress',
  'permit',
  'cancel',
  'status',
]);

function isCounted({ method }: Exchange): boolean {
  return !uncounted.has(method);
}

/** Enough to tell a node from something else that speaks the protocol's name. */
function isStatus(body: unknown): body is NodeStatus {
  if (typeof body !== 'object' || body === null) return false;
  const { memberId, term } = body as Partial<Record<keyof NodeStatus, unknown>>;
  return typeof memberId === 'string' && typeof term === 'number';
}
