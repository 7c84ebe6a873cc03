import { RollcallError } from '../base/errors.ts';
import type { NodeStatus } from '../wire/methods.ts';
import { checkEndpoints } from './client.ts';
import { Connection } from './connection.ts';
import { realOutside } from './outside.ts';

/** What one endpoint says of itself, or why it says nothing. */
export interface EndpointStatus {
  readonly endpoint: string;
  readonly status: NodeStatus | null;
  readonly error: RollcallError | null;
}

/** Asks every endpoint once, all at the same time; never rejects because of one that is down. */
export async function endpointStatuses(
  endpoints: readonly string[],
  timeoutMs: number,
): Promise<readonly EndpointStatus[]> {
  checkEndpoints(endpoints);
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
      finish(null, new RollcallError('unreachable', `${endpoint}: no answer`));
    }, timeoutMs);
    const connection = new Connection(endpoint, events, { minMs: 20, maxMs: 1000 }, realOutside);
    connection.dial();
  });
}
