import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import type { EndpointBounds } from '../../src/server/connection-context.ts';
import { encodeRequest, joinRequests } from '../../src/wire/frame.ts';
import { pack } from '../../src/wire/pack.ts';
import { type Fixture, openFixture } from './endpoint-fixture.ts';
import { RawClient } from './raw-client.ts';

let fixture: Fixture;

async function open(bounds: Partial<EndpointBounds> = {}): Promise<Fixture> {
  fixture = await openFixture(bounds);
  return fixture;
}

afterEach(() => fixture.close());

/** Another client, and one that comes later, are served as ever. */
async function expectUnharmed(other: RawClient): Promise<void> {
  await other.call('leaseList');
  await (await fixture.connect()).call('leaseList');
}

function frameOf(bytes: number): Uint8Array {
  const bare = pack([[1, 'put', { key: 'k', value: new Uint8Array(100_000) }]]).length - 100_000;
  return pack([[1, 'put', { key: 'k', value: new Uint8Array(bytes - bare) }]]);
}

const bomb = new Uint8Array(limits.clientFrameBytesMax).fill(0x80);
bomb.set([0xdd, 0, 0x1f, 0xff, 0xfb]);
const request = encodeRequest(7, 'put', { key: 'k', value: new Uint8Array(9) });

const bad: readonly [string, Uint8Array | string, number, RegExp][] = [
  ['a text frame', '[[1,"leaseList"]]', 1003, /binary/],
  ['an empty frame', new Uint8Array(0), 1007, /ends at byte 0/],
  ['a truncated frame', joinRequests([request]).subarray(0, 12), 1007, /ends at byte 12/],
  ['a frame with a tail', Buffer.concat([joinRequests([request]), request]), 1007, /follow/],
  ['a frame that is no array', pack({ id: 1 }), 1007, /not an array/],
  ['a request with id 0', joinRequests([pack([0, 'leaseList'])]), 1007, /id/],
  [
    'an extension type',
    joinRequests([Uint8Array.of(0x93, 1, 0xa1, 65, 0xd4, 1, 0)]),
    1007,
    /Extension/,
  ],
  ['a deep frame', new Uint8Array(1000).fill(0x91), 1007, /deep/],
  ['two million empty maps', bomb, 1009, /items/],
  ['a frame one byte too large', frameOf(limits.clientFrameBytesMax + 1), 1009, /^$/],
];

describe('a bad frame', () => {
  test.each(bad)('%s ends its connection with a reason', async (_name, frame, code, reason) => {
    const { warnings } = await open();
    const [other, client] = [await fixture.connect(), await fixture.connect()];
    client.socket.send(frame);
    expect(await client.closed).toEqual({ code, reason: expect.stringMatching(reason) });
    expect(await warnings.take()).toContain('Closed a client connection');
    await expectUnharmed(other);
  });

  test('of the largest size is no bad one', async () => {
    await open();
    const client = await fixture.connect();
    client.socket.send(frameOf(limits.clientFrameBytesMax));
    expect(await client.next(1)).toMatchObject({ kind: 1, body: { code: 'valueTooLarge' } });
  });

  test('may come in 64 fragments and not in 65', async () => {
    await open();
    const client = await fixture.connect();
    const bytes = joinRequests([encodeRequest(7, 'put', { key: 'k', value: new Uint8Array(99) })]);
    const send = (fragments: number): void => {
      for (let at = 0; at < fragments; at++) {
        const fin = at === fragments - 1;
        client.socket.send(bytes.subarray(at, fin ? bytes.length : at + 1), { fin });
      }
    };
    send(64);
    expect(await client.next(7)).toMatchObject({ kind: 0 });
    send(65);
    expect(await client.closed).toMatchObject({ code: 1008 });
  });

  test('that uses an open id again ends the connection', async () => {
    await open();
    const client = await fixture.connect();
    const hold = encodeRequest(5, 'put', { key: 'hold', value: new Uint8Array(0) });
    client.socket.send(joinRequests([hold, hold]));
    expect(await client.closed).toMatchObject({ code: 1007, reason: expect.stringMatching(/5/) });
    fixture.member.release();
  });
});

