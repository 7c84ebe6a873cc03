/**
 * A rolling upgrade: a member is held at the older feature level, as an older version would be, beside
 * two that know the newer one, and writes go on all the while.
 */
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/index.ts';
import { RawClient } from '../server/raw-client.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { Load } from './load.ts';

let cluster: TestCluster;
let client: Client | null = null;

afterEach(async () => {
  await client?.close();
  await cluster.close();
});

/** As of a version that knows level 1 alone. */
function startOlder(node: TestNode): void {
  cluster.startNode(node, [...cluster.serverArguments(node), '--feature-level-max', '1']);
}

async function levels(): Promise<(number | undefined)[]> {
  const statuses = await Promise.all(cluster.nodes.map(readStatus));
  return statuses.map((status) => status?.featureLevel);
}

/** Asks the leader for what only level 2 has. Returns the code of its refusal. */
async function askForNewer(): Promise<string> {
  const leader = await cluster.leader();
  const raw = await new RawClient(leader.clientAddress).opened();
  const instance = { service: 'nothing', id: 'nothing', leaseId: 'a'.repeat(16) };
  const refusal = await raw.call('deregister', instance).catch((error: unknown) => error);
  raw.socket.close();
  return (refusal as { readonly code: string }).code;
}

/** A node that ends by itself, with what it said last. */
async function ended(node: TestNode): Promise<string> {
  const child = node.process;
  if (child !== null) await once(child, 'close');
  return node.output.slice(node.output.lastIndexOf('error: '));
}

test('the level stays while one member is older, rises once none is, and never falls', async () => {
  cluster = await TestCluster.prepare(3);
  const [first, second, older] = cluster.nodes as [TestNode, TestNode, TestNode];
  for (const node of [first, second]) cluster.startNode(node);
  startOlder(older);
  await cluster.leader();
  client = await cluster.connect();
  const load = new Load(client);

  // The old one follows, leads, and sees the others restarted.
  await load.more(300);
  expect(await levels()).toEqual([1, 1, 1]);
  expect(await askForNewer()).toBe('featureLevelTooLow');
  const registration = await client.registry.register({ service: 'api', address: '127.0.0.1:80' });
  expect(await client.registry.instances('api')).toMatchObject([{ id: registration.id }]);
  await registration.deregister();
  expect(await client.registry.instances('api')).toEqual([]);
  await eventually('the old one to lead', async () => {
    await client?.cluster.transferLeadership(older.name).catch(() => {});
    return (await cluster.leader()) === older;
  });
  await cluster.stopNode(first, 'SIGTERM');
  await load.more(300);
  cluster.startNode(first);
  await load.more(300);
  await cluster.stopNode(second, 'SIGKILL');
  cluster.startNode(second);
  await load.more(300);
  await eventually('all nodes to be there', async () => {
    const statuses = await Promise.all(cluster.nodes.map(readStatus));
    return statuses.every((status) => status !== null && status.standing === 'voter');
  });
  expect(await levels()).toEqual([1, 1, 1]);
  expect(await askForNewer()).toBe('featureLevelTooLow');

  await cluster.stopNode(older, 'SIGTERM');
  await load.more(300);
  cluster.startNode(older);
  await eventually('level 2 everywhere', async () =>
    (await levels()).every((level) => level === 2),
  );
  expect(await askForNewer()).toBe('instanceNotFound');
  await load.more(300);

  // It went down as a new one: there is no way back, neither for it nor for a newcomer.
  await cluster.stopNode(older, 'SIGTERM');
  await load.more(300);
  startOlder(older);
  expect(await ended(older)).toMatch(/^error: formatTooNew: .*start a newer version of Rollcall/);
  cluster.startNode(older);
  const newcomer = await cluster.join('n4');
  await cluster.wipeNode(newcomer);
  startOlder(newcomer);
  expect(await ended(newcomer)).toMatch(
    /^error: formatTooNew: Cluster .* "n4" knows 1 at most: start a newer version of Rollcall there/,
  );
  await cluster.dropNode(newcomer);
  await load.finish(cluster);
  expect(await levels()).toEqual([2, 2, 2]);
});
