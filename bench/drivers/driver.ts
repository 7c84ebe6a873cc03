import type { Operation } from '../load/loads.ts';

/** One connection to a server, as the generator drives it. */
export interface Connection {
  /** Starts the request of a slot; it may wait for `flush`. A slot has one request open at a time. */
  send(slot: number, key: number): void;
  flush(): void;
  close(): void;
}

export interface ConnectOptions {
  /** `host:port` of the leader. */
  readonly endpoint: string;
  readonly operation: Operation;
  readonly outstanding: number;
  /** Called once for each request; `failure` is null when the answer is what it must be. */
  readonly answered: (slot: number, failure: string | null) => void;
  /** The connection is gone; what was open on it stays unanswered. */
  readonly lost: (reason: string) => void;
}

export type Connect = (options: ConnectOptions) => Promise<Connection>;
export type DriverName = 'frames' | 'sdk' | 'http2';
