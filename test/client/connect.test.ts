import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connect, endpointStatuses } from '../../src/client/index.ts';
import { PeerCluster } from './peer.ts';

let cluster: PeerCluster;

beforeEach(async () => {
  cluster = await PeerCluster.start(3);
});

afterEach(() => cluster.stop());

/** Runs `body` with the address of the server, on a port that the system chose. */
async function listening(server: Server, body: (address: string) => Promise<void>): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await body(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

test.each([0, -1, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY])(
  'a timeout of %d is refused before anything is asked',
  async (timeoutMs) => {
    const refused = { code: 'invalidArgument' };
    const { endpoints } = cluster;
    await expect(connect({ endpoints, requestTimeoutMs: timeoutMs })).rejects.toMatchObject(
      refused,
    );
    await expect(endpointStatuses(endpoints, timeoutMs)).rejects.toMatchObject(refused);
  },
);

test('what is no key, no value and no service is refused with a code', async () => {
  const client = await connect({ endpoints: cluster.endpoints });
  const nothing = undefined as never;
  const refused = { code: 'invalidArgument' };
  await expect(client.put('a', nothing)).rejects.toMatchObject(refused);
  await expect(client.put(nothing, 'a')).rejects.toMatchObject(refused);
  await expect(client.get(null as never)).rejects.toMatchObject(refused);
  await expect(client.delete({ prefix: nothing })).rejects.toMatchObject(refused);
  await expect(client.get('a', { timeoutMs: 0 })).rejects.toMatchObject(refused);
  const registration = client.registry.register({ service: nothing, address: 'h:1' });
  await expect(registration).rejects.toMatchObject(refused);
  await client.close();
});

test('nodes that all wait for their cluster are `notBorn`, and one that does not is `noLeader`', async () => {
  cluster.clusterId = '';
  cluster.leader = null;
  const client = await connect({ endpoints: cluster.endpoints });
  const unborn = client.put('a', '1', { timeoutMs: 100 });
  await expect(unborn).rejects.toMatchObject({ code: 'notBorn', definite: true });
  await expect(unborn).rejects.toThrow('waits for its cluster to begin');
  cluster.clusterId = '00000000000000c1';
  cluster.node(0).pushStatus();
  const leaderless = client.put('a', '1', { timeoutMs: 100 });
  await expect(leaderless).rejects.toMatchObject({ code: 'noLeader', definite: true });
  await client.close();
});

test('the endpoints are known with the leader that they name', async () => {
  const client = await connect({ endpoints: cluster.endpoints });
  await client.put('a', '1');
  expect(client.endpoints.find(({ leads }) => leads)).toMatchObject({ leaderName: 'n1' });
  await client.close();
});

test('an endpoint that is no node is told by what it answers', async () => {
  const server = createHttpServer();
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\nThis is\u001b[2J the peer port\nand more');
  });
  await listening(server, async (endpoint) => {
    const [asked] = await endpointStatuses([endpoint], 5000);
    expect(asked).toMatchObject({ status: null, error: { code: 'unreachable' } });
    expect(asked?.error?.message).toBe(
      `${endpoint}: it answered HTTP 400: This is?[2J the peer port`,
    );
  });
});

test('an endpoint that accepts and stays silent is waited for as long as was said', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  await listening(server, async (endpoint) => {
    const [asked] = await endpointStatuses([endpoint], 2300);
    expect(asked?.error?.message).toBe(`${endpoint}: no answer within 2300 ms`);
    for (const socket of sockets) socket.destroy();
  });
  expect(sockets).toHaveLength(1);
});
