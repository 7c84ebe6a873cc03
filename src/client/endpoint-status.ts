import { RollcallError } from '../base/errors.ts';
import type { NodeStatus } from '../wire/results.ts';
import { checkEndpoints, checkTimeout } from './client.ts';
import { Connection } from './connection.ts';
import { realOutside } from './outside.ts';
import { dialWithin, type SocketEvents } from './socket.ts';

/** What one endpoint says of itself, or why it says nothing. */
export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: NodeStatus | null;
  readonly error: RollcallError | null;
}

/**
 * Asks every endpoint once, all at the same time, and waits up to `timeoutMs` for each. Never rejects
 * because of one that is down; `invalidArgument` for what is no list of addresses or no time.
 */
export async function endpointStatuses(
  endpoints: readonly string[],
  timeoutMs: number,
): Promise<readonly EndpointStatus[]> {
  checkEndpoints(endpoints);
  checkTimeout('timeoutMs', timeoutMs);
  return await Promise.all(endpoints.map((endpoint) => endpointStatus(endpoint, timeoutMs)));
}

function endpointStatus(endpoint: string, timeoutMs: number): Promise<EndpointStatus> {
  return new Promise((resolve) => {
    let over = false;
    const finish = (status: NodeStatus | null, error: RollcallError | null): void => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      resolve({ endpoint, status, error });
      connection.close(new RollcallError('closed', 'The status is known'));
    };
    const events = {
      status: (_: Connection, status: NodeStatus) => finish(status, null),
      heard: () => {},
      lost: (_: Connection, { message }: RollcallError) => {
        finish(null, new RollcallError('unreachable', message));
      },
    };
    const timer = setTimeout(() => {
      finish(
        null,
        new RollcallError('unreachable', `${endpoint}: no answer within ${timeoutMs} ms`),
      );
    }, timeoutMs);
    // Longer than the timer, which then says what was waited for.
    const outside = {
      ...realOutside,
      dial: (address: string, events: SocketEvents) =>
        dialWithin(timeoutMs + 1000, address, events),
    };
    const connection = new Connection(endpoint, events, { minMs: 20, maxMs: 1000 }, outside);
    connection.dial();
  });
}
