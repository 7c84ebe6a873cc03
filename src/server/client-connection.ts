/**
 * One client: its frames in, its answers out. All answers of a turn leave in one frame, or in a few
 * where one would be too large. A client that does not read makes its streams pause, then its own
 * requests wait, and is cut off in the end; it never costs another client anything.
 */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { MemberApi, Response } from '../node/types.ts';
import { hangUp } from '../transport/hang-up.ts';
import { errorBody } from '../wire/error-body.ts';
import {
  decodeRequests,
  encodeItem,
  encodeSharedItem,
  itemKinds,
  joinServerFrame,
  serverFrameOverhead,
  sharedItemOverhead,
  type WireRequest,
  type WireSession,
} from '../wire/frame.ts';
import { type Method, methods, type Parameters } from '../wire/methods.ts';
import {
  checkSession,
  isRead,
  type MemberMethod,
  requestOf,
  resultOf,
  tooLarge,
} from './answers.ts';
import { ClientStreams } from './client-streams.ts';
import type { ConnectionContext } from './connection-context.ts';
import { MessageProgress } from './message-progress.ts';

/** A frame may hold thousands of requests; so many are begun before others get their turn. */
const requestsPerTurn = 512;
/** Streams that share an item. */
const sharedIdsMax = 1024;

/** What several streams in a row are told alike, before it is one item. */
interface SharedItem {
  readonly ids: number[];
  readonly body: Uint8Array;
}

export class ClientConnection {
  readonly #context: ConnectionContext;
  readonly #socket: WebSocket;
  readonly #remote: string;
  readonly #progress = new MessageProgress();
  readonly #streams: ClientStreams;
  /** Ids of the requests that the member has not answered yet. */
  readonly #inFlight = new Set<number>();
  /** Decoded and not yet begun. */
  readonly #requests: WireRequest[] = [];
  /** Encoded items that have not left. Invariant: `#unsentBytes` is their size, with that of `#shared`. */
  #unsent: Uint8Array[] = [];
  /** Comes after all of `#unsent`. */
  #shared: SharedItem | null = null;
  #unsentBytes = 0;
  /** At the end of this turn, whatever the streams wait for. */
  #isFlushDue = false;
  #isOver = false;
  #isFirst = true;
  #silentTicks = 0;
  #midwayTicks = 0;
  #completedAtTick = 0;

