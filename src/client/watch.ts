import { RollcallError } from '../base/errors.ts';
import type { Items, WireEvent } from '../wire/results.ts';
import { Deferred } from './deferred.ts';
import { type KeySelector, keyRange, type WireKeyRange } from './key.ts';
import { KeyValue, keyValueOrNull } from './key-value.ts';
import type { Router } from './router.ts';
import { Stream } from './stream.ts';
import { type WatchBatch, WatchBuffer, type WatchEvent } from './watch-buffer.ts';

export interface WatchOptions {
  /** The first revision of interest; may lie in the past or the future. Left out: from now on. */
  readonly startRevision?: number;
  /**
   * The `client.incarnation` in which `startRevision` was seen, where that may be long ago: the watch ends
   * with `incarnationChanged` if the cluster was restored since, and the revision says nothing any more.
   */
  readonly incarnation?: string;
  /** Ask for the pair before each change as well. */
  readonly previous?: boolean;
  /** Ends the iteration, as `close()` does. */
  readonly signal?: AbortSignal;
  /** How much may wait for a slow consumer before the node is told to stop. Default 4 MiB. */
  readonly bufferBytes?: number;
}

interface Pending {
  readonly resolve: (result: IteratorResult<WatchBatch, undefined>) => void;
  readonly reject: (error: RollcallError) => void;
}

/**
 * The changes of some keys, in order, each exactly once: iterate it with `for await`. One batch holds
 * everything that one revision changed. It goes on over lost connections and changes of leaders, and
 * ends with an error where it cannot go on without a gap: `compacted` when the history it needs is
 * gone, `incarnationChanged` when the cluster was restored from a backup.
 *
 * A consumer may take its time: beyond `bufferBytes` the watch is cancelled at the node and resumed
 * once the buffer has been read. Iterate a watch once; leaving the loop closes it.
 */
export class Watch implements AsyncIterableIterator<WatchBatch, undefined> {
  readonly #router: Router;
  readonly #range: WireKeyRange;
  readonly #previous: boolean;
  readonly #buffer: WatchBuffer;
  readonly #stream: Stream;
  readonly #signal: AbortSignal | null;
  readonly #ready = new Deferred<number>();
  readonly #stopListening: () => void;
  #incarnation: string | null;
  /** The events of a revision of which more are to come. */
  #parts: WatchEvent[] = [];
  readonly #pending: Pending[] = [];
  #error: RollcallError | null = null;
  #over = false;

  /** @internal Watches come from `Client.watch`. */
  constructor(router: Router, selector: KeySelector, options: WatchOptions) {
    this.#router = router;
    this.#range = keyRange(selector);
    this.#previous = options.previous ?? false;
    this.#incarnation = options.incarnation ?? null;
    this.#buffer = new WatchBuffer(
      options.startRevision ?? 0,
      router.revision,
      options.bufferBytes ?? 4 * 1024 * 1024,
    );
    this.#stream = new Stream(router, 'watch', {
      parameters: () => this.#parameters(),
      item: (body, incarnation) => this.#item(body as Items['watch'], incarnation),
      ended: (error, incarnation) => this.#streamEnded(error, incarnation),
    });
    this.#stopListening = router.onClose(() => this.close());
    this.#signal = options.signal ?? null;
    this.#signal?.addEventListener('abort', this.#abort, { once: true });
    if (router.closed) this.#end(new RollcallError('closed', 'The client is closed'));
    else if (this.#signal?.aborted) this.close();
    else this.#stream.start();
  }

  /** Resolves once a node watches, with the revision after which changes are reported. */
  ready(): Promise<number> {
    return this.#ready.promise;
  }

  next(): Promise<IteratorResult<WatchBatch, undefined>> {
    const batch = this.#buffer.take();
    if (batch !== null) {
      if (!this.#over && this.#buffer.drained) this.#stream.start();
      return Promise.resolve({ done: false, value: batch });
    }
    if (this.#error !== null) {
      const error = this.#error;
      this.#error = null;
      return Promise.reject(error);
    }
    if (this.#over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<WatchBatch, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Ends the iteration without an error; what was not yet read is dropped. Idempotent. */
  close(): void {
    this.#buffer.clear();
    this.#end(null);
  }

  #parameters(): object {
    const startRevision = this.#buffer.startRevision;
    return { ...this.#range, startRevision, previous: this.#previous };
  }

  #item(item: Items['watch'], incarnation: string): void {
    if (this.#over) return;
    this.#incarnation ??= incarnation;
    if (this.#incarnation !== incarnation) {
      this.#end(incarnationChanged());
      return;
    }
    if (item.type === 'created') {
      // What a lost connection left in the middle of a revision comes again as a whole.
      this.#parts = [];
      this.#buffer.created(item.revision);
      this.#ready.resolve(this.#buffer.startRevision - 1);
      return;
    }
    if (!this.#buffer.accepts(item.revision)) return;
    for (const event of item.events) this.#parts.push(watchEvent(event));
    if (item.more === true) return;
    const events = this.#parts;
    this.#parts = [];
    this.#router.sawRevision(item.revision);
    this.#buffer.add({ revision: item.revision, events });
    this.#deliver();
    if (this.#buffer.full) this.#stream.stop();
  }

  #streamEnded(error: RollcallError, incarnation: string): void {
    const changed = this.#incarnation !== null && this.#incarnation !== incarnation;
    this.#end(changed && incarnation !== '' ? incarnationChanged() : error);
  }

  readonly #abort = (): void => this.close();

  #deliver(): void {
    while (this.#pending.length > 0) {
      const batch = this.#buffer.take();
      if (batch === null) return;
      this.#pending.shift()?.resolve({ done: false, value: batch });
    }
  }

  #end(error: RollcallError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#stream.stop();
    this.#stopListening();
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#ready.reject(error ?? new RollcallError('closed', 'The watch was closed'));
    // Whoever waits has seen the buffer empty: the first learns of the error, the others of the end.
    for (const { resolve, reject } of this.#pending.splice(0)) {
      if (this.#error === null) {
        resolve({ done: true, value: undefined });
        continue;
      }
      this.#error = null;
      reject(error ?? new RollcallError('closed', 'The watch was closed'));
    }
  }
}

function watchEvent(event: WireEvent): WatchEvent {
  return {
    type: event.type,
    pair: new KeyValue(event.pair),
    previous: keyValueOrNull(event.previous),
  };
}

function incarnationChanged(): RollcallError {
  const message = 'The cluster was restored from a backup: its history is another one';
  return new RollcallError('incarnationChanged', message);
}
