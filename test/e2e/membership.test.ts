/** Clusters of real processes that change their members while clients write. */
import { afterEach, expect, test } from 'vitest';
import type { Client, ClusterMember } from '../../src/client/index.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { Load } from './load.ts';
import { type Ending, runProgram } from './program.ts';

let cluster: TestCluster | null = null;
let client: Client | null = null;

afterEach(async () => {
  await client?.close();
  await cluster?.close();
});

async function begin(count: number): Promise<{ cluster: TestCluster; client: Client }> {
  cluster = await TestCluster.start(count);
  client = await cluster.connect();
  return { cluster, client };
}

/** Waits until exactly these are voters, none with one of the `gone` ids, and nobody is anything else. */
function voters(
  of: Client,
  names: readonly string[],
  gone: readonly string[] = [],
): Promise<readonly ClusterMember[]> {
  return eventually(`the voters ${names.join(', ')}`, async () => {
    const { members } = await of.cluster.members().catch(() => ({ members: [] }));
    const wrong = members.filter(
      ({ id, standing, isReachable }) => standing !== 'voter' || !isReachable || gone.includes(id),
    );
    const found = members.map(({ name }) => name).sort();
    return wrong.length === 0 && found.join() === [...names].sort().join() ? members : null;
  });
}

async function idsOf(nodes: readonly TestNode[]): Promise<string[]> {
  const statuses = await Promise.all(nodes.map(readStatus));
  return statuses.map((status) => status?.memberId ?? 'unknown');
}

/** Waits until the node asks to join, then takes it in. */
async function admit(of: Client, name: string): Promise<void> {
  await eventually(`${name} asks to join`, async () => {
    const { applicants } = await of.cluster.members();
    return applicants.some((applicant) => applicant.name === name);
  });
  await of.cluster.add(name);
}

test('a cluster grows from one node to five and shrinks again, under load', async () => {
  const { cluster, client } = await begin(1);
  const load = new Load(client);
  const names = ['n1'];
  for (const name of ['n2', 'n3', 'n4', 'n5']) {
    await cluster.join(name);
    await admit(client, name);
    names.push(name);
    await voters(client, names);
    await load.more(50);
  }
  const { leaderName } = await client.cluster.transferLeadership('n4');
  expect(leaderName).toBe('n4');
  await load.more(50);
  // The leader itself goes last, and hands over.
  for (const name of ['n1', 'n2', 'n4']) {
    await client.cluster.remove(name);
    names.splice(names.indexOf(name), 1);
    await voters(client, names);
    const removed = cluster.nodes.find((node) => node.name === name) as TestNode;
    await eventually(`${name} knows that it is out`, async () => {
      return (await readStatus(removed))?.standing === 'removed';
    });
    await cluster.dropNode(removed);
    await load.more(50);
  }
  await load.finish(cluster);
}, 120_000);

test('five nodes lose two, get them back empty, and lose another one', async () => {
  const { cluster, client } = await begin(5);
  const names = cluster.nodes.map(({ name }) => name);
  const load = new Load(client);
  await load.more(200);
  const lost = [await cluster.leader()];
  lost.push(cluster.nodes.find((node) => !lost.includes(node)) as TestNode);
  const ids = await idsOf(lost);
  for (const node of lost) await cluster.wipeNode(node);
  await load.more(200);
  for (const node of lost) cluster.startNode(node);
  await voters(client, names, ids);
  await load.more(200);
  const another = await cluster.leader();
  ids.push(...(await idsOf([another])));
  await cluster.wipeNode(another);
  await load.more(200);
  cluster.startNode(another);
  await voters(client, names, ids);
  await client.cluster.transferLeadership();
  await load.more(100);
  await load.finish(cluster);
}, 120_000);

test('three members of five are swapped one after another', async () => {
  const { cluster, client } = await begin(5);
  const load = new Load(client);
  const names = cluster.nodes.map(({ name }) => name);
  for (const [at, name] of ['n6', 'n7', 'n8'].entries()) {
    await cluster.join(name);
    await eventually(`${name} asks to join`, async () => {
      const { applicants } = await client.cluster.members();
      return applicants.some((applicant) => applicant.name === name);
    });
    const old = cluster.nodes.find((node) => node.name === `n${at + 1}`) as TestNode;
    await client.cluster.replace(old.name, name);
    names.splice(names.indexOf(old.name), 1, name);
    await voters(client, names);
    await cluster.dropNode(old);
    await load.more(100);
  }
  await load.finish(cluster);
}, 120_000);

test('what would harm the cluster is refused', async () => {
  const { cluster, client } = await begin(3);
  await expect(client.cluster.add('n9')).rejects.toMatchObject({ code: 'memberNotFound' });
  await expect(client.cluster.remove('n9')).rejects.toMatchObject({ code: 'memberNotFound' });
  await expect(client.cluster.promote('n1')).rejects.toMatchObject({
    code: 'membershipRefused',
    details: { reason: 'wrongRole' },
  });
  const followers = cluster.nodes.filter((node) => node.name !== 'n1');
  const leader = await cluster.leader();
  const asks = (...words: readonly string[]): Promise<Ending> =>
    runProgram([...words, '--endpoints', cluster.endpoints.join(',')]);
  expect(await asks('transfer-leader', leader.name)).toMatchObject({
    ...{ code: 0, errors: '', output: `${leader.name} leads already\n` },
  });
  const transferred = await asks('transfer-leader', leader.name, '--json');
  expect(JSON.parse(transferred.output)).toMatchObject({ leaderName: leader.name });
  const promoted = await asks('member', 'promote', 'n1');
  expect(promoted).toMatchObject({ code: 0, errors: '' });
  expect(promoted.output).toMatch(/^n1 votes already\nNODE/);
  const listed = JSON.parse((await asks('member', 'promote', 'n1', '--json')).output);
  expect(listed).toHaveLength(3);
  const [silent, other] = followers.filter((node) => node !== leader);
  const dead = silent ?? (followers[0] as TestNode);
  await cluster.stopNode(dead);
  const alive = cluster.nodes.find((node) => node !== dead && node !== leader) ?? other;
  await eventually('the leader misses it', async () => {
    const { members } = await client.cluster.members();
    return members.some(({ name, isReachable }) => name === dead.name && !isReachable);
  });
  await expect(client.cluster.remove((alive as TestNode).name)).rejects.toMatchObject({
    code: 'membershipRefused',
    details: { reason: 'losesQuorum' },
  });
}, 60_000);
