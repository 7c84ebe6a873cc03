/** A peer whose process has ended is told apart from one whose connection was only lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../../src/server/system-clock.ts';
import type { Hello } from '../../src/transport/hello.ts';
import { encodePeerFrame, peerSubprotocol } from '../../src/transport/peer-frame.ts';
import { RefusalProbe } from '../../src/transport/refusal-probe.ts';
import { Inbox } from './inbox.ts';
import {
  asMember,
  birthOf,
  configure,
  deliver,
  heartbeat,
  idOf,
  introduce,
  memberAt,
  type Node,
  openNode,
} from './nodes.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const birth = birthOf(['a', 'b']);

async function node(name: string): Promise<Node> {
  // However slow the machine is.
  const opened = await openNode(name, { birth, timing: { goneMs: 10_000 } });
  closers.push(() => opened.peers.close());
  return opened;
}

const helloOfB: Hello = {
  clusterId: birth.clusterId,
  incarnation: birth.incarnation,
  memberId: idOf('b'),
  name: 'b',
  peerAddress: '127.0.0.1:1',
  clientAddress: '127.0.0.1:2',
  featureLevel: 1,
  lane: 'control',
  to: null,
  log: { life: '00000000000001fe', term: 0, index: 0 },
  initialCluster: [],
  configurationIndex: 0,
  members: [],
};
const helloFrame = encodePeerFrame({ type: 'hello', hello: helloOfB });

/** A process that shakes hands as member b and does nothing else. */
const program = `
  const { WebSocketServer } = require('ws');
  const hello = Buffer.from(process.argv[1], 'base64');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => socket.once('message', () => socket.send(hello)));
  server.on('listening', () => console.log(server.address().port));
`;

async function spawnPeer(): Promise<{ readonly child: ChildProcess; readonly address: string }> {
  const hello = Buffer.from(helloFrame).toString('base64');
  const child = spawn(process.execPath, ['-e', program, hello], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  closers.push(() => child.kill('SIGKILL'));
  const [port] = await once(child.stdout, 'data');
  return { child, address: `127.0.0.1:${String(port).trim()}` };
}

test('a killed process is gone at once', async () => {
  const a = await node('a');
  const { child, address } = await spawnPeer();
  configure([a], [asMember(a), memberAt('b', address)]);
  await a.greeted.take(({ id }) => id === idOf('b'));
  child.kill('SIGKILL');
  expect(await a.gone.take()).toBe(idOf('b'));
});

test('a member that closed its port is gone, once', async () => {
  const [a, b] = [await node('a'), await node('b')];
  introduce(a, b);
  await deliver(a, b, heartbeat(a, b, 1));
  await b.peers.close();
  expect(await a.gone.take()).toBe(b.id);
  for (let attempt = 0; attempt < 15; attempt++) await a.unreachable.take();
  expect(a.gone.all).toEqual([]);
});

test('a process that closes a connection and goes on listening is not gone', async () => {
  const a = await node('a');
  const accepted = new Inbox<WebSocket>();
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => peerSubprotocol,
  });
  closers.push(() => server.close());
  server.on('connection', (socket) => {
    socket.once('message', () => {
      socket.send(helloFrame);
      accepted.push(socket);
    });
  });
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  configure([a], [asMember(a), memberAt('b', `127.0.0.1:${port}`)]);
  for (let time = 0; time < 3; time++) {
    await a.greeted.take();
    for (let lane = 0; lane < 3; lane++) (await accepted.take()).terminate();
  }
  await a.greeted.take();
  expect(a.gone.all).toEqual([]);
});

test('a connection that this node closes itself says nothing of the other one', async () => {
  const [a, b] = [await node('a'), await node('b')];
  introduce(a, b);
  await deliver(a, b, heartbeat(a, b, 1));
  configure([a], [asMember(a)]);
  await b.removed.take();
  await b.peers.close();
  expect(a.gone.all).toEqual([]);
});

/** A server that does this with each connection, in order; it closes after the last. */
async function listener(...reactions: readonly ('reset' | 'end')[]): Promise<string> {
  const left = [...reactions];
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    if (left.shift() === 'reset') socket.resetAndDestroy();
    else socket.end();
    if (left.length === 0) server.close();
  });
  closers.push(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

test('a process that dies in the middle of the new connection is gone as well', async () => {
  const address = await listener('reset', 'end', 'reset');
  await new Promise<void>((resolve) => {
    new RefusalProbe(address, systemClock, 10_000, resolve);
  });
});

test('a probe that is over says nothing', async () => {
  const address = await listener('end');
  let refusals = 0;
  const probe = new RefusalProbe(address, systemClock, 10_000, () => refusals++);
  probe.cancel();
  await new Promise<void>((resolve) => {
    new RefusalProbe(address, systemClock, 10_000, resolve);
  });
  expect(refusals).toBe(0);
});
