import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { limits } from '../../src/base/limits.ts';
import type { Message } from '../../src/format/types.ts';
import type { Hello } from '../../src/transport/hello.ts';
import {
  decodePeerFrame,
  encodePeerFrame,
  type PeerFrame,
  peerSubprotocol,
} from '../../src/transport/peer-frame.ts';
import { Inbox } from './inbox.ts';
import { birthOf, configure, deliver, idOf, introduce, type Node, openNode } from './nodes.ts';

const birth = birthOf(['a', 'b', 'c']);
let a: Node;
let b: Node;

beforeEach(async () => {
  const timing = { handshakeTimeoutMs: 300 };
  a = await openNode('a', { birth, timing });
  b = await openNode('b', { birth });
  introduce(a, b);
  configure([a], [...birth.configuration.members.filter(({ name }) => name === 'c')]);
});

afterEach(async () => {
  await Promise.all([a.peers.close(), b.peers.close()]);
});

interface Dialed {
  readonly socket: WebSocket;
  readonly frames: Inbox<PeerFrame>;
  readonly closed: Promise<number>;
}

async function dial(): Promise<Dialed> {
  const socket = new WebSocket(`ws://${a.peers.address}/`, peerSubprotocol);
  const frames = new Inbox<PeerFrame>();
  socket.on('message', (bytes: Buffer) => frames.push(decodePeerFrame(bytes)));
  socket.on('error', () => {});
  const closed = once(socket, 'close').then(([code]) => code as number);
  await once(socket, 'open');
  return { socket, frames, closed };
}

function helloOf(changes: Partial<Hello> = {}): Uint8Array {
  const hello: Hello = {
    clusterId: birth.clusterId,
    incarnation: birth.incarnation,
    memberId: idOf('c'),
    name: 'c',
    peerAddress: '127.0.0.1:1',
    clientAddress: '127.0.0.1:2',
    featureLevel: 1,
    lane: 'control',
    to: null,
    log: { life: '00000000000001fe', term: 0, index: 0 },
    initialCluster: [],
    configurationIndex: 0,
    members: [],
    ...changes,
  };
  return encodePeerFrame({ type: 'hello', hello });
}

function heartbeat(changes: Partial<Message> = {}): Message {
  const envelope = { from: idOf('c'), to: idOf('a'), term: 1, ...changes };
  return { type: 'heartbeat', leaderCommit: 0, readRound: 0, ...envelope } as Message;
}

/** The node must go on as if nothing had happened. */
async function expectUnharmed(): Promise<void> {
  configure([a], birth.configuration.members);
  const { socket, frames } = await dial();
  socket.send(helloOf());
  await frames.take(({ type }) => type === 'hello');
  socket.send(encodePeerFrame({ type: 'messages', messages: [heartbeat({ term: 77 })] }));
  await a.messages.take(({ term }) => term === 77);
  expect(a.messages.all).toEqual([]);
  socket.terminate();
}

const broken: readonly [string, () => readonly (Uint8Array | string)[]][] = [
  ['a text frame', () => ['hello']],
  ['an empty frame', () => [new Uint8Array(0)]],
  [
    'raft before the handshake',
    () => [encodePeerFrame({ type: 'messages', messages: [heartbeat()] })],
  ],
  ['a birth before the handshake', () => [encodePeerFrame({ type: 'birth', birth })]],
  ['a birth for a born member', () => [helloOf(), encodePeerFrame({ type: 'birth', birth })]],
  ['two handshakes', () => [helloOf(), helloOf()]],
  ['another version', () => [helloOf().with(1, 9)]],
  ['an unknown frame', () => [helloOf(), Uint8Array.of(9, 1, 0)]],
  ['a truncated handshake', () => [helloOf().subarray(0, 40)]],
  ['a large handshake', () => [Buffer.concat([helloOf(), new Uint8Array(70_000)])]],
  [
    'a truncated message',
    () => [
      helloOf(),
      encodePeerFrame({ type: 'messages', messages: [heartbeat()] }).subarray(0, 12),
    ],
  ],
  [
    'a message of somebody else',
    () => [
      helloOf(),
      encodePeerFrame({ type: 'messages', messages: [heartbeat({ from: idOf('b') })] }),
    ],
  ],
  [
    'a message to somebody else',
    () => [
      helloOf(),
      encodePeerFrame({ type: 'messages', messages: [heartbeat({ to: idOf('b') })] }),
    ],
  ],
  [
    'a message in the wrong lane',
    () => [
      helloOf({ lane: 'bulk' }),
      encodePeerFrame({ type: 'messages', messages: [heartbeat()] }),
    ],
  ],
  ['a foreign cluster id', () => [helloOf({ clusterId: '00000000000000ee' })]],
  ['a name that is none', () => [helloOf({ name: 'Not A Name' })]],
  ['an address that is none', () => [helloOf({ peerAddress: 'h h:1' })]],
  ['an unknown id', () => [helloOf({ memberId: '00000000000000ee' })]],
  ["the node's own id", () => [helloOf({ memberId: idOf('a') })]],
];

