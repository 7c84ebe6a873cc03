import { RollcallError } from '../base/errors.ts';
import type { WireSession } from '../wire/frame.ts';
import type { Method } from '../wire/methods.ts';
import type { Connection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { isRepeatable, mayResend, wantsSession } from './resend.ts';
import type { Session, SessionPlace } from './session.ts';

export interface CallOptions {
  /** In milliseconds, above 0, instead of the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number;
  /** Gives the request up. A write that has left may still happen. */
  readonly signal?: AbortSignal;
}

export interface Request {
  readonly method: Method;
  readonly parameters: object;
  readonly anywhere: boolean;
}

/** Who carries calls: gets them back where they may be sent again, and hears when one is over. */
export interface CallOwner {
  again(call: Call, error: RollcallError, connection: Connection): void;
  ended(call: Call, connection: Connection | null): void;
  /** The cluster says that the session of a call has ended. */
  expired(session: Session, error: RollcallError): void;
}

/**
 * One request that is answered once. It lives until its answer, its deadline, its signal or the
 * client's end; in between it may travel over several connections, one at a time. A write keeps its
 * place in a session on all of them, so that it is done once.
 */
export class Call implements Exchange {
  readonly method: Method;
  readonly parameters: object;
  /** Any node may answer it, not only the leader. */
  readonly anywhere: boolean;
  readonly deadlineMs: number;
  readonly repeatable: boolean;
  /** A write that is to be done once. */
  readonly wantsSession: boolean;
  /** In the session, from when it was first sent; null before, and without a session. */
  place: SessionPlace | null = null;
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
  /** A copy has left whose fate is not known. */
  #isInDoubt = false;
  #over = false;

  constructor(
    owner: CallOwner,
    request: Request,
    deadlineMs: number,
    resolve: (body: unknown) => void,
    reject: (error: RollcallError) => void,
  ) {
    this.#owner = owner;
    this.method = request.method;
    this.parameters = request.parameters;
    this.anywhere = request.anywhere;
    this.repeatable = isRepeatable(request.method, request.parameters);
    this.wantsSession = wantsSession(request.method, request.parameters);
    this.deadlineMs = deadlineMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Whether failing now leaves no doubt: it never left, or repeats nothing. */
  get definite(): boolean {
    return this.repeatable || (this.sentAtMs === null && !this.#isInDoubt);
  }

  /** Whether it may be sent again now, whatever became of it so far. */
  get mayRepeat(): boolean {
    return this.definite || this.place !== null;
  }

  get session(): WireSession | null {
    return this.place?.header ?? null;
  }

  listen(signal: AbortSignal): void {
    this.#signal = signal;
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  item(): void {
    // Methods that answer once send no items; a server that does is ahead of us, and harmless.
  }

  done(body: unknown, connection: Connection): void {
    if (this.sentAtMs !== null) this.place?.session.confirmed(this.sentAtMs);
    if (this.#finish(connection)) this.#resolve(body);
  }

  failed(error: RollcallError, connection: Connection): void {
    if (this.#over) return;
    this.connection = null;
    const unsent = this.sentAtMs === null && !error.definite;
    const failure = unsent ? withDefinite(error, true) : error;
    if (mayResend(failure, this.repeatable || this.place !== null)) {
      if (!failure.definite && !this.repeatable) this.#isInDoubt = true;
      this.sentAtMs = null;
      this.refusal = failure;
      this.refusals++;
      this.#owner.again(this, failure, connection);
      return;
    }
    const session = this.place?.session;
    // What was refused is this copy; only an outcome that the session keeps tells of all of them.
    const { sequence } = failure.details;
    const isDecided = session !== undefined && sequence === this.place?.sequence;
    this.end(this.#isInDoubt && !isDecided ? withDefinite(failure, false) : failure);
    if (error.code === 'sessionExpired' && session) this.#owner.expired(session, error);
  }

  /** Taken back from its connection, to be sent anew. Only while it may be repeated. */
  recall(): void {
    if (!this.definite) this.#isInDoubt = true;
    this.connection?.forget(this);
    this.connection = null;
    this.sentAtMs = null;
  }

  /** Gives up the place in a session that has ended. Only while no copy has left. */
  release(): void {
    this.recall();
    this.place = null;
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
    this.place?.settle();
    this.#owner.ended(this, connection);
    return true;
  }
}

function withDefinite(error: RollcallError, definite: boolean): RollcallError {
  const { code, message, details, cause } = error;
  return new RollcallError(code, message, { definite, details, cause });
}
