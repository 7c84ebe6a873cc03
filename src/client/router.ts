/**
 * Decides which connection carries what, and when to give up on one.
 *
 *     call ──► waiting ──► leader's connection ──► answer
 *                 ▲              │ refused, lost (and safe to repeat), silent
 *                 └──────────────┘
 *
 * One sweep every few milliseconds, while calls are open, takes the place of a timer per request: it
 * ends what is overdue, pings all endpoints when something is unanswered for long, and declares an
 * endpoint silent that does not even answer that. A sweep that comes late proves that this process
 * was paused: then answers may lie unread in the sockets, so it excuses everybody and looks again.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { type ErrorCode, RollcallError } from '../base/errors.ts';
import type { Random } from '../base/prng.ts';
import type { NodeStatus } from '../wire/results.ts';
import { Call, type CallOptions, type CallOwner, type Request } from './call.ts';
import { Connection, type ConnectionEvents } from './connection.ts';
import { outage } from './outage.ts';
import type { Outside } from './outside.ts';
import { Probe } from './probe.ts';
import { Seen } from './seen.ts';
import type { Session } from './session.ts';
import { type SessionHost, SessionKeeper } from './session-keeper.ts';
import { Topology } from './topology.ts';

const sweepMs = 20;
/** Later than this, a sweep excuses the silence before it. */
const sweepLateMs = 120;
const probeAfterMs = 100;
const silentAfterMs = 400;
/** Nodes speak every second; a socket that stays quiet for longer than this leads nowhere. */
const deadAfterMs = 2500;
const heartbeatMs = 500;
/** Members that were learned from others, beyond the given endpoints. */
const learnedEndpointsMax = 16;
const redial = { minMs: 20, maxMs: 1000 };
/** A node that stops would refuse until its socket closes, and what it is sent then is in doubt. */
const depositions: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['notLeader', 'closed', 'removed']);

export interface RouterOptions {
  readonly endpoints: readonly string[];
  readonly requestTimeoutMs: number;
  readonly learnEndpoints: boolean;
  /** Whether writes come under a session. */
  readonly sessions: boolean;
  readonly outside: Outside;
}

interface Link {
  readonly connection: Connection;
  readonly probe: Probe;
  /** The dial after which the node was last spoken to. */
  greeted: number;
}

/** Streams wait for a connection that any node may provide. */
export interface Waiter {
  connectionUsable(): void;
}

export class Router implements CallOwner, ConnectionEvents, SessionHost {
  readonly #links = new Map<string, Link>();
  readonly #topology: Topology;
  readonly #waiting = new Set<Call>();
  readonly #waiters = new Set<Waiter>();
  readonly #requestTimeoutMs: number;
  readonly #outside: Outside;
  readonly #endpointsMax: number;
  readonly #learns: boolean;
  #heartbeat: Timer | null = null;
  readonly #closing = new Set<() => void>();
  #sweeper: Timer | null = null;
  #sweptAtMs = 0;
  /** The last sweep came late and judged nobody. The next one does, or a busy loop would never time out. */
  #excused = false;
  #checkedAtMs = 0;
  #probedAtMs = 0;
  #openCalls = 0;
  #turn = 0;
  #ledBy: string | null = null;
  /** The highest term whose leader was dialled out of turn. */
  #hurriedTerm = 0;
  #clusterId = '';
  readonly #seen = new Seen();
  /** Null: all writes go without a session. */
  readonly #sessions: SessionKeeper | null;
  #flushDue = false;
  /** Takes nothing more, while the session is closed. */
  #isClosing = false;
  #closed = false;

