/**
 * Keeps the sessions under which this client's writes are done exactly once: one while the client lives,
 * and more while it has more writes under way than one session has results for.
 *
 *     none ──a write──▶ opening ──▶ open ──renewed while the client lives──▶ closed with it
 *      ▲                   │          │
 *      │     no sessions   ▼          └── expired, or another incarnation: all that was ever sent under
 *      │◀── for a while: without          it ends in doubt, and nothing of it is sent again
 *      └─────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * A write stays under the session that it was first sent under.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Method } from '../wire/methods.ts';
import type { Results } from '../wire/results.ts';
import type { CallOptions, Request } from './call.ts';
import { Session, type SessionPlace } from './session.ts';

/** After a cluster has said that it knows no sessions, writes go without for so long. */
const withoutMs = 1000;
const reopenMs = 50;
/** At the end of a client its session is closed if that can be done at once. */
const closeMsMax = 300;
/** How long a renewal may take, and the least time between two of them. */
const renewalMsMin = 5000;
/** As many as have room for all that may be unanswered on one connection. */
const sessionsMax = 16;

export interface SessionHost {
  readonly clock: Clock;
  readonly closed: boolean;
  readonly requestTimeoutMs: number;
  call(request: Request, options: CallOptions): Promise<unknown>;
  /** Writes that wait may go on now. */
  sessionReady(): void;
  /** No session can be had: writes that wait for one end with this. */
  sessionRefused(error: RollcallError): void;
  /** What was ever sent under the session ends with this. */
  sessionLost(session: Session, error: RollcallError): void;
}

export class SessionKeeper {
  readonly #host: SessionHost;
  /** The first is renewed while the client lives, the others while they have something under way. */
  #sessions: readonly Session[] = [];
  #opening = 0;
  /** Until then writes go without a session. */
  #withoutUntilMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;

  constructor(host: SessionHost) {
    this.#host = host;
  }

  /** A place for a write that is about to be sent; `wait` until `sessionReady`; `without` a session. */
  place(): SessionPlace | 'wait' | 'without' {
    const nowMs = this.#host.clock.monotonic();
    for (const session of this.#sessions) {
      if (session.hasRoom && !isDoubtful(session, nowMs)) return session.next();
    }
    if (nowMs < this.#withoutUntilMs) return 'without';
    if (this.#opening > 0) return 'wait';
    // With nothing in doubt under those that may have ended by now, others are as good.
    this.#sessions = this.#sessions.filter((session) => !isDoubtful(session, nowMs));
    const open = this.#sessions.length;
    // The more it has taken so far, the more there is to come.
    for (let more = Math.min(Math.max(open, 1), sessionsMax - open); more > 0; more--) {
      void this.#open();
    }
    return 'wait';
  }

  /** The cluster does not know the session any more, or is another one than that it was opened with. */
  lost(session: Session, error: RollcallError): void {
    this.#forget(session);
    this.#host.sessionLost(session, error);
  }

  /** The cluster was restored, and all sessions ended with what was before. */
  incarnationChanged(): void {
    const message = 'The cluster was restored while the write was under way';
    const error = new RollcallError('incarnationChanged', message);
    for (const session of this.#sessions) this.lost(session, error);
  }

  /** Ends what can be ended at once; the rest ends by itself. */
  async close(): Promise<void> {
    const sessions = this.#sessions;
    this.stop();
    // What is under way would be refused.
    await Promise.all(sessions.filter(({ isIdle }) => isIdle).map((one) => this.#close(one)));
  }

  /** Stops without a word to the cluster. */
  stop(): void {
    this.#sessions = [];
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #open(): Promise<void> {
    const { clock, requestTimeoutMs } = this.#host;
    this.#opening++;
    const sentAtMs = clock.monotonic();
    try {
      const body = await this.#call('sessionOpen', {}, requestTimeoutMs);
      const { sessionId, ttlMs } = body as Results['sessionOpen'];
      this.#sessions = [...this.#sessions, new Session(sessionId, ttlMs, sentAtMs)];
      this.#arm();
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      if (error.code === 'featureLevelTooLow' || error.code === 'unknownMethod') {
        this.#withoutUntilMs = clock.monotonic() + withoutMs;
      } else if (!this.#host.closed) {
        // Those that wait for a leader, or for room in the sessions that there are, have deadlines of their own.
        const isPassing = error.code === 'noLeader' || error.code === 'timeout';
        if (!isPassing && this.#sessions.length === 0) this.#host.sessionRefused(error);
        await new Promise<void>((resolve) => clock.after(reopenMs, resolve));
      }
    } finally {
      this.#opening--;
    }
    if (!this.#host.closed) this.#host.sessionReady();
  }

  #arm(): void {
    if (this.#timer !== null || this.#sessions.length === 0 || this.#host.closed) return;
    const { clock } = this.#host;
    const nowMs = clock.monotonic();
    const dueMs = Math.min(...this.#sessions.map((session) => renewalDueMs(session)));
    this.#timer = clock.after(Math.max(dueMs - nowMs, renewalMsMin), () => {
      this.#timer = null;
      this.#renewAll();
      this.#arm();
    });
  }

  #renewAll(): void {
    const nowMs = this.#host.clock.monotonic();
    for (const [at, session] of this.#sessions.entries()) {
      // Writes are signs of life as well.
      if (renewalDueMs(session) > nowMs) continue;
      if (at === 0 || !session.isIdle) {
        void this.#renew(session, nowMs);
      } else {
        this.#forget(session);
        void this.#close(session);
      }
    }
  }

  async #renew(session: Session, sentAtMs: number): Promise<void> {
    const { id: sessionId, acknowledgedThrough } = session;
    try {
      await this.#call('sessionRenew', { sessionId, acknowledgedThrough }, renewalMsMin);
      session.confirmed(sentAtMs);
    } catch (error) {
      // Whatever else it was, it is tried again a little later.
      const isExpired = error instanceof RollcallError && error.code === 'sessionExpired';
      if (isExpired && this.#sessions.includes(session)) this.lost(session, error);
    }
  }

  async #close({ id: sessionId }: Session): Promise<void> {
    await this.#call('sessionClose', { sessionId }, closeMsMax).catch(() => {});
  }

  #forget(session: Session): void {
    this.#sessions = this.#sessions.filter((one) => one !== session);
  }

  #call(method: Method, parameters: object, timeoutMs: number): Promise<unknown> {
    return this.#host.call({ method, parameters, anywhere: false }, { timeoutMs });
  }
}

/** It may have ended by now, and nothing is under way that depends on it. */
function isDoubtful(session: Session, nowMs: number): boolean {
  return session.isIdle && nowMs - session.confirmedAtMs > (session.ttlMs * 3) / 4;
}

function renewalDueMs(session: Session): number {
  return session.confirmedAtMs + session.ttlMs / 3;
}
