import type { Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Items } from '../wire/results.ts';
import type { Connection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { mayResume } from './resend.ts';
import type { Router, Waiter } from './router.ts';
import { Word } from './stream.ts';

export interface SnapshotOptions {
  /**
   * From any node, which may be behind what others have already answered. Otherwise from the leader, and
   * then everything is in it that was acknowledged before.
   */
  readonly serializable?: boolean;
  /** Gives it up. */
  readonly signal?: AbortSignal;
  /** How long to look for a node to take it from, in milliseconds; `requestTimeoutMs` unless given. */
  readonly timeoutMs?: number;
}

interface Pending {
  readonly resolve: (result: IteratorResult<Uint8Array, undefined>) => void;
  readonly reject: (error: RollcallError) => void;
}

/** So many pieces of some 192 KiB may be on their way. */
const window = 8;
const permittedAtOnce = 4;
const askAgainMs = 50;
/** A node that sends nothing for so long has given up without a word. */
const idleMs = 60_000;

/**
 * The whole state at one revision, as the bytes of a backup file in pieces; `for await` reads it as fast
 * as its consumer goes. Once it has begun it cannot be resumed: it rejects with what has ended it, such as
 * `connectionLost`, and is then taken anew. Leaving the loop gives it up.
 */
export class Snapshot implements AsyncIterableIterator<Uint8Array, undefined>, Exchange, Waiter {
  readonly method = 'snapshot';
  readonly parameters: object;
  sentAtMs: number | null = null;
  id = 0;
  readonly #router: Router;
  readonly #anywhere: boolean;
  readonly #signal: AbortSignal | null;
  readonly #stopListening: () => void;
  #connection: Connection | null = null;
  #refusal: RollcallError | null = null;
  #timer: Timer | null = null;
  #search: Timer | null = null;
  readonly #pieces: Uint8Array[] = [];
  readonly #pending: Pending[] = [];
  #hasBegun = false;
  #taken = 0;
  #error: RollcallError | null = null;
  #isOver = false;

  /** @internal Snapshots come from `client.cluster.snapshot`. */
  constructor(router: Router, options: SnapshotOptions) {
    this.#router = router;
    this.#anywhere = options.serializable ?? false;
    const minRevision = this.#anywhere ? router.revision : 0;
    this.parameters = { serializable: this.#anywhere, minRevision, window };
    this.#signal = options.signal ?? null;
    this.#stopListening = router.onClose(() => this.#end(closed()));
    this.#signal?.addEventListener('abort', this.#abort, { once: true });
    if (router.closed) this.#end(closed());
    else if (this.#signal?.aborted) this.#abort();
    else this.#begin(options.timeoutMs ?? router.requestTimeoutMs);
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const value = this.#pieces.shift();
    if (value !== undefined) {
      this.#permit();
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== null) {
      const error = this.#error;
      this.#error = null;
      return Promise.reject(error);
    }
    if (this.#isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#pending.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#pieces.length = 0;
    this.#end(null);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  connectionUsable(): void {
    this.#open();
  }

  /** @internal */
  item({ bytes }: Items['snapshot']): void {
    this.#hasBegun = true;
    this.#search?.cancel();
    this.#watchSilence();
    const pending = this.#pending.shift();
    if (pending === undefined) {
      this.#pieces.push(bytes);
      return;
    }
    this.#permit();
    pending.resolve({ done: false, value: bytes });
  }

  /** @internal */
  done(): void {
    this.#end(null);
  }

  /** @internal */
  failed(error: RollcallError): void {
    this.#connection = null;
    if (this.#isOver) return;
    if (this.#hasBegun || !mayResume(error)) {
      this.#end(definite(error));
      return;
    }
    this.#refusal = error;
    this.#timer?.cancel();
    this.#timer = this.#router.clock.after(askAgainMs, () => this.#open());
  }

  #begin(timeoutMs: number): void {
    this.#search = this.#router.clock.after(timeoutMs, () => {
      // A node that was asked may have a lot to write out before it begins.
      if (this.#connection === null) this.#end(definite(this.#refusal ?? nobody(this.#anywhere)));
    });
    this.#open();
  }

  #open(): void {
    if (this.#isOver || this.#connection !== null) return;
    const connection = this.#anywhere
      ? this.#router.anyConnection()
      : this.#router.leaderConnection();
    if (connection === null) {
      this.#router.await(this);
      return;
    }
    this.#connection = connection;
    this.#watchSilence();
    connection.send(this);
  }

  #permit(): void {
    this.#taken++;
    const connection = this.#connection;
    if (this.#taken < permittedAtOnce || connection === null || this.id === 0) return;
    connection.send(new Word('permit', { id: this.id, items: this.#taken }));
    this.#taken = 0;
    this.#watchSilence();
  }

  /** Only while nothing is held back here: then it is the node's turn. */
  #watchSilence(): void {
    this.#timer?.cancel();
    this.#timer = this.#router.clock.after(idleMs, () => {
      if (this.#pieces.length > 0) return;
      const message = `${this.#connection?.address} sent nothing for ${idleMs} ms`;
      this.#end(new RollcallError('timeout', message, { definite: true }));
    });
  }

  readonly #abort = (): void => {
    const options = { definite: true, cause: this.#signal?.reason };
    this.#end(new RollcallError('cancelled', 'The snapshot was cancelled', options));
  };

  #end(error: RollcallError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#search?.cancel();
    this.#router.forget(this);
    this.#stopListening();
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#leave();
    this.#error = error;
    for (const { resolve, reject } of this.#pending.splice(0)) {
      if (this.#error === null) resolve({ done: true, value: undefined });
      else reject(this.#error);
      this.#error = null;
    }
  }

  /** Tells the node, if it still sends. */
  #leave(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null || this.id === 0) return;
    const { id, sentAtMs } = this;
    connection.forget(this);
    if (sentAtMs !== null && connection.usable) connection.send(new Word('cancel', { id }));
  }
}

/** A snapshot changes nothing. */
function definite(error: RollcallError): RollcallError {
  const { code, message, details, cause } = error;
  return new RollcallError(code, message, { definite: true, details, cause });
}

function closed(): RollcallError {
  return new RollcallError('closed', 'The client is closed');
}

function nobody(anywhere: boolean): RollcallError {
  return anywhere
    ? new RollcallError('unreachable', 'No endpoint to take the snapshot from')
    : new RollcallError('noLeader', 'No leader to take the snapshot from');
}
