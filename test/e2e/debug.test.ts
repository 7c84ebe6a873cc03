/** The debug face of real processes: a test ends them where it wants, and reads what they did. */
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../src/client/index.ts';
import { nodeFailpoints } from '../../src/node/failpoints.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { Load } from './load.ts';

let cluster: TestCluster;
let client: Client;

beforeAll(async () => {
  cluster = await TestCluster.start(3, ['--debug']);
  client = await cluster.connect();
});

afterAll(async () => {
  await client?.close();
  await cluster?.close();
});

async function ask<T>(node: TestNode, path: string): Promise<T> {
  const response = await fetch(`http://${node.clientAddress}/debug/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

async function arm(node: TestNode, failpoint: string, arming: object): Promise<void> {
  const response = await fetch(`http://${node.clientAddress}/debug/failpoints/${failpoint}`, {
    method: 'PUT',
    body: JSON.stringify(arming),
  });
  expect([response.status, await response.json()]).toMatchObject([200, { armed: arming }]);
}

async function events(node: TestNode): Promise<Record<string, unknown>[]> {
  const response = await fetch(`http://${node.clientAddress}/debug/trace`);
  const lines = (await response.text()).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

interface Digest {
  readonly index: number;
  readonly revision: number;
  readonly digest: string;
}

test('a follower that is crashed with a durable append comes back, equal at the same index', async () => {
  const leader = await cluster.leader();
  const follower = cluster.nodes.find((node) => node !== leader) as TestNode;
  const { process: child } = follower;
  expect(follower.output).toContain('/debug/');
  await arm(follower, 'append.durable', { action: 'crash', skip: 1 });
  const ended = once(child as NonNullable<typeof child>, 'exit');
  for (let at = 0; at < 5; at++) await client.put(`key/${at}`, 'value');
  expect(await ended).toEqual([null, 'SIGKILL']);
  expect(follower.output).toContain('append.durable strikes');

  cluster.startNode(follower);
  const newest = await ask<Digest>(leader, 'digest');
  await eventually('the follower to catch up', async () => {
    return ((await readStatus(follower))?.appliedIndex ?? 0) >= newest.index;
  });
  expect(await ask<Digest>(follower, `digest?index=${newest.index}`)).toMatchObject({
    revision: newest.revision,
    digest: newest.digest,
  });
  expect(await events(leader)).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ event: 'role', role: 'leader' }),
      expect.objectContaining({ event: 'sent', message: 'requestVote', preVote: false }),
      expect.objectContaining({ event: 'commit' }),
      expect.objectContaining({ event: 'apply', index: newest.index, digest: newest.digest }),
    ]),
  );
  expect((await events(follower)).map(({ event }) => event)).toEqual(
    expect.arrayContaining(['received', 'append', 'persisted', 'apply']),
  );
});

test('a node that ends at any place of a turn comes back, and nothing acknowledged is lost', async () => {
  const load = new Load(client, 4);
  const places = Object.keys(nodeFailpoints).filter((name) => !name.startsWith('state.'));
  for (const [at, place] of places.entries()) {
    const leader = await cluster.leader();
    const node = at % 2 === 0 ? leader : cluster.nodes.find((other) => other !== leader);
    const ended = once(node?.process as NonNullable<TestNode['process']>, 'exit');
    await arm(node as TestNode, place, { action: 'crash' });
    expect(await ended, place).toEqual([null, 'SIGKILL']);
    cluster.startNode(node as TestNode);
    await load.more(20);
    await eventually('the node to be back', async () => readStatus(node as TestNode));
  }
  await load.finish(cluster);
});

test('a leader whose disk fails ends, and another one leads', async () => {
  const leader = await cluster.leader();
  const ended = once(leader.process as NonNullable<typeof leader.process>, 'exit');
  await arm(leader, 'append.begin', { action: 'throw' });
  await client.put('after', 'all').catch(() => {});
  expect(await ended).toEqual([1, null]);
  expect(await cluster.leader()).not.toBe(leader);
  await client.put('after', 'all');
});