  constructor(options: RouterOptions) {
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#outside = options.outside;
    this.#topology = new Topology(options.endpoints);
    this.#learns = options.learnEndpoints;
    this.#endpointsMax = options.endpoints.length + learnedEndpointsMax;
    this.#checkedAtMs = this.clock.monotonic();
    this.#sessions = options.sessions ? new SessionKeeper(this) : null;
    this.onIncarnation(() => this.#sessions?.incarnationChanged());
    for (const address of this.#topology.addresses) this.#connect(address);
    this.#scheduleLivenessCheck();
  }

  get requestTimeoutMs(): number {
    return this.#requestTimeoutMs;
  }

  get random(): Random {
    return this.#outside.random;
  }

  get clock(): Clock {
    return this.#outside.clock;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get leader(): string | null {
    return this.#topology.leader;
  }

  get clusterId(): string {
    return this.#clusterId;
  }

  get incarnation(): string {
    return this.#seen.incarnation;
  }

  /** The highest revision that any answer of this incarnation carried. */
  get revision(): number {
    return this.#seen.revision;
  }

  get connections(): readonly Connection[] {
    return [...this.#links.values()].map((link) => link.connection);
  }

  /** The name of the leader as the endpoint said last. */
  leaderNamedBy(address: string): string | null {
    return this.#topology.status(address)?.leaderName ?? null;
  }

  sawRevision(revision: number): void {
    this.#seen.sawRevision(revision);
  }

  /** Calls back whenever the cluster turns out to be restored. */
  onIncarnation(listener: () => void): void {
    this.#seen.onIncarnation(listener);
  }

  /** Calls back when the client closes; returns the way to stop that. */
  onClose(listener: () => void): () => void {
    this.#closing.add(listener);
    return () => this.#closing.delete(listener);
  }

  call(request: Request, options: CallOptions | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed || this.#isClosing) {
        throw new RollcallError('closed', 'The client is closed');
      }
      const signal = options?.signal;
      if (signal?.aborted) {
        const reason = { definite: true, cause: signal.reason };
        throw new RollcallError('cancelled', `The ${request.method} request was cancelled`, reason);
      }
      const timeoutMs = options?.timeoutMs ?? this.#requestTimeoutMs;
      if (!(timeoutMs > 0)) {
        throw new RollcallError('invalidArgument', `timeoutMs is ${timeoutMs}, not above 0`);
      }
      const deadlineMs = this.clock.monotonic() + timeoutMs;
      const call = new Call(this, request, deadlineMs, resolve, reject);
      if (signal !== undefined) call.listen(signal);
      this.#openCalls++;
      if (this.#sweeper === null) this.#startSweeping();
      this.#dispatch(call);
    });
  }

  /** A usable connection for what any node may answer; another one each time. */
  anyConnection(except: Connection | null = null): Connection | null {
    const usable = this.#topology.usable();
    for (let count = 0; count < usable.length; count++) {
      const address = usable[this.#turn++ % usable.length] as string;
      const connection = this.#links.get(address)?.connection;
      if (connection?.usable && connection !== except) return connection;
    }
    return null;
  }

  /** The connection to the leader while it is known and usable. */
  leaderConnection(): Connection | null {
    const address = this.#topology.leader;
    if (address === null) return null;
    const connection = this.#links.get(address)?.connection;
    return connection?.usable ? connection : null;
  }

  await(waiter: Waiter): void {
    this.#waiters.add(waiter);
  }

  forget(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  again(call: Call, error: RollcallError, connection: Connection): void {
    if (depositions.has(error.code)) {
      this.#topology.refused(connection.address, connection.header.term);
    }
    // Everybody was asked: it waits for the next sweep, or the refusals would go round in circles.
    if (call.refusals >= this.#topology.usable().length) this.#wait(call);
    else this.#dispatch(call, connection);
  }

  ended(call: Call, connection: Connection | null): void {
    this.#openCalls--;
    this.#waiting.delete(call);
    connection?.forget(call);
    // There may be room in the session again.
    if (call.place !== null && this.#waiting.size > 0) this.sessionReady();
  }

  expired(session: Session, error: RollcallError): void {
    this.#sessions?.lost(session, error);
  }

  sessionReady(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.clock.soon(() => {
      this.#flushDue = false;
      this.#flush();
    });
  }

  sessionRefused(error: RollcallError): void {
    const { code, message, details } = error;
    for (const call of [...this.#waiting]) {
      if (!call.wantsSession || call.place !== null) continue;
      call.end(new RollcallError(code, message, { definite: true, details, cause: error }));
    }
  }

  sessionLost(session: Session, { code, message }: RollcallError): void {
    for (const call of this.#calls()) {
      if (call.place?.session !== session) continue;
      if (call.definite) {
        call.release();
        this.#wait(call);
      } else {
        call.end(new RollcallError(code, message, { definite: false }));
      }
    }
    this.sessionReady();
  }

  /** Ends the session, if that can be done at once. */
  async closeSession(): Promise<void> {
    const closing = this.leaderConnection() === null ? null : this.#sessions?.close();
    this.#isClosing = true;
    await closing;
  }

  status(connection: Connection, status: NodeStatus): void {
    const link = this.#links.get(connection.address);
    // A word after the handshake, also to nodes that we may never need: they hang up on who says none.
    if (link !== undefined && link.greeted !== connection.dials) {
      link.greeted = connection.dials;
      if (link.probe.id === 0) connection.send(link.probe);
    }
    if (this.#clusterId === '') this.#clusterId = status.clusterId;
    if (status.clusterId !== '' && status.clusterId !== this.#clusterId) {
      const message = `${connection.address} belongs to cluster ${status.clusterId}, not ${this.#clusterId}`;
      connection.drop(new RollcallError('clusterMismatch', message));
      return;
    }
    this.#seen.sawIncarnation(status.incarnation);
    this.#topology.observed(connection.address, status);
    this.#learnEndpoints();
    this.#hurryToLeader();
    if (this.#topology.leader !== this.#ledBy) {
      this.#ledBy = this.#topology.leader;
      for (const link of this.#links.values()) this.#recall(link.connection);
    }
    this.#flush();
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) waiter.connectionUsable();
  }

  heard(connection: Connection): void {
    this.#topology.heard(connection.address);
  }

  lost(connection: Connection): void {
    this.#topology.disconnected(connection.address);
  }

  /** Ends every call with `closed`, closes the sockets; idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#heartbeat?.cancel();
    this.#sweeper?.cancel();
    this.#sweeper = null;
    this.#sessions?.stop();
    const listeners = [...this.#closing];
    this.#closing.clear();
    for (const listener of listeners) listener();
    for (const call of this.#calls()) {
      call.end(new RollcallError('closed', 'The client was closed', { definite: call.definite }));
    }
    const error = new RollcallError('closed', 'The client was closed');
    for (const { connection } of this.#links.values()) connection.close(error);
    this.#waiters.clear();
  }

  #connect(address: string): void {
    const connection = new Connection(address, this, redial, this.#outside);
    this.#links.set(address, { connection, probe: new Probe(this), greeted: 0 });
    connection.dial();
  }

  #learnEndpoints(): void {
    if (!this.#learns) return;
    for (const address of this.#topology.unknownAddresses()) {
      if (this.#links.size >= this.#endpointsMax) return;
      this.#topology.add(address);
      this.#connect(address);
    }
  }

  /** Dials a new leader out of turn, once a term: others go on naming one that has died for a while. */
  #hurryToLeader(): void {
    const away = this.#topology.awayLeader();
    if (away === null || away.term <= this.#hurriedTerm) return;
    this.#hurriedTerm = away.term;
    this.#links.get(away.address)?.connection.hurry();
  }

  /** `except` has just refused the call: it is asked again only after news or at the next sweep. */
  #dispatch(call: Call, except: Connection | null = null): void {
    const connection = call.anywhere ? this.anyConnection(except) : this.leaderConnection();
    if (connection === null || connection === except || this.#closed || !this.#placed(call)) {
      this.#wait(call);
      return;
    }
    call.connection = connection;
    connection.send(call);
  }

  /** Whether the call has its place in a session, or needs none. */
  #placed(call: Call): boolean {
    if (call.place !== null || !call.wantsSession || this.#sessions === null) return true;
    const place = this.#sessions.place();
    if (place === 'wait') return false;
    if (place !== 'without') call.place = place;
    return true;
  }

  /** It could go, but that its sessions have no room. */
  #isHeldBack(call: Call): boolean {
    return call.wantsSession && call.place === null && this.leaderConnection() !== null;
  }

  #wait(call: Call): void {
    call.refusals = 0;
    this.#waiting.add(call);
  }

  /** Sends what waits, if there is anybody to send it to. */
  #flush(): void {
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) this.#dispatch(call);
  }

  /**
   * Takes back what a connection holds that does not lead any more. A write that has left without a
   * session stays: an endpoint that still speaks will say what became of it; only one that is silent,
   * while another leads, is given up, and then the write ends in doubt.
   */
  #recall(connection: Connection): void {
    const silent = this.#topology.isSilent(connection.address);
    const leader = this.#topology.leader;
    const deposed = leader !== null && leader !== connection.address;
    for (const exchange of [...connection.exchanges]) {
      if (!(exchange instanceof Call)) continue;
      const unwanted = exchange.anywhere ? silent : silent || deposed;
      // A leader that is merely slow would be slower still if it got everything again.
      const isUnderWay = !exchange.definite && !deposed;
      if (!unwanted || isUnderWay) continue;
      if (exchange.mayRepeat) {
        exchange.recall();
        this.#wait(exchange);
      } else if (silent && deposed) {
        const message = `${connection.address} fell silent, ${leader} leads now`;
        exchange.end(new RollcallError('connectionLost', message));
      }
    }
  }

  #startSweeping(): void {
    this.#excused = false;
    this.#sweptAtMs = this.clock.monotonic();
    this.#sweeper = this.clock.after(sweepMs, this.#sweep);
  }

