import type { RollcallError } from '../base/errors.ts';
import type { WireSession } from '../wire/frame.ts';
import type { Method } from '../wire/methods.ts';
import type { Connection } from './connection.ts';

/**
 * One request on its way, as a connection sees it. Exactly one of `done` and `failed` is called for
 * each time it was handed to a connection, unless it is taken back first.
 */
export interface Exchange {
  readonly method: Method;
  readonly parameters: object;
  /** Where it belongs as it is sent now; absent or null for what belongs to no session. */
  readonly session?: WireSession | null;
  /** When the connection wrote it to its socket, or null while it surely never left. */
  sentAtMs: number | null;
  /** Its id on the connection that has it; 0 on none. */
  id: number;
  /** One item of a stream. */
  item(body: unknown, connection: Connection): void;
  done(body: unknown, connection: Connection): void;
  failed(error: RollcallError, connection: Connection): void;
}
