/**
 * Everything that a client or a stranger can send that it should not, on both ports of every node,
 * while others go on writing: each gets a clear answer or a closed connection, and nobody else notices.
 */
import { once } from 'node:events';
import { connect as openSocket, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../src/base/limits.ts';
import {
  type Client,
  compare,
  type Operation,
  operation,
  type RollcallError,
} from '../../src/client/index.ts';
import { encodePeerFrame, peerSubprotocol } from '../../src/transport/peer-frame.ts';
import { encodeRequest, joinRequests } from '../../src/wire/frame.ts';
import { RawClient } from '../server/raw-client.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';

let cluster: TestCluster;
let leader: TestNode;
let termBefore = 0;
let pids: (number | undefined)[] = [];
let client: Client;
let writer: Client;
let isOver = false;
let written = 0;
let writing: Promise<void>;
/** Connections that begin something and never finish it. */
const halfOpen: Promise<unknown>[] = [];

beforeAll(async () => {
  cluster = await TestCluster.start();
  leader = await cluster.leader();
  termBefore = (await readStatus(leader))?.term ?? 0;
  pids = cluster.nodes.map(({ process }) => process?.pid);
  [client, writer] = await Promise.all([cluster.connect(), cluster.connect()]);
  writing = (async () => {
    while (!isOver) await writer.put('background', String(++written));
  })();
  // A failure shows in the last test.
  writing.catch(() => {});
  for (const node of cluster.nodes) halfOpen.push(...leaveHalfOpen(node));
});

afterAll(async () => {
  isOver = true;
  await writing.catch(() => {});
  await client?.close();
  await writer?.close();
  await cluster?.close();
});

function leaveHalfOpen(node: TestNode): Promise<unknown>[] {
  const beginnings = [
    '',
    'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ',
    'GET / HTTP/1.1\r\n',
  ];
  const sockets = [node.clientAddress, node.peerAddress].flatMap((address) =>
    Array.from({ length: 60 }, (_, at) => begin(address, beginnings[at % 3] as string)),
  );
  return sockets.map((socket) => once(socket.resume(), 'close'));
}

function begin(address: string, text: string): Socket {
  const [host = '', port] = address.split(':');
  const socket = openSocket(Number(port), host);
  socket.on('error', () => {});
  socket.write(text);
  return socket;
}

async function raw(node: TestNode = leader): Promise<RawClient> {
  return new RawClient(node.clientAddress).opened();
}

/** Sends one request and gives the code and the message of its error; '' when it succeeds. */
async function failure(method: string, params?: unknown): Promise<string> {
  const one = await raw();
  try {
    await one.call(method, params);
    return '';
  } catch (error) {
    const { code, message, definite } = error as RollcallError;
    expect(definite).toBe(true);
    // The connection has survived, and serves.
    await one.call('status');
    return `${code}: ${message}`;
  } finally {
    one.socket.close();
  }
}

async function closing(bytes: Uint8Array | string, node: TestNode = leader): Promise<string> {
  const one = await raw(node);
  one.socket.send(bytes);
  const { code, reason } = await one.closed;
  return `${code} ${reason}`;
}

const bytes = (length: number): Uint8Array => new Uint8Array(length);
const key = (length: number): string => 'k'.repeat(length);

describe('a limit', () => {
  test('of keys and values holds to the byte', async () => {
    const { keyBytesMax, valueBytesMax } = limits;
    expect(await failure('put', { key: key(keyBytesMax), value: bytes(1) })).toBe('');
    expect(await failure('put', { key: key(keyBytesMax + 1), value: bytes(1) })).toMatch(
      /^keyTooLong: key has 4097 bytes/,
    );
    expect(await failure('put', { key: 'v', value: bytes(valueBytesMax) })).toBe('');
    expect(await failure('put', { key: 'v', value: bytes(valueBytesMax + 1) })).toMatch(
      /^valueTooLarge: value has \d+ bytes/,
    );
    await client.put(key(keyBytesMax), bytes(valueBytesMax));
    expect((await client.get(key(keyBytesMax)))?.value).toHaveLength(valueBytesMax);
    await expect(client.put(key(keyBytesMax + 1), '')).rejects.toMatchObject({
      code: 'keyTooLong',
    });
    await expect(client.put('v', bytes(valueBytesMax + 1))).rejects.toMatchObject({
      code: 'valueTooLarge',
    });
    await client.delete(key(keyBytesMax));
  });

  test('of frames holds to the byte', async () => {
    const frameOf = (length: number): Uint8Array => {
      const put = (id: number, size: number): Uint8Array =>
        encodeRequest(id, 'put', { key: `frame/${id}`, value: bytes(size) });
      const big = [put(1, 1_000_000), put(2, 1_000_000)];
      const size = length - joinRequests([...big, put(3, 80_000)]).length + 80_000;
      return joinRequests([...big, put(3, size)]);
    };
    const most = frameOf(limits.clientFrameBytesMax);
    expect(most).toHaveLength(limits.clientFrameBytesMax);
    const one = await raw();
    one.socket.send(most);
    for (const id of [1, 2, 3]) expect((await one.next(id)).kind).toBe(0);
    one.socket.close();
    expect(await closing(frameOf(limits.clientFrameBytesMax + 1))).toMatch(/^1009 /);
  });
});

describe('the bound of a command', () => {
  test('of operations counts those of nested transactions', async () => {
    const put = (at: number) => operation.put(`txn/${at}`, '');
    const none = compare.version('no such key', 'equal', 0);
    const puts = (count: number, from = 0) =>
      Array.from({ length: count }, (_, at) => put(from + at));
    const most = limits.transactionOperationsMax;
    expect((await client.txn({ success: puts(most) })).results).toHaveLength(most);
    const nested = (count: number) => ({
      success: [...puts(60), operation.txn({ success: puts(count - 61, 60) })],
    });
    expect((await client.txn(nested(most))).succeeded).toBe(true);
    await expect(client.txn(nested(most + 1))).rejects.toMatchObject({
      code: 'tooManyOperations',
    });
    for (const txn of [
      { success: puts(most + 1) },
      { compare: puts(most + 1).map((_, at) => compare.version(`txn/${at}`, 'equal', 0)) },
    ]) {
      await expect(client.txn(txn)).rejects.toMatchObject({ code: 'tooManyOperations' });
    }
    const deep = (levels: number): Operation =>
      levels === 0 ? put(1) : operation.txn({ success: [deep(levels - 1)], compare: [none] });
    expect((await client.txn({ success: [deep(13)] })).succeeded).toBe(true);
    // Refused before it leaves, so that what else is under way on the connection goes on.
    const [refused, neighbour] = await Promise.allSettled([
      client.txn({ success: [deep(14)] }),
      client.put('neighbour', ''),
    ]);
    expect(refused).toMatchObject({ reason: { code: 'tooManyOperations' } });
    expect(neighbour.status).toBe('fulfilled');
    await expect(client.txn({ success: [put(1), put(1)] })).rejects.toMatchObject({
      code: 'duplicateKey',
    });
  });

  test('of the keys that a command visits leaves no half of it', async () => {
    const most = limits.commandKeysMax;
    const numbers = Array.from({ length: most + 1 }, (_, at) => at);
    for (let from = 0; from < numbers.length; from += 128) {
      const success = numbers.slice(from, from + 128).map((at) => operation.put(`many/${at}`, ''));
      await client.txn({ success });
    }
    const all = { prefix: 'many/' };
    await expect(client.delete(all)).rejects.toMatchObject({ code: 'tooManyKeys' });
    const count = operation.range(all, { countOnly: true });
    await expect(client.txn({ success: [count] })).rejects.toMatchObject({ code: 'tooManyKeys' });
    expect((await client.getPrefix('many/')).pairs).toHaveLength(most + 1);
    await client.delete('many/0');
    expect((await client.delete(all)).deleted).toBe(most);
  });

  test('of names and times is said with the field', async () => {
    const instance = (id: string) => ({ id, address: '127.0.0.1:1' });
    const most = 'n'.repeat(limits.nameLengthMax);
    expect(await failure('register', { service: most, instance: instance(most) })).toBe('');
    for (const [params, field] of [
      [{ service: `${most}n`, instance: instance('a') }, 'service'],
      [{ service: 'a', instance: instance(`${most}n`) }, 'instance.id'],
      [{ service: 'a', namespace: '', instance: instance('a') }, 'namespace'],
      [{ service: 'a', instance: { id: 'a', address: 'nowhere' } }, 'instance.address'],
      [{ service: '__proto__', instance: instance('a') }, 'service'],
    ] as const) {
      expect(await failure('register', params)).toMatch(`invalidArgument: ${field} must be`);
    }
    await client.registry.deregister(most, most);
    expect(await failure('leaseGrant', { ttlMs: 500 })).toBe('');
    for (const ttlMs of [499, 0, -1, 500.5, Number.NaN, 2 ** 53, '500', null]) {
      expect(await failure('leaseGrant', { ttlMs })).toMatch(/^invalidArgument: ttlMs must be/);
    }
    await expect(client.leases.grant({ ttlMs: 499 })).rejects.toMatchObject({
      code: 'invalidArgument',
    });
  });
});

describe('a request', () => {
  test('that is wrong is refused by its field, and its connection serves on', async () => {
    const value = bytes(1);
    for (const [method, params, message] of [
      ['unheardOf', {}, 'unknownMethod: '],
      ['__proto__', {}, 'unknownMethod: '],
      ['constructor', {}, 'unknownMethod: '],
      ['', {}, 'unknownMethod: '],
      ['put', undefined, 'invalidArgument: key must be'],
      ['put', { key: 'a' }, 'invalidArgument: value must be'],
      ['put', { key: 'a', value: 'text' }, 'invalidArgument: value must be'],
      ['put', { key: '', value }, 'invalidArgument: key must be'],
      ['put', { key: 7, value }, 'invalidArgument: key must be'],
      ['put', { key: 'ā', value }, 'invalidArgument: key must be'],
      ['put', { key: 'a', value, extra: 1 }, 'invalidArgument: Unknown field extra'],
      ['put', { key: 'a', value, leaseId: 'x' }, 'invalidArgument: leaseId must be'],
      ['put', { key: 'a', value, leaseId: '00000000000000aa' }, 'leaseNotFound: '],
      ['put', [], 'invalidArgument: The request must be an object'],
      ['range', { key: 'a', limit: -1 }, 'invalidArgument: limit must be'],
      ['range', { key: 'a', revision: 1e15 }, 'futureRevision: '],
      ['txn', { success: [{ type: 'drop' }] }, 'invalidArgument: success[0].type must be one of'],
      ['txn', { compares: [{ target: 'value' }] }, 'invalidArgument: compares[0].key must be'],
      ['watch', { key: 'a', startRevision: '1' }, 'invalidArgument: startRevision must be'],
      ['cancel', { id: 0 }, 'invalidArgument: id must be'],
    ] as const) {
      expect(await failure(method, params), `${method} ${JSON.stringify(params)}`).toContain(
        message,
      );
    }
  });

  test('with a hostile key is as good as any', async () => {
    const every = Uint8Array.from({ length: 256 }, (_, at) => at);
    const keys = [
      ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '\u0000', ' ', '\n', '🂡\u202e'],
      every,
      Uint8Array.of(0),
      Uint8Array.of(0, 0),
      Uint8Array.of(0xff),
      Uint8Array.of(0xff, 0xff, 0),
      new Uint8Array(limits.keyBytesMax).fill(0xff),
      new Uint8Array(limits.keyBytesMax),
    ].map((one) => (typeof one === 'string' ? new TextEncoder().encode(one) : one));
    const unique = new Map(keys.map((one) => [Buffer.from(one).toString('hex'), one]));
    for (const [hex, hostile] of unique) {
      const stop = new AbortController();
      const watch = client.watch(hostile, { signal: stop.signal });
      await watch.ready();
      await client.put(hostile, hex);
      expect((await client.get(hostile))?.valueText).toBe(hex);
      const found = (await client.getPrefix(hostile)).pairs.map(({ key: one }) => one);
      expect(found.map((one) => Buffer.from(one).toString('hex'))).toContain(hex);
      const { value: put } = await watch.next();
      expect(Buffer.from(put?.events[0]?.pair.key ?? []).toString('hex')).toBe(hex);
      expect((await client.delete(hostile)).deleted).toBe(1);
      const { value: removal } = await watch.next();
      expect(removal?.events.map(({ type }) => type)).toEqual(['delete']);
      expect(await client.get(hostile)).toBeNull();
      stop.abort();
    }
  });
});

