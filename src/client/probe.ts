import type { NodeStatus } from '../wire/results.ts';
import type { Connection } from './connection.ts';
import type { Exchange } from './exchange.ts';

/** Who hears what a probe has found. */
export interface ProbeOwner {
  status(connection: Connection, status: NodeStatus): void;
}

/** Asks an endpoint whether it is there; at most one at a time for each. */
export class Probe implements Exchange {
  readonly method = 'status';
  readonly parameters = {};
  sentAtMs: number | null = null;
  id = 0;
  readonly #owner: ProbeOwner;

  constructor(owner: ProbeOwner) {
    this.#owner = owner;
  }

  item(): void {
    // A status request is answered once.
  }

  done(body: unknown, connection: Connection): void {
    this.#owner.status(connection, body as NodeStatus);
  }

  failed(): void {
    // The connection's own end says it all.
  }
}