describe('a member with a broken program', () => {
  test.each(broken)('is cut off after %s, with a reason', async (_name, frames) => {
    const dialed = await dial();
    for (const frame of frames()) dialed.socket.send(frame);
    const refusal = await dialed.frames.take(({ type }) => type === 'refusal');
    expect(refusal).toMatchObject({ error: { definite: true } });
    expect(await dialed.closed).toBe(1002);
    expect(a.warnings.all).not.toEqual([]);
    await expectUnharmed();
  });

  test('is cut off above the largest frame', async () => {
    const { socket, closed } = await dial();
    socket.send(helloOf());
    socket.send(new Uint8Array(limits.peerFrameBytesMax + 1));
    expect(await closed).toBe(1009);
    await expectUnharmed();
  });

  test('is cut off when it never says who it is', async () => {
    const { closed, frames } = await dial();
    expect(await frames.take()).toMatchObject({ type: 'refusal' });
    await closed;
    await expectUnharmed();
  });

  test('cannot do harm with mutated frames', async () => {
    const samples = [
      helloOf(),
      encodePeerFrame({ type: 'messages', messages: [heartbeat(), heartbeat()] }),
      encodePeerFrame({ type: 'birth', birth }),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        fc.nat(),
        (sample, changes, cut) => {
          let bytes = sample.slice(0, sample.length - (cut % 3 === 0 ? cut % sample.length : 0));
          for (const [at, byte] of changes) bytes = bytes.with(at % bytes.length, byte);
          try {
            decodePeerFrame(bytes);
          } catch (error) {
            expect((error as Error).name).toBe('RollcallError');
          }
        },
      ),
      { numRuns: 5000 },
    );
    await expectUnharmed();
  });
});

describe('the peer port', () => {
  test('tells an HTTP client where it is', async () => {
    const response = await fetch(`http://${a.peers.address}/livez`);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('clients connect to 127.0.0.1:4640');
  });

  test.each<[string, readonly string[], Record<string, string>, number]>([
    ['a client', ['rollcall.v1'], {}, 400],
    ['a socket without a sub-protocol', [], {}, 400],
    ['a browser', [peerSubprotocol], { origin: 'http://127.0.0.1' }, 403],
  ])('refuses %s', async (_name, protocols, headers, status) => {
    const socket = new WebSocket(`ws://${a.peers.address}/`, [...protocols], { headers });
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toContain(String(status));
    await expectUnharmed();
  });

  test('frees connections that send nothing', async () => {
    const [host, port] = a.peers.address.split(':');
    const sockets = Array.from({ length: 20 }, () => connect(Number(port), host));
    await Promise.all(
      sockets.map((socket) => {
        socket.on('error', () => {});
        socket.resume();
        return once(socket, 'close');
      }),
    );
    await expectUnharmed();
  });

  test('lets members in while others never finish their handshake', async () => {
    const [host, port] = a.peers.address.split(':');
    const sockets = Array.from({ length: 700 }, () => connect(Number(port), host));
    for (const socket of sockets) socket.on('error', () => {});
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    await expectUnharmed();
    for (const socket of sockets) socket.destroy();
  });
});

test('a second connection for the same lane replaces the first', async () => {
  const first = await dial();
  first.socket.send(helloOf());
  await first.frames.take(({ type }) => type === 'hello');
  const second = await dial();
  second.socket.send(helloOf());
  await first.closed;
  expect(await a.unreachable.take((id) => id === idOf('c'))).toBe(idOf('c'));
});

test('a silent connection is given up on both sides', async () => {
  const timing = { keepAliveMs: 20, silencesMax: 2 };
  const x = await openNode('a', { birth, timing });
  const y = await openNode('b', { birth, timing });
  introduce(x, y);
  await deliver(x, y, { ...heartbeat({ from: x.id, to: y.id }) });
  const silent = new WebSocket(`ws://${x.peers.address}/`, peerSubprotocol, { autoPong: false });
  await once(silent, 'open');
  silent.send(helloOf());
  await once(silent, 'close');
  await Promise.all([x.peers.close(), y.peers.close()]);
});
