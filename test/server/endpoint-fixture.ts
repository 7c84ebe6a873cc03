import { silentLog } from '../../src/base/log.ts';
import { type ClientEndpoint, openClientEndpoint } from '../../src/server/client-endpoint.ts';
import type { EndpointBounds } from '../../src/server/connection-context.ts';
import type { Debug } from '../../src/server/debug.ts';
import { systemClock } from '../../src/server/system-clock.ts';
import { Inbox } from '../transport/inbox.ts';
import { MapMember } from './map-member.ts';
import { RawClient } from './raw-client.ts';

export interface Fixture {
  readonly endpoint: ClientEndpoint;
  readonly member: MapMember;
  readonly warnings: Inbox<string>;
  /** Whether the endpoint sees the member yet. */
  isBorn: boolean;
  connect(): Promise<RawClient>;
  close(): Promise<void>;
}

export async function openFixture(
  bounds: Partial<EndpointBounds> = {},
  isBorn = true,
  debug: Debug | null = null,
  listen = '127.0.0.1:0',
): Promise<Fixture> {
  const member = new MapMember();
  const warnings = new Inbox<string>();
  const state = { isBorn };
  const clients: RawClient[] = [];
  const endpoint = await openClientEndpoint({
    listen,
    provider: {
      memberId: () => '00000000000000a1',
      name: 'a',
      member: () => (state.isBorn ? member : null),
      waitsFor: () => 'b and c',
    },
    clock: systemClock,
    log: { ...silentLog, warn: (_fields, message) => warnings.push(message) },
    version: '9.9.9',
    allowedHosts: ['rollcall.example'],
    debug,
    bounds,
  });
  return Object.assign(state, {
    endpoint,
    member,
    warnings,
    async connect() {
      const client = new RawClient(endpoint.address);
      clients.push(client);
      return client.opened();
    },
    async close() {
      for (const { socket } of clients) socket.terminate();
      await endpoint.close();
    },
  });
}