describe('a frame', () => {
  const nestedArrays = (depth: number): Uint8Array =>
    Uint8Array.of(...new Array<number>(depth - 1).fill(0x91), 0x90);
  /** `[[1, "put", {"a": …}]]`. */
  const withParams = (inner: Uint8Array): Uint8Array =>
    Uint8Array.of(0x91, 0x93, 1, 0xa3, 0x70, 0x75, 0x74, 0x81, 0xa1, 0x61, ...inner);

  test('that is broken ends its connection with the reason', async () => {
    const request = joinRequests([encodeRequest(1, 'put', { key: 'a', value: bytes(5) })]);
    for (const [frame, end] of [
      [request.subarray(0, request.length - 1), /^1007 .*ends at byte/],
      [Uint8Array.of(...request, 0), /^1007 1 bytes follow/],
      [Uint8Array.of(), /^1007 /],
      [Uint8Array.of(0xc1), /^1007 Extension/],
      [withParams(Uint8Array.of(0xd4, 1, 0)), /^1007 Extension type 0xd4/],
      [withParams(Uint8Array.of(0xc7, 1, 0x69, 0)), /^1007 Extension type 0xc7/],
      [withParams(Uint8Array.of(0xd6, 0xff, 0, 0, 0, 0)), /^1007 Extension type 0xd6/],
      [Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), /^1007 /],
      [Uint8Array.of(0x80), /^1007 The frame is not an array/],
      [joinRequests([encodeRequest(0, 'status')]), /^1007 A request's id/],
      [joinRequests([encodeRequest(2 ** 32, 'status')]), /^1007 A request's id/],
      ['{"method":"status"}', /^1003 /],
    ] as const) {
      expect(await closing(frame)).toMatch(end);
    }
  });

  test('may be so deep and so full, and no more', async () => {
    const one = await raw();
    one.socket.send(withParams(nestedArrays(29)));
    expect((await one.next(1)).body).toMatchObject({ code: 'invalidArgument' });
    expect(await closing(withParams(nestedArrays(30)))).toBe('1007 Nested more than 32 deep');
    const ids = (count: number): Uint8Array =>
      joinRequests([encodeRequest(2, 'leaseKeepAlive', { leaseIds: new Array(count).fill(0) })]);
    one.socket.send(ids(100_000 - 7));
    expect((await one.next(2)).body).toMatchObject({ code: 'invalidArgument' });
    expect(await closing(ids(100_000 - 6))).toMatch(/^1009 .*100000 items/);
    one.socket.close();
  });

  test('of two million empty maps costs nobody anything, on any node', async () => {
    const count = 2_000_000;
    const maps = Buffer.concat([Buffer.from([0xdd, 0, 0, 0, 0]), Buffer.alloc(count, 0x80)]);
    maps.writeUInt32BE(count, 1);
    const ends = await Promise.all(
      cluster.nodes.flatMap((node) => [closing(maps, node), closing(maps, node)]),
    );
    for (const end of ends) expect(end).toMatch(/^1009 /);
  });

  test('that repeats an id in use ends its connection', async () => {
    const one = await raw();
    const watch = encodeRequest(9, 'watch', { key: 'a' });
    one.socket.send(joinRequests([watch, watch]));
    expect(await one.closed).toMatchObject({ code: 1007 });
  });
});

/** The status with which an upgrade is refused. */
async function upgradeStatus(
  address: string,
  protocol: string | string[],
  headers: Record<string, string> = {},
): Promise<number> {
  const socket = new WebSocket(`ws://${address}/`, protocol, { headers });
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  response.resume();
  return response.statusCode;
}

describe('a connection', () => {
  test('of the wrong kind is refused on either port', async () => {
    const { clientAddress, peerAddress } = leader;
    const refused = await Promise.all([
      upgradeStatus(clientAddress, 'rollcall.v2'),
      upgradeStatus(clientAddress, []),
      upgradeStatus(clientAddress, peerSubprotocol),
      upgradeStatus(peerAddress, 'rollcall.v1'),
      upgradeStatus(clientAddress, 'rollcall.v1', { origin: 'https://evil.example' }),
      upgradeStatus(clientAddress, 'rollcall.v1', { origin: 'null' }),
      upgradeStatus(clientAddress, 'rollcall.v1', { host: 'evil.example' }),
      upgradeStatus(peerAddress, peerSubprotocol, { origin: 'http://localhost' }),
    ]);
    expect(refused).toEqual([400, 400, 400, 400, 403, 403, 403, 403]);
  });

  test('of plain HTTP hears what is here', async () => {
    const status = async (path: string, init?: RequestInit): Promise<number> => {
      const response = await fetch(`http://${path}`, init);
      await response.text();
      return response.status;
    };
    for (const { clientAddress, peerAddress } of cluster.nodes) {
      expect(await status(`${clientAddress}/livez`)).toBe(200);
      expect(await status(`${clientAddress}/readyz`)).toBe(200);
      expect(await status(`${clientAddress}/`)).toBe(426);
      expect(await status(`${clientAddress}/nothing`)).toBe(404);
      expect(await status(`${clientAddress}/livez`, { method: 'POST', body: 'x' })).toBe(405);
      expect(await status(`${clientAddress}/livez`, { headers: { origin: 'http://a.b' } })).toBe(
        403,
      );
      expect(await status(`${peerAddress}/livez`)).toBe(400);
    }
    const socket = begin(leader.clientAddress, 'what is this?\r\n\r\n');
    socket.setEncoding('utf8');
    expect((await once(socket, 'data'))[0]).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('of a false peer carries nothing', async () => {
    const { memberId, clusterId, incarnation } = (await readStatus(leader)) ?? {};
    const hello = {
      clusterId: null,
      incarnation: null,
      memberId: 'abcdefabcdefabcd',
      name: 'n9',
      peerAddress: '127.0.0.1:9',
      clientAddress: '127.0.0.1:9',
      featureLevel: 1,
      ...{ lane: 'control', to: null, log: { life: '00000000000001fe', term: 0, index: 0 } },
      initialCluster: [],
      configurationIndex: 0,
      members: [],
    } as const;
    const say = (said: object) =>
      encodePeerFrame({ type: 'hello', hello: { ...hello, ...said } } as never);
    const ends = await Promise.all(
      [
        say({ clusterId, incarnation }),
        say({ memberId }),
        say({ clusterId: '1111111111111111', incarnation: '2222222222222222' }),
        say({ clusterId, incarnation: '2222222222222222' }),
        say({ lane: 'motorway' }),
        encodePeerFrame({ type: 'messages', messages: [] }),
        Uint8Array.of(0, 99, 1),
        Uint8Array.of(200),
        Buffer.alloc(limits.peerFrameBytesMax + 1),
      ].map(async (frame) => {
        const socket = new WebSocket(`ws://${leader.peerAddress}/`, peerSubprotocol);
        socket.on('error', () => {});
        socket.on('open', () => socket.send(frame));
        const [code] = await once(socket, 'close');
        return code as number;
      }),
    );
    expect(ends).toEqual([1002, 1002, 1002, 1002, 1002, 1002, 1002, 1002, 1009]);
    // The same words on the client port are a frame like any other.
    expect(await closing(say({}))).toMatch(/^1007 /);
  });
});

test('a revision that is larger than a frame reaches its watcher whole', async () => {
  const keys = Array.from({ length: 1000 }, (_, at) => `large/${at}/`.padEnd(4000, 'x'));
  await Promise.all(keys.map((key) => client.put(key, 'v')));
  const watch = client.watch({ prefix: 'large/' });
  await watch.ready();
  const { revision, deleted } = await client.delete({ prefix: 'large/' });
  expect(deleted).toBe(keys.length);
  const { value } = await watch.next();
  expect(value?.revision).toBe(revision);
  expect(value?.events).toHaveLength(keys.length);
  watch.close();
});

test('a range whose keys are many and long comes in pages', async () => {
  const keys = Array.from({ length: 2000 }, (_, at) => `long/${at}/`.padEnd(2000, 'x'));
  await Promise.all(keys.map((key) => client.put(key, 'v'.repeat(500))));
  const { pairs } = await client.getPrefix('long/');
  expect(pairs.map(({ keyText }) => keyText)).toEqual([...keys].sort());
  await client.delete({ prefix: 'long/' });
});

test('after all of it the cluster is as it was', async () => {
  // What was never finished is ended by the nodes.
  await Promise.all(halfOpen);
  const reached = written;
  await eventually('more writes', async () => written > reached + 10);
  isOver = true;
  await writing;
  expect(cluster.nodes.map(({ process }) => process?.pid)).toEqual(pids);
  expect(await cluster.leader()).toBe(leader);
  const statuses = await eventually('equal digests', async () => {
    const all = await Promise.all(cluster.nodes.map(readStatus));
    const [first] = all;
    const same = all.every(
      (one) => one?.appliedIndex === first?.appliedIndex && one?.digest === first?.digest,
    );
    return same && all;
  });
  expect(statuses.map((status) => status?.term)).toEqual([termBefore, termBefore, termBefore]);
  expect((await client.get('background'))?.valueText).toBe(String(written));
});
