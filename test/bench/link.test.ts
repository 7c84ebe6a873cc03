import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Link } from '../../bench/link.ts';

test('a link carries all bytes both ways, limited or not, and an end', async () => {
  const received: Promise<string>[] = [];
  const server = createServer((socket) => {
    received.push(text(socket));
    socket.write('welcome');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = await Link.open((server.address() as AddressInfo).port);
  const [host, port] = link.address.split(':');
  const said = 'x'.repeat(100_000);
  for (const bytesPerSecond of [null, 4 * 1024 * 1024]) {
    link.limit(bytesPerSecond);
    const client = connect({ host: host as string, port: Number(port) });
    const heard = text(client);
    client.end(said);
    expect(await heard).toBe('welcome');
    expect(await received.at(-1)).toBe(said);
  }
  link.close();
  server.close();
});

test('a link without anybody behind it closes what comes', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = await Link.open((server.address() as AddressInfo).port);
  server.close();
  await once(server, 'close');
  const [host, port] = link.address.split(':');
  const client = connect({ host: host as string, port: Number(port) });
  client.on('error', () => {});
  await once(client, 'close');
  link.close();
});
