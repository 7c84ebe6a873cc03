import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { peerSubprotocol } from '../../src/transport/peer-frame.ts';
import { type Fixture, openFixture } from './endpoint-fixture.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

afterEach(() => fixture.close());

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function ask(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  const [host, port] = fixture.endpoint.address.split(':');
  const request = httpRequest({ host, port, path, headers, method, agent: false }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: await text(response) };
}

/** The status of an upgrade request; 101 when it was granted. */
function upgrade(
  path: string,
  protocols: readonly string[],
  headers: Record<string, string> = {},
): Promise<number> {
  const url = `ws://${fixture.endpoint.address}${path}`;
  const socket = new WebSocket(url, [...protocols], { headers });
  return new Promise((resolve) => {
    socket.on('error', () => {});
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on('open', () => {
      resolve(101);
      socket.terminate();
    });
  });
}

describe('plain HTTP', () => {
  test('asks whether the node lives and is ready', async () => {
    expect(await ask('/livez')).toEqual({ status: 200, body: '{"live":true}\n' });
    expect(await ask('/readyz')).toEqual({ status: 200, body: '{"ready":true}\n' });
    fixture.member.isReady = false;
    expect(await ask('/readyz')).toMatchObject({
      status: 503,
      body: expect.stringContaining('applied'),
    });
    fixture.member.change({ leaderId: null });
    expect(await ask('/readyz')).toMatchObject({
      status: 503,
      body: expect.stringContaining('no leader'),
    });
    expect(await ask('/livez')).toMatchObject({ status: 200 });
  });

  test('gets a hint at the root', async () => {
    expect(await ask('/')).toMatchObject({
      status: 426,
      body: expect.stringContaining('rollcall.v1'),
    });
  });

  test.each(['/livez/', '//livez', '/%2e/livez', '/livez/../readyz', '/x', '/livez%00'])(
    'finds nothing at %s',
    async (path) => {
      expect(await ask(path)).toEqual({ status: 404, body: '{"error":"Nothing is here"}\n' });
    },
  );

  test('only reads', async () => {
    expect(await ask('/livez', {}, 'POST')).toMatchObject({ status: 405 });
    expect(await ask('/livez', {}, 'HEAD')).toEqual({ status: 200, body: '' });
  });

  test('that is no HTTP gets 400', async () => {
    const [host, port] = fixture.endpoint.address.split(':');
    const socket = connect(Number(port), host);
    socket.write('\x16\x03\x01 what is this\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('Host and Origin', () => {
  const foreign: readonly [string, Record<string, string>][] = [
    ['a foreign host', { host: 'evil.example' }],
    ['a host that begins like a loopback one', { host: 'localhost.evil.example' }],
    ['a host with a user', { host: 'localhost@evil.example' }],
    ['an address that was not dialed', { host: '10.0.0.1:4640' }],
    ['a foreign origin', { origin: 'http://evil.example' }],
    ['the null origin', { origin: 'null' }],
    ['an origin of a file', { origin: 'file://' }],
    ['an origin that ends like a loopback one', { origin: 'http://evil.example#localhost' }],
  ];

  test.each(foreign)('refuse %s', async (_name, headers) => {
    expect(await ask('/livez', headers)).toMatchObject({ status: 403 });
    expect(await upgrade('/', ['rollcall.v1'], headers)).toBe(403);
  });

  test('refuse an empty host', async () => {
    const [host, port] = fixture.endpoint.address.split(':');
    const socket = connect(Number(port), host);
    socket.write('GET /livez HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 403 /);
  });

  const own: readonly [string, Record<string, string>][] = [
    ['localhost', { host: 'localhost:4640' }],
    ['IPv6 loopback', { host: '[::1]:4640' }],
    ['a configured name', { host: 'Rollcall.Example:4640' }],
    ['a loopback origin', { origin: 'http://localhost:8080' }],
  ];

  test.each(own)('allow %s', async (_name, headers) => {
    expect(await ask('/livez', headers)).toMatchObject({ status: 200 });
    expect(await upgrade('/', ['rollcall.v1'], headers)).toBe(101);
  });
});

describe('an upgrade', () => {
  test.each<[string, string, readonly string[], number]>([
    ['with the sub-protocol among others', '/', ['other', 'rollcall.v1'], 101],
    ['without a sub-protocol', '/', [], 400],
    ['of a peer', '/', [peerSubprotocol], 400],
    ['elsewhere', '/rpc', ['rollcall.v1'], 404],
  ])('%s', async (_name, path, protocols, status) => {
    expect(await upgrade(path, protocols)).toBe(status);
  });
});
