import { RollcallError } from '../base/errors.ts';
import type { Method } from '../wire/methods.ts';
import type { Connection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { isRepeatable, mayResend } from './resend.ts';

export interface CallOptions {
  /** In milliseconds, above 0, instead of the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Gives the request up. A write that has left may still happen. */
  readonly signal?: AbortSignal;
}

/** Who carries calls: gets them back where they may be sent again, and hears when one is over. */
export interface CallOwner {
  again(call: Call, error: RollcallError, connection: Connection): void;
  ended(call: Call, connection: Connection | null): void;
}

/**
 * One request that is answered once. It lives until its answer, its deadline, its signal or the
 * client's end; in between it may travel over several connections, one at a time.
 */
export class Call implements Exchange {
  readonly method: Method;
  readonly parameters: object;
  /** Any node may answer it, not only the leader. */
  readonly anywhere: boolean;
  readonly deadlineMs: number;
  readonly repeatable: boolean;
  sentAtMs: number | null = null;
  id = 0;
  connection: Connection | null = null;
  /** The newest refusal that was not its end. */
  refusal: RollcallError | null = null;
  /** How often it was refused since it last waited. */
  refusals = 0;
  readonly #owner: CallOwner;
  readonly #resolve: (body: unknown) => void;
  readonly #reject: (error: RollcallError) => void;
  #signal: AbortSignal | null = null;
  #over = false;

  constructor(
    owner: CallOwner,
    request: { readonly method: Method; readonly parameters: object; readonly anywhere: boolean },
    deadlineMs: number,
    resolve: (body: unknown) => void,
    reject: (error: RollcallError) => void,
  ) {
    this.#owner = owner;
    this.method = request.method;
    this.parameters = request.parameters;
    this.anywhere = request.anywhere;
    this.repeatable = isRepeatable(request.method, request.parameters);
    this.deadlineMs = deadlineMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether failing now leaves no doubt: it never left, or repeats nothing. */
  get definite(): boolean {
    return this.sentAtMs === null || this.repeatable;
  }

  listen(signal: AbortSignal): void {
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  item(): void {
    // Methods that answer once send no items; a server that does is ahead of us, and harmless.
  }

  done(body: unknown, connection: Connection): void {
    if (this.#finish(connection)) this.#resolve(body);
  }

  failed(error: RollcallError, connection: Connection): void {
    if (this.#over) return;
    this.connection = null;
    const unsent = this.sentAtMs === null && !error.definite;
    const failure = unsent ? withDefinite(error, true) : error;
    if (mayResend(failure, this.repeatable)) {
      this.sentAtMs = null;
      this.refusal = failure;
      this.refusals++;
      this.#owner.again(this, failure, connection);
    } else {
      this.end(failure);
    }
  }

  /** Taken back from its connection, to be sent anew. Only while `definite`. */
  recall(): void {
    this.connection?.forget(this);
    this.connection = null;
    this.sentAtMs = null;
  }

  /** Ends it with an error wherever it is. */
  end(error: RollcallError): void {
    if (this.#finish(this.connection)) this.#reject(error);
  }

  readonly #abort = (): void => {
    const options = { definite: this.definite, cause: this.#signal?.reason };
    this.end(new RollcallError('cancelled', `The ${this.method} request was cancelled`, options));
  };

  #finish(connection: Connection | null): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#signal?.removeEventListener('abort', this.#abort);
    this.connection = null;
    this.#owner.ended(this, connection);
    return true;
  }
}

function withDefinite(error: RollcallError, definite: boolean): RollcallError {
  const { code, message, details, cause } = error;
  return new RollcallError(code, message, { definite, details, cause });
}
