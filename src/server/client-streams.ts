/** The open watches, service views and backups of one connection. */
import { RollcallError } from '../base/errors.ts';
import type { MemberApi, StreamHandle, WatchHandle } from '../node/types.ts';
import type { Parameters } from '../wire/methods.ts';
import type { Items, Results, StreamMethod } from '../wire/results.ts';
import { changesOf, viewOf } from './answers.ts';
import { encodedEvents } from './encoded-events.ts';

export interface StreamOutput {
  /** Throws `frameTooLarge`. */
  item(id: number, body: Items[StreamMethod]): void;
  /** An item whose encoded body others are told as well. Throws `frameTooLarge`. */
  shared(id: number, body: Uint8Array): void;
  /** The stream's good end. */
  result(id: number, body: Results['snapshot']): void;
  /** The stream's end. */
  error(id: number, error: RollcallError): void;
  /** Whether there is room for more right now. */
  hasRoom(): boolean;
}

export class ClientStreams {
  readonly #output: StreamOutput;
  readonly #streams = new Map<number, Stream>();
  readonly #paused = new Set<Stream>();

  constructor(output: StreamOutput) {
    this.#output = output;
  }

  get size(): number {
    return this.#streams.size;
  }

  has(id: number): boolean {
    return this.#streams.has(id);
  }

  watch(id: number, params: Parameters<'watch'>, member: MemberApi): void {
    const stream = this.#begin(id);
    stream.watch = member.watch(params, {
      created: (revision) => {
        this.#send(stream, { type: 'created', revision });
      },
      send: (batch) => this.#put(stream, () => this.#output.shared(id, encodedEvents(batch))),
      progress: (revision) => {
        this.#send(stream, { type: 'progress', revision });
      },
      end: (error) => this.#end(stream, error),
    });
    stream.handle = stream.watch;
    this.#settle(stream);
  }

  /** Does nothing for what is no watch, or over. */
  requestProgress({ id }: Parameters<'watchProgress'>): void {
    this.#streams.get(id)?.watch?.requestProgress();
  }

  watchService(id: number, params: Parameters<'watchService'>, member: MemberApi): void {
    const stream = this.#begin(id);
    stream.handle = member.watchService(params, {
      view: (revision, instances) => this.#send(stream, viewOf(revision, instances)),
      send: (batch) => this.#send(stream, changesOf(batch)),
      end: (error) => this.#end(stream, error),
    });
    this.#settle(stream);
  }

  snapshot(id: number, params: Parameters<'snapshot'>, member: MemberApi): void {
    const { window, ...request } = params;
    const stream = this.#begin(id, window);
    stream.handle = member.backup(request, {
      send: (bytes) => this.#send(stream, { type: 'bytes', bytes }),
      done: (revision) => {
        if (this.#close(stream)) this.#output.result(id, { revision });
      },
      end: (error) => this.#end(stream, error),
    });
    this.#settle(stream);
  }

  /** The client has taken items of a snapshot, and takes as many more. Does nothing once it is over. */
  permit({ id, items }: Parameters<'permit'>): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.permits += items;
    this.resume();
  }

  cancel(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.handle?.cancel();
    this.#end(stream, new RollcallError('cancelled', 'The client cancelled the stream'));
  }

  /** There is room again: paused streams go on, until there is none. */
  resume(): void {
    if (this.#paused.size === 0 || !this.#output.hasRoom()) return;
    // Who is full again at once comes after all that are there now.
    let left = this.#paused.size;
    for (const stream of this.#paused) {
      if (left-- === 0 || !this.#output.hasRoom()) return;
      if (stream.permits <= 0) continue;
      this.#paused.delete(stream);
      stream.handle?.resume();
    }
  }

  /** The connection is gone. */
  close(): void {
    for (const stream of this.#streams.values()) {
      stream.isOver = true;
      stream.handle?.cancel();
    }
    this.#streams.clear();
    this.#paused.clear();
  }

  #begin(id: number, permits = Number.POSITIVE_INFINITY): Stream {
    const stream: Stream = { id, handle: null, watch: null, permits, isOver: false };
    this.#streams.set(id, stream);
    return stream;
  }

  /** A stream may have ended before its handle was there. */
  #settle(stream: Stream): void {
    if (stream.isOver) stream.handle?.cancel();
  }

  #send(stream: Stream, body: Items[StreamMethod]): boolean {
    return this.#put(stream, () => this.#output.item(stream.id, body));
  }

  /** Returns whether the stream may go on; it is paused if not. */
  #put(stream: Stream, put: () => void): boolean {
    if (stream.isOver) return false;
    try {
      put();
      stream.permits--;
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      this.#end(stream, error);
      stream.handle?.cancel();
      return false;
    }
    if (stream.permits > 0 && this.#output.hasRoom()) return true;
    this.#paused.add(stream);
    return false;
  }

  #end(stream: Stream, error: RollcallError): void {
    if (this.#close(stream)) this.#output.error(stream.id, error);
  }

  /** Whether it was open. */
  #close(stream: Stream): boolean {
    if (stream.isOver) return false;
    stream.isOver = true;
    this.#streams.delete(stream.id);
    this.#paused.delete(stream);
    return true;
  }
}

interface Stream {
  readonly id: number;
  /** Null until the member has answered the opening call. */
  handle: StreamHandle | null;
  /** The same, of a watch. */
  watch: WatchHandle | null;
  /** How many items the client takes before it says more. */
  permits: number;
  isOver: boolean;
}
