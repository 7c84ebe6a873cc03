/** What the client connections of a node share. */
import type { Clock } from '../base/clock.ts';
import type { LogFields } from '../base/log.ts';
import type { MemberApi } from '../node/types.ts';
import type { ClientConnection } from './client-connection.ts';

export interface EndpointBounds {
  readonly connectionsMax: number;
  /** Connections whose HTTP request or upgrade is not complete. */
  readonly pendingMax: number;
  readonly handshakeTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** How often statuses are pushed and the bounds counted in ticks are looked at. */
  readonly tickMs: number;
  /** Until a new connection has sent its first frame; the answer to our ping is enough. */
  readonly firstSignTicksMax: number;
  /** From a message's first byte to its last. */
  readonly messageTicksMax: number;
  /** A ping leaves after so many ticks of silence; twice as many end the connection. */
  readonly silentTicksMax: number;
  readonly inFlightMax: number;
  readonly streamsMax: number;
  /** Unsent bytes at which a connection's streams pause, and below which they go on. */
  readonly streamBacklogBytesMax: number;
  /** Unsent bytes at which no more requests are read. */
  readonly readBacklogBytesMax: number;
  /** Unsent bytes at which the connection ends. */
  readonly backlogBytesMax: number;
  /** Unfinished messages of all connections together. */
  readonly unfinishedBytesMax: number;
}

const mebi = 1024 * 1024;

export const defaultBounds: EndpointBounds = {
  connectionsMax: 10_000,
  pendingMax: 1000,
  handshakeTimeoutMs: 5000,
  requestTimeoutMs: 10_000,
  tickMs: 1000,
  firstSignTicksMax: 5,
  messageTicksMax: 10,
  silentTicksMax: 10,
  inFlightMax: 10_000,
  streamsMax: 10_000,
  streamBacklogBytesMax: mebi,
  readBacklogBytesMax: 4 * mebi,
  backlogBytesMax: 64 * mebi,
  unfinishedBytesMax: 256 * mebi,
};

export interface ConnectionContext {
  readonly clock: Clock;
  readonly bounds: EndpointBounds;
  /** Null before birth. */
  member(): MemberApi | null;
  /** For what an unborn member waits. */
  waitsFor(): string;
  /** The encoded header of every frame. */
  header(): Uint8Array;
  /** The encoded status of this node, as the result of a request. */
  statusItem(id: number): Uint8Array;
  /** Has the connection's `flush` called at the end of the turn. */
  flushSoon(connection: ClientConnection): void;
  /** The same for what its streams send: after a moment where many others do. */
  flushStreams(connection: ClientConnection): void;
  /** Accounts for unfinished messages; false when there are too many bytes of them. */
  holds(changeBytes: number): boolean;
  complain(fields: LogFields, reason: string): void;
  closed(connection: ClientConnection): void;
}