describe('one connection', () => {
  test('has so many requests in flight and no more', async () => {
    await open({ inFlightMax: 3 });
    const [other, client] = [await fixture.connect(), await fixture.connect()];
    const hold = ['put', { key: 'hold', value: new Uint8Array(0) }] as const;
    const ids = client.send(hold, hold, hold, hold);
    expect(await client.next(ids[3] as number)).toMatchObject({
      body: { code: 'tooManyRequests' },
    });
    await expectUnharmed(other);
    fixture.member.release();
    for (const id of ids.slice(0, 3)) expect(await client.next(id)).toMatchObject({ kind: 0 });
    await client.call('leaseList');
  });

  test('has so many streams and no more', async () => {
    await open({ streamsMax: 2 });
    const client = await fixture.connect();
    const [first] = client.send(['watch', { key: 'a' }], ['watch', { key: 'b' }]);
    await expect(client.call('watch', { key: 'c' })).rejects.toMatchObject({
      code: 'tooManyStreams',
    });
    await client.call('cancel', { id: first });
    const [again] = client.send(['watch', { key: 'c' }]);
    expect(await client.next(again as number)).toMatchObject({ kind: 2 });
  });

  test('that does not read its answers is cut off', async () => {
    await open({ backlogBytesMax: 3_000_000, readBacklogBytesMax: 100_000_000, tickMs: 20 });
    const [other, client] = [await fixture.connect(), await fixture.connect()];
    await other.call('put', { key: 'k', value: new Uint8Array(1_000_000) });
    client.socket.pause();
    client.send(...Array.from({ length: 100 }, () => ['range', { key: 'k' }] as const));
    await fixture.warnings.take((text) => text.includes('wait to be read'));
    await expectUnharmed(other);
  });

  test('that does not read its answers is not read either, and gets them all later', async () => {
    await open({ readBacklogBytesMax: 100_000 });
    const [other, client] = [await fixture.connect(), await fixture.connect()];
    await other.call('put', { key: 'k', value: new Uint8Array(1_000_000) });
    client.socket.pause();
    const ids = Array.from({ length: 60 }, () => client.send(['range', { key: 'k' }])[0] as number);
    await expectUnharmed(other);
    client.socket.resume();
    for (const id of ids) expect(await client.next(id)).toMatchObject({ kind: 0 });
  });
});

describe('a connection that leaves things unfinished', () => {
  const quick = { tickMs: 20, firstSignTicksMax: 3, messageTicksMax: 3, silentTicksMax: 3 };

  test('by never sending anything is closed', async () => {
    await open({ ...quick, silentTicksMax: 1000 });
    const client = await new RawClient(fixture.endpoint.address, { autoPong: false }).opened();
    expect(await client.closed).toMatchObject({ code: 1008 });
  });

  test('by falling silent is closed', async () => {
    await open({ ...quick, firstSignTicksMax: 1000 });
    const client = await new RawClient(fixture.endpoint.address, { autoPong: false }).opened();
    await client.call('leaseList');
    expect(await client.closed).toMatchObject({ code: 1008 });
  });

  test('but answers pings stays', async () => {
    await open(quick);
    const client = await fixture.connect();
    for (let pings = 0; pings < 4; pings++) await once(client.socket, 'ping');
    await client.call('leaseList');
  });

  test.each<[string, (client: RawClient) => void]>([
    ['half a frame', (client) => rawSocket(client).write(Uint8Array.of(0x82, 0xfe, 0x10))],
    ['a fragment', (client) => client.socket.send(Uint8Array.of(0x91), { fin: false })],
  ])('by sending %s is closed', async (_name, send) => {
    await open({ ...quick, firstSignTicksMax: 1000, silentTicksMax: 1000 });
    const [other, client] = [await fixture.connect(), await fixture.connect()];
    await client.call('leaseList');
    send(client);
    expect(await client.closed).toMatchObject({ code: 1008, reason: 'A message took too long' });
    await expectUnharmed(other);
  });

  test('together with others holds no more than the budget', async () => {
    await open({ unfinishedBytesMax: 1_000_000 });
    const clients = await Promise.all(Array.from({ length: 3 }, () => fixture.connect()));
    for (const { socket } of clients) socket.send(new Uint8Array(400_000), { fin: false });
    expect(await Promise.race(clients.map(({ closed }) => closed))).toMatchObject({ code: 1013 });
    await (await fixture.connect()).call('leaseList');
  });

  test('before it has finished its handshake is freed', async () => {
    await open({ handshakeTimeoutMs: 200, requestTimeoutMs: 300 });
    const [host, port] = fixture.endpoint.address.split(':');
    const sockets = Array.from({ length: 10 }, () => connect(Number(port), host));
    await Promise.all(
      sockets.map((socket, at) => {
        socket.on('error', () => {});
        socket.resume();
        if (at % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: 127.0');
        return once(socket, 'close');
      }),
    );
    await (await fixture.connect()).call('leaseList');
  });

  test('cannot keep out others, however many they are', async () => {
    await open({ pendingMax: 20 });
    const [host, port] = fixture.endpoint.address.split(':');
    const sockets = Array.from({ length: 100 }, () => connect(Number(port), host));
    for (const socket of sockets) socket.on('error', () => {});
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await (await fixture.connect()).call('leaseList');
    for (const socket of sockets) socket.destroy();
  });
});

test('no more connections than the bound are taken', async () => {
  await open({ connectionsMax: 2 });
  const [first] = [await fixture.connect(), await fixture.connect()];
  const third = new RawClient(fixture.endpoint.address);
  const [error] = (await once(third.socket, 'unexpected-response')) as unknown[];
  expect(error).toBeDefined();
  first?.socket.terminate();
  await first?.closed;
  third.socket.terminate();
});

function rawSocket(client: RawClient): { write(bytes: Uint8Array): void } {
  return (client.socket as unknown as { _socket: { write(bytes: Uint8Array): void } })._socket;
}
