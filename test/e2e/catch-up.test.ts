/** A follower that was away comes back to a cluster that goes on: by the log, or by another's state. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/index.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { Load } from './load.ts';

let cluster: TestCluster | null = null;
let client: Client | null = null;

afterEach(async () => {
  await client?.close();
  await cluster?.close();
});

/** Where the node's states have lived so far: a received one gets the next number. */
async function states(of: TestCluster, node: TestNode): Promise<readonly string[]> {
  return await readdir(join(of.dataDirectory(node), 'state'));
}

async function hasCaughtUp(node: TestNode, revision: number): Promise<void> {
  await eventually(`${node.name} at revision ${revision}`, async () => {
    return ((await readStatus(node))?.revision ?? 0) >= revision;
  });
}

test('what the others no longer have in their logs comes as a state, while writes go on', async () => {
  cluster = await TestCluster.start(3, ['--log-window-mib', '1', '--log-retained-mib', '2']);
  client = await cluster.connect();
  const leader = await cluster.leader();
  const away = cluster.nodes.find((node) => node !== leader) as TestNode;
  await cluster.stopNode(away);
  const load = new Load(client, 4);
  const chunk = 'x'.repeat(64 * 1024);
  const first = async (): Promise<string | undefined> => {
    const logs = await readdir(join((cluster as TestCluster).dataDirectory(leader), 'wal'));
    return logs.sort()[0];
  };
  const before = await first();
  let written = 0;
  await eventually('the leader to give up its oldest log', async () => {
    for (let at = 0; at < 8; at++) await client?.put(`chunk/${written++ % 50}`, chunk);
    return (await first()) !== before;
  });
  cluster.startNode(away);
  await hasCaughtUp(away, client.revision);
  expect(await states(cluster, away)).not.toEqual(await states(cluster, leader));
  await eventually('both to tell of it', async () => {
    const isOffered = /"to":"n\d","index":\d+,.*a state is offered/.test(leader.output);
    const used = /"from":"n\d","index":\d+,"bytes":\d+,"ms":\d+,.*is in use/;
    return isOffered && used.test(away.output);
  });
  // It is a member like any other again: with the third one gone, it is part of the majority.
  const third = cluster.nodes.find((node) => node !== leader && node !== away) as TestNode;
  await cluster.stopNode(third);
  await load.more(100);
  cluster.startNode(third);
  await load.finish(cluster);
}, 120_000);

test('what the others still have in their logs comes as entries', async () => {
  cluster = await TestCluster.start(3);
  client = await cluster.connect();
  const leader = await cluster.leader();
  const away = cluster.nodes.find((node) => node !== leader) as TestNode;
  await cluster.stopNode(away);
  const load = new Load(client, 16, 'full');
  await load.more(5000);
  const old = await states(cluster, away);
  cluster.startNode(away);
  await hasCaughtUp(away, client.revision);
  expect(await states(cluster, away)).toEqual(old);
  await load.finish(cluster);
}, 120_000);