  constructor(context: ConnectionContext, socket: WebSocket, raw: Duplex, remote: string) {
    this.#context = context;
    this.#socket = socket;
    this.#remote = remote;
    this.#streams = new ClientStreams({
      item: (id, body) => this.#addStreamed(this.#encode(id, itemKinds.item, body)),
      shared: (id, body) => this.#share(id, body),
      result: (id, body) => this.#add(encodeItem(id, itemKinds.result, body)),
      error: (id, error) => this.#fail(id, error),
      hasRoom: () => this.#backlog < context.bounds.streamBacklogBytesMax,
    });
    raw.on('data', (chunk: Buffer) => this.#follow(chunk));
    socket.on('message', (bytes, isBinary) => this.#receive(bytes, isBinary));
    socket.on('ping', () => this.#hear());
    socket.on('pong', () => this.#hear());
    // The library closes with the right code by itself; here it only has to be told.
    socket.on('error', (error) => this.#complain(error.message));
    socket.on('close', () => this.#closed());
    socket.ping();
  }

  /** Sends a frame that is the same for every connection; not to one that does not read. */
  push(frame: Uint8Array): void {
    if (this.#isOver || this.#backlog >= this.#context.bounds.streamBacklogBytesMax) return;
    this.#write(frame);
  }

  flush(): void {
    this.#isFlushDue = false;
    this.#closeShared();
    const unsent = this.#unsent;
    if (this.#isOver || unsent.length === 0) return;
    this.#unsent = [];
    this.#unsentBytes = 0;
    const header = this.#context.header();
    const room = this.#room;
    let start = 0;
    let bytes = 0;
    for (let at = 0; at < unsent.length; at++) {
      const { length } = unsent[at] as Uint8Array;
      if (bytes + length > room) {
        this.#write(joinServerFrame(header, unsent.slice(start, at)));
        start = at;
        bytes = 0;
      }
      bytes += length;
    }
    this.#write(joinServerFrame(header, start === 0 ? unsent : unsent.slice(start)));
    if (this.#backlog >= this.#context.bounds.readBacklogBytesMax) this.#socket.pause();
  }

  /** Looks after what takes too long. */
  tick(): void {
    const { bounds } = this.#context;
    this.#silentTicks++;
    if (this.#isFirst && this.#silentTicks > bounds.firstSignTicksMax) {
      this.#end(1008, 'No frame came after the handshake');
    } else if (this.#silentTicks > 2 * bounds.silentTicksMax) {
      this.#end(1008, 'Nothing was heard for too long');
    } else if (this.#silentTicks > bounds.silentTicksMax) {
      this.#socket.ping();
    }
    const isSame = this.#progress.completed === this.#completedAtTick;
    this.#completedAtTick = this.#progress.completed;
    this.#midwayTicks = this.#progress.isMidway && isSame ? this.#midwayTicks + 1 : 0;
    if (this.#midwayTicks > bounds.messageTicksMax) this.#end(1008, 'A message took too long');
  }

  close(): void {
    this.flush();
    this.#end(1001, 'The node closes');
  }

  get #backlog(): number {
    return this.#unsentBytes + this.#socket.bufferedAmount;
  }

  #receive(bytes: RawData, isBinary: boolean): void {
    if (this.#isOver) return;
    this.#hear();
    if (!isBinary || !(bytes instanceof Uint8Array)) {
      this.#end(1003, 'Requests come in binary frames');
      return;
    }
    this.#guard(() => {
      const isWorking = this.#requests.length > 0;
      this.#requests.push(...decodeRequests(bytes));
      if (!isWorking) this.#work();
    });
  }

  /** Takes up what was asked, a slice per turn, and reads nothing more meanwhile. */
  #work(): void {
    const slice = this.#requests.splice(0, requestsPerTurn);
    for (const request of slice) {
      if (this.#isOver) return;
      this.#dispatch(request);
    }
    if (this.#requests.length === 0) {
      this.#resumeReading();
      return;
    }
    this.#socket.pause();
    this.#context.clock.soon(() => this.#guard(() => this.#work()));
  }

  /** A broken frame ends the connection. */
  #guard(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#end(error.code === 'frameTooLarge' ? 1009 : 1007, error.message);
    }
  }

  #dispatch({ id, method, params, session }: WireRequest): void {
    if (this.#inFlight.has(id) || this.#streams.has(id)) {
      throw new RollcallError('malformedFrame', `The request id ${id} is in use`);
    }
    try {
      this.#begin(id, knownMethod(method), params, session);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#fail(id, error);
    }
  }

  #begin(id: number, method: Method, params: unknown, session: WireSession | null): void {
    checkSession(method, session);
    const checked: unknown = methods[method](params, '');
    switch (method) {
      case 'status':
        this.#add(this.#context.statusItem(id));
        return;
      case 'cancel':
        this.#streams.cancel((checked as Parameters<'cancel'>).id);
        this.#add(encodeItem(id, itemKinds.result, { revision: this.#revision }));
        return;
      case 'watchProgress':
        this.#streams.requestProgress(checked as Parameters<'watchProgress'>);
        this.#add(encodeItem(id, itemKinds.result, { revision: this.#revision }));
        return;
      case 'permit':
        this.#streams.permit(checked as Parameters<'permit'>);
        this.#add(encodeItem(id, itemKinds.result, { revision: this.#revision }));
        return;
      case 'snapshot':
        this.#streams.snapshot(id, checked as Parameters<'snapshot'>, this.#memberForStream());
        return;
      case 'watch':
        this.#streams.watch(id, checked as Parameters<'watch'>, this.#memberForStream());
        return;
      case 'watchService':
        this.#streams.watchService(
          id,
          checked as Parameters<'watchService'>,
          this.#memberForStream(),
        );
        return;
      default:
        this.#submit(id, method, checked, session);
    }
  }

  #submit(id: number, method: MemberMethod, params: unknown, session: WireSession | null): void {
    const member = this.#member();
    if (this.#inFlight.size >= this.#context.bounds.inFlightMax) {
      throw tooMany(`${this.#inFlight.size} requests of this connection are in flight`);
    }
    this.#inFlight.add(id);
    const reply = (outcome: Response | RollcallError): void => {
      this.#inFlight.delete(id);
      if (this.#isOver) return;
      if (outcome instanceof RollcallError) {
        this.#fail(id, outcome);
        return;
      }
      try {
        this.#add(this.#encode(id, itemKinds.result, resultOf(method, outcome)));
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        // The answer does not fit, but what it tells of a write has happened.
        const { code, message } = error;
        this.#fail(id, new RollcallError(code, message, { definite: isRead(method) }));
      }
    };
    member.submit(requestOf(method, params), reply, session);
  }

  #member(): MemberApi {
    const member = this.#context.member();
    if (member !== null) return member;
    throw new RollcallError('notBorn', `The node waits for ${this.#context.waitsFor()}`);
  }

  #memberForStream(): MemberApi {
    if (this.#streams.size >= this.#context.bounds.streamsMax) {
      const message = `${this.#streams.size} streams of this connection are open`;
      throw new RollcallError('tooManyStreams', message);
    }
    return this.#member();
  }

  get #revision(): number {
    return this.#context.member()?.status().revision ?? 0;
  }

  #fail(id: number, error: RollcallError): void {
    this.#add(encodeItem(id, itemKinds.error, errorBody(error)));
  }

  /** Throws `frameTooLarge` when the item fits into no frame. */
  #encode(id: number, kind: 0 | 2, body: unknown): Uint8Array {
    const item = encodeItem(id, kind, body);
    if (item.length > this.#room) throw tooLarge(item.length);
    return item;
  }

  #add(item: Uint8Array): void {
    this.#append(item);
    if (this.#isOver || this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#context.flushSoon(this);
  }

  /** Streams leave the event loop to requests: what they send may wait for a moment. */
  #addStreamed(item: Uint8Array): void {
    this.#append(item);
    if (!this.#isOver) this.#context.flushStreams(this);
  }

  #append(item: Uint8Array): void {
    if (this.#isOver) return;
    this.#closeShared();
    this.#unsent.push(item);
    this.#count(item.length);
  }

  /** Those who are told the same one after the other share one item. Throws `frameTooLarge`. */
  #share(id: number, body: Uint8Array): void {
    if (this.#isOver) return;
    const { bytes, bytesPerId } = sharedItemOverhead;
    if (this.#shared?.body === body && this.#shared.ids.length < sharedIdsMax) {
      this.#shared.ids.push(id);
      this.#count(bytesPerId);
      return;
    }
    const length = body.length + bytes + bytesPerId;
    if (length + sharedIdsMax * bytesPerId > this.#room) throw tooLarge(length);
    this.#closeShared();
    this.#shared = { ids: [id], body };
    this.#count(length);
    this.#context.flushStreams(this);
  }

  #closeShared(): void {
    if (this.#shared === null) return;
    const { ids, body } = this.#shared;
    const { bytes, bytesPerId } = sharedItemOverhead;
    const item = encodeSharedItem(ids, itemKinds.item, body);
    this.#shared = null;
    this.#unsent.push(item);
    this.#unsentBytes += item.length - (body.length + bytes + ids.length * bytesPerId);
  }

  #count(bytes: number): void {
    this.#unsentBytes += bytes;
    if (this.#backlog > this.#context.bounds.backlogBytesMax) {
      this.#end(1008, 'Too many answers wait to be read');
    }
  }

  /** For the items of a frame. */
  get #room(): number {
    return limits.serverFrameBytesMax - this.#context.header().length - serverFrameOverhead;
  }

  #write(frame: Uint8Array): void {
    this.#socket.send(frame, { binary: true, compress: false }, () => this.#written());
  }

  /** Some of what was sent has left, so there may be room again. */
  #written(): void {
    if (this.#isOver) return;
    // While nothing is read no pong is heard; who takes in what is sent is alive all the same.
    if (this.#socket.isPaused) this.#silentTicks = 0;
    this.#resumeReading();
    this.#streams.resume();
  }

  #resumeReading(): void {
    if (!this.#socket.isPaused || this.#requests.length > 0) return;
    if (this.#backlog < this.#context.bounds.readBacklogBytesMax) this.#socket.resume();
  }

  #follow(chunk: Uint8Array): void {
    const before = this.#progress.heldBytes;
    this.#progress.push(chunk);
    const change = this.#progress.heldBytes - before;
    if (change !== 0 && !this.#context.holds(change)) {
      this.#end(1013, 'Too many messages are unfinished');
    }
  }

  #hear(): void {
    this.#isFirst = false;
    this.#silentTicks = 0;
  }

  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    if (code !== 1001) this.#complain(reason);
    this.#isOver = true;
    this.#streams.close();
    this.#forgetUnsent();
    // A paused socket would never see the other side's agreement.
    this.#socket.resume();
    hangUp(this.#socket, this.#context.clock, code, reason);
  }

  #closed(): void {
    this.#isOver = true;
    this.#streams.close();
    this.#forgetUnsent();
    this.#context.holds(-this.#progress.heldBytes);
    this.#context.closed(this);
  }

  #forgetUnsent(): void {
    this.#unsent = [];
    this.#shared = null;
    this.#unsentBytes = 0;
  }

  #complain(reason: string): void {
    this.#context.complain({ remote: this.#remote }, `Closed a client connection: ${reason}`);
  }
}

function knownMethod(method: string): Method {
  if (Object.hasOwn(methods, method)) return method as Method;
  throw new RollcallError('unknownMethod', `There is no method "${method.slice(0, 100)}"`);
}

function tooMany(message: string): RollcallError {
  return new RollcallError('tooManyRequests', message);
}