  readonly #sweep = (): void => {
    this.#sweeper = null;
    if (this.#openCalls === 0) return;
    this.#sweeper = this.clock.after(sweepMs, this.#sweep);
    const now = this.clock.monotonic();
    const late = now - this.#sweptAtMs > sweepLateMs && !this.#excused;
    this.#excused = late;
    this.#sweptAtMs = now;
    if (late) {
      for (const { connection } of this.#links.values()) connection.excuse(now);
      return;
    }
    for (const call of [...this.#waiting]) if (call.deadlineMs <= now) this.#expire(call);
    let unansweredMsMax = 0;
    for (const { connection } of this.#links.values()) {
      const unansweredMs = this.#sweepConnection(connection, now);
      if (unansweredMs > unansweredMsMax) unansweredMsMax = unansweredMs;
    }
    if (unansweredMsMax >= probeAfterMs && now - this.#probedAtMs >= probeAfterMs) this.#probe(now);
    this.#flush();
  };

  /** Returns how long the oldest call on the connection has been unanswered. */
  #sweepConnection(connection: Connection, now: number): number {
    let unansweredMs = 0;
    for (const exchange of connection.exchanges) {
      if (!(exchange instanceof Call)) continue;
      if (exchange.deadlineMs <= now) this.#expire(exchange);
      else if (exchange.sentAtMs !== null) {
        unansweredMs = Math.max(unansweredMs, now - exchange.sentAtMs);
      }
    }
    const quietMs = Math.min(unansweredMs, now - connection.heardAtMs);
    if (quietMs >= silentAfterMs) this.#topology.silenced(connection.address);
    if (unansweredMs > 0) this.#recall(connection);
    return unansweredMs;
  }

  #probe(now: number): void {
    this.#probedAtMs = now;
    for (const { connection, probe } of this.#links.values()) {
      if (!connection.usable) continue;
      // An answer that is long overdue will not come; the next ping may.
      if (probe.sentAtMs !== null && now - probe.sentAtMs > silentAfterMs) connection.forget(probe);
      if (probe.id === 0) connection.send(probe);
    }
  }

  #expire(call: Call): void {
    const cause = call.refusal ?? undefined;
    if (call.anywhere && call.refusal !== null && call.sentAtMs === null) call.end(call.refusal);
    else if (call.definite && this.#isHeldBack(call)) {
      const message = `The ${call.method} request waited for others before it, and was not sent`;
      call.end(new RollcallError('timeout', message, { definite: true, cause }));
    } else if (call.connection === null && call.definite) {
      const leaderless = this.#topology.unborn ? 'notBorn' : 'noLeader';
      const code = call.anywhere ? 'unreachable' : leaderless;
      const message = `Nobody to send the ${call.method} request to: ${outage(this.connections, this.#topology)}`;
      call.end(new RollcallError(code, message, { cause }));
    } else {
      const who = call.connection === null ? 'No leader has' : `${call.connection.address} has not`;
      const message = `${who} answered the ${call.method} request in time`;
      call.end(new RollcallError('timeout', message, { definite: call.definite, cause }));
    }
  }

  #scheduleLivenessCheck(): void {
    this.#heartbeat = this.clock.after(heartbeatMs, () => {
      this.#scheduleLivenessCheck();
      this.#checkLiveness();
    });
  }

  #checkLiveness(): void {
    const now = this.clock.monotonic();
    const late = now - this.#checkedAtMs > 2 * heartbeatMs;
    this.#checkedAtMs = now;
    for (const { connection } of this.#links.values()) {
      if (late) connection.excuse(now);
      else if (connection.quietMs(now) > deadAfterMs) {
        const message = `${connection.address} said nothing for ${deadAfterMs} ms`;
        connection.drop(new RollcallError('connectionLost', message));
      }
    }
  }

  #calls(): readonly Call[] {
    const calls = [...this.#waiting];
    for (const { connection } of this.#links.values()) {
      for (const exchange of connection.exchanges) {
        if (exchange instanceof Call) calls.push(exchange);
      }
    }
    return calls;
  }
}
