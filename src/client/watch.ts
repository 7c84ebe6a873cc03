import { RollcallError } from '../base/errors.ts';
import type { Items } from '../wire/results.ts';
import { Deferred } from './deferred.ts';
import { type KeySelector, keyRange, type WireKeyRange } from './key.ts';
import type { KeyPrefix } from './key-prefix.ts';
import type { Router } from './router.ts';
import { Stream } from './stream.ts';
import { type WatchBatch, WatchBuffer } from './watch-buffer.ts';
import { WatchParts } from './watch-parts.ts';

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
  /** Only puts or only deletions. Left out: both. */
  readonly only?: 'put' | 'delete';
  /** Hand out bookmarks, too: batches without events. Without it they are only seen by `revision`. */
  readonly progress?: boolean;
  /** After how long without an event the node says how far it is. From 1 s on; default 10 s. */
  readonly progressMs?: number;
  /**
   * Hand out a revision that is too large for a frame in parts of about 1 MiB, all but the last with `more`,
   * instead of holding all of it at once.
   */
  readonly fragments?: boolean;
  /** Ends the iteration, as `close()` does. */
  readonly signal?: AbortSignal;
  /** How much may wait for a slow consumer before the node is told to stop. Default 4 MiB. */
  readonly bufferBytes?: number;
}

const progressMsUsual = 10_000;

interface Pending {
  readonly resolve: (result: IteratorResult<WatchBatch, undefined>) => void;
  readonly reject: (error: RollcallError) => void;
}

/**
 * The changes of some keys, in order, each exactly once: iterate it with `for await`. One batch holds
 * everything that one revision changed. It goes on over lost connections and changes of leaders, and
 * ends with an error where it cannot go on without a gap: `compacted` when the history it needs is
 * gone (`details.compactRevision` is the oldest that is left), `incarnationChanged` when the cluster was
 * restored from a backup and everything has to be read anew. `revision` says how far it came.
 *
 * A consumer may take its time: beyond `bufferBytes` the watch is cancelled at the node and resumed
 * once the buffer has been read. Iterate a watch once; leaving the loop closes it.
 */
export class Watch implements AsyncIterableIterator<WatchBatch, undefined> {
  readonly #router: Router;
  readonly #range: WireKeyRange;
  readonly #options: WatchOptions;
  readonly #buffer: WatchBuffer;
  readonly #stream: Stream;
  readonly #signal: AbortSignal | null;
  readonly #ready = new Deferred<number>();
  readonly #stopListening: () => void;
  #incarnation: string | null;
  readonly #parts: WatchParts;
  /** Those who asked for a bookmark. */
  #asking: Deferred<number>[] = [];
  readonly #pending: Pending[] = [];
  #error: RollcallError | null = null;
  #over = false;

  /** @internal Watches come from `Client.watch`. */
  constructor(router: Router, prefix: KeyPrefix, selector: KeySelector, options: WatchOptions) {
    this.#router = router;
    this.#range = prefix.into(keyRange(selector));
    this.#options = options;
    this.#parts = new WatchParts(prefix, options.fragments ?? false);
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

  /**
   * Everything up to this revision has been handed out: a watch from the next one on would go on where this
   * one is. It grows with bookmarks also while nothing changes. Null before a watch "from now on" has begun.
   */
  get revision(): number | null {
    return this.#buffer.handed;
  }

  /**
   * Asks the node how far it is: resolves with the revision up to which all changes have arrived here, once
   * there is nothing in between. They may still wait to be iterated.
   */
  requestProgress(): Promise<number> {
    const asking = new Deferred<number>();
    if (this.#over) asking.reject(closed());
    else {
      this.#asking.push(asking);
      this.#stream.say('watchProgress');
    }
    return asking.promise;
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
    const { previous = false, only, progressMs = progressMsUsual } = this.#options;
    // What was seen of another incarnation says nothing to a node of this one, nor the other way round.
    const isSame = this.#incarnation === null || this.#incarnation === this.#router.incarnation;
    return {
      ...this.#range,
      ...{ startRevision: this.#buffer.startRevision, previous, progressMs },
      ...{ noPut: only === 'delete', noDelete: only === 'put' },
      ...{ minRevision: isSame ? this.#router.revision : 0, incarnation: this.#incarnation },
    };
  }

  #item(item: Items['watch'], incarnation: string): void {
    if (this.#over) return;
    // A node that repairs itself names none meanwhile: what it still has to say is of the one before.
    if (incarnation !== '') this.#incarnation ??= incarnation;
    if (incarnation !== '' && this.#incarnation !== incarnation) {
      this.#end(incarnationChanged());
      return;
    }
    this.#router.sawRevision(item.revision);
    if (item.type === 'events') {
      if (this.#buffer.accepts(item.revision)) this.#add(this.#parts.take(item));
    } else if (item.type === 'progress') {
      this.#reached(item.revision);
    } else {
      this.#parts.begin();
      this.#buffer.created(item.revision);
      this.#ready.resolve(this.#buffer.startRevision - 1);
      if (this.#asking.length > 0) this.#stream.say('watchProgress');
    }
  }

  #add(batch: WatchBatch | null): void {
    if (batch === null) return;
    this.#buffer.add(batch);
    this.#deliver();
    if (this.#buffer.full) this.#stream.stop();
  }

  #reached(revision: number): void {
    const isNews = this.#buffer.accepts(revision);
    if (this.#options.progress === true && isNews) this.#add({ revision, events: [], more: false });
    else this.#buffer.reached(revision);
    const asking = this.#asking;
    this.#asking = [];
    for (const one of asking) one.resolve(revision);
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
    this.#ready.reject(error ?? closed());
    for (const one of this.#asking.splice(0)) one.reject(error ?? closed());
    // Whoever waits has seen the buffer empty: the first learns of the error, the others of the end.
    for (const { resolve, reject } of this.#pending.splice(0)) {
      if (this.#error === null) {
        resolve({ done: true, value: undefined });
        continue;
      }
      this.#error = null;
      reject(error ?? closed());
    }
  }
}

function closed(): RollcallError {
  return new RollcallError('closed', 'The watch was closed');
}

function incarnationChanged(): RollcallError {
  const message = 'The cluster was restored from a backup: its history is another one';
  return new RollcallError('incarnationChanged', message);
}
