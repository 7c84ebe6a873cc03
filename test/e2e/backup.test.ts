/** Backups of real clusters, and what becomes of them. */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Client, ClusterMember } from '../../src/client/index.ts';
import { eventually, TestCluster, type TestNode } from './cluster.ts';
import { Load } from './load.ts';
import { type Ending, Program, runProgram } from './program.ts';

let cluster: TestCluster | null = null;
let client: Client | null = null;

afterEach(async () => {
  await client?.close();
  await cluster?.close();
});

async function begin(count = 3): Promise<{ cluster: TestCluster; client: Client }> {
  cluster = await TestCluster.start(count);
  client = await cluster.connect();
  return { cluster, client };
}

function rollcall(of: TestCluster, ...parameters: readonly string[]): Promise<Ending> {
  const env = { ...process.env, ROLLCALL_ENDPOINTS: of.endpoints.join(',') };
  return runProgram(parameters, { env });
}

async function document(of: TestCluster, ...parameters: readonly string[]): Promise<unknown> {
  const { code, output, errors } = await rollcall(of, ...parameters, '--json');
  expect(errors).toBe('');
  expect(code).toBe(0);
  return JSON.parse(output);
}

test('a snapshot holds all that was acknowledged before, while writes go on', async () => {
  const { cluster, client } = await begin();
  const file = join(cluster.directory, 'backup');
  const value = 'v'.repeat(100_000);
  for (let at = 0; at < 40; at++) await client.put(`large/${at}`, value);
  const lease = await client.lease({ ttlMs: 60_000 });
  await client.put('leased', 'x', { leaseId: lease.id });
  await client.registry.register({ service: 'orders', address: '127.0.0.1:80' });
  const load = new Load(client, 2);
  await load.more(50);
  const { revision } = await client.put('last', 'one');
  const saved = (await document(cluster, 'snapshot', 'save', file)) as { revision: number };
  expect(saved.revision).toBeGreaterThanOrEqual(revision);
  await load.more(50);
  await load.finish(cluster);
  const { clusterId, incarnation } = client;
  const report = await document(cluster, 'snapshot', 'verify', file);
  expect(report).toMatchObject({ ...saved, clusterId, incarnation, members: ['n1', 'n2', 'n3'] });
  // The load's two keys, the large ones, the leased one and the last.
  expect(report).toMatchObject({ file, keys: 44, instances: 1, leases: 2 });
  expect((await readdir(cluster.directory)).filter((name) => name.includes('part'))).toEqual([]);
  expect((await stat(file)).mode & 0o777).toBe(0o600);

  const again = await rollcall(cluster, 'snapshot', 'save', file);
  expect(again).toMatchObject({ code: 2, errors: expect.stringContaining('--force') });
  const forced = await document(cluster, 'snapshot', 'save', file, '--force', '--serializable');
  expect(forced).toMatchObject({ clusterId, incarnation });

  const broken = client.cluster.snapshot();
  await broken.next();
  await cluster.stopNode(await cluster.leader());
  // What was taken up before the end is still there.
  const rest = (async () => {
    for await (const _ of broken);
  })();
  await expect(rest).rejects.toMatchObject({ code: 'connectionLost', definite: true });

  const bytes = await readFile(file);
  bytes[bytes.length - 1000] = (bytes[bytes.length - 1000] as number) ^ 1;
  await writeFile(file, bytes);
  const damaged = await rollcall(cluster, 'snapshot', 'verify', file);
  expect(damaged.code).toBe(1);
  expect(damaged.errors).toMatch(/^error: dataDamaged: .*backup is damaged at byte \d+: the check/);
  const nothing = await rollcall(cluster, 'snapshot', 'save', join(cluster.directory, 'no/where'));
  expect(nothing).toMatchObject({ code: 2, errors: expect.stringContaining('cannot be written') });
}, 120_000);

/** Waits until these three are voters that are reached. */
function threeVoters(of: Client): Promise<readonly ClusterMember[]> {
  return eventually('three voters', async () => {
    const { members } = await of.cluster.members().catch(() => ({ members: [] }));
    const well = members.filter(({ standing, isReachable }) => standing === 'voter' && isReachable);
    return well.length === 3 && members.length === 3 ? members : null;
  });
}

const raised = 2 ** 32;

test('a cluster is restored, two empty nodes join by themselves, and clients begin anew', async () => {
  const { cluster, client } = await begin();
  const [first, ...others] = cluster.nodes as [TestNode, TestNode, TestNode];
  const file = join(cluster.directory, 'backup');
  for (let at = 0; at < 20; at++) await client.put(`kept/${at}`, 'v');
  const { leaseId } = await client.leases.grant({ ttlMs: 3_600_000 });
  await client.put('leased', 'x', { leaseId });
  const held = await client.lease({ ttlMs: 60_000 });
  const registration = await client.registry.register({ service: 'api', address: '127.0.0.1:80' });
  const saved = (await document(cluster, 'snapshot', 'save', file)) as { revision: number };
  await client.put('late', 'x');
  const { incarnation } = client;
  const watch = client.watch({ prefix: '' });
  await watch.ready();

  const restored = once(registration, 'restored');
  for (const node of cluster.nodes) await cluster.wipeNode(node);
  const report = await document(
    ...[cluster, 'snapshot', 'restore', file, '--name', first.name],
    ...['--data-dir', cluster.dataDirectory(first), '--peer-listen', first.peerAddress],
    ...['--client-listen', first.clientAddress],
  );
  expect(report).toMatchObject({ name: 'n1', clusterId: client.clusterId, lost: ['n2', 'n3'] });
  for (const node of cluster.nodes) cluster.startNode(node);
  const members = await threeVoters(client);
  expect(members.map(({ name }) => name).sort()).toEqual(['n1', 'n2', 'n3']);

  await expect(watch.next()).rejects.toMatchObject({ code: 'incarnationChanged' });
  expect(client.incarnation).toBe((report as { incarnation: string }).incarnation);
  expect(client.incarnation).not.toBe(incarnation);
  expect(await held.lost).toBe('expired');
  await restored;
  const { pairs, revision } = await client.getPrefix('');
  expect(revision).toBeGreaterThan(raised + saved.revision);
  expect(pairs.map(({ keyText }) => keyText)).toEqual(
    Array.from({ length: 20 }, (_, at) => `kept/${at}`).sort(),
  );
  expect(pairs.every(({ modRevision }) => modRevision <= saved.revision)).toBe(true);
  const history = client.watch('leased', { startRevision: saved.revision });
  const { value } = await history.next();
  expect(value?.events).toMatchObject([{ type: 'delete' }]);
  history.close();
  await expect(client.leases.timeToLive(leaseId)).rejects.toMatchObject({ code: 'leaseNotFound' });
  expect(await client.registry.instances('api')).toMatchObject([{ id: registration.id }]);

  const load = new Load(client, 2);
  await load.more(50);
  await cluster.stopNode(first);
  await load.more(50);
  cluster.startNode(first);
  await load.finish(cluster);
  const again = await rollcall(
    cluster,
    'snapshot',
    'restore',
    file,
    '--name',
    'n2',
    '--data-dir',
    cluster.dataDirectory(others[0] as TestNode),
  );
  expect(again).toMatchObject({ code: 1, errors: expect.stringContaining('is not empty') });
}, 120_000);

test('a restore that was killed is refused by the server, and taken over by the next one', async () => {
  const { cluster, client } = await begin(1);
  const [node] = cluster.nodes as [TestNode];
  await client.put('kept', 'v'.repeat(100_000));
  const file = join(cluster.directory, 'backup');
  await document(cluster, 'snapshot', 'save', file);
  await cluster.wipeNode(node);
  // Whoever reads it waits for its end, which never comes.
  const pipe = join(cluster.directory, 'pipe');
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
  const restore = (from: string): string[] => [
    ...['snapshot', 'restore', from, '--name', node.name, '--data-dir', directory],
    ...['--peer-listen', node.peerAddress, '--client-listen', node.clientAddress],
  ];
  const directory = cluster.dataDirectory(node);
  const restoring = new Program(restore(pipe));
  const writer = await open(pipe, 'w');
  const entries = (): Promise<string[]> => readdir(directory).catch(() => []);
  await eventually('the restore to begin', async () => (await entries()).includes('restoring'));
  expect(await entries()).not.toContain('state');
  await writer.write((await readFile(file)).subarray(0, 60_000));
  await eventually('its state to be written', async () => (await entries()).includes('state'));
  await restoring.signal('SIGKILL');
  await writer.close();

  const refusal = expect.stringMatching(/dataDirectory: A restore of this data .* interrupted/);
  const started = await runProgram(cluster.serverArguments(node));
  expect(started).toMatchObject({ code: 1, errors: refusal });
  expect(await entries()).toContain('restoring');
  await document(cluster, ...restore(file));
  expect((await entries()).sort()).toEqual(['identity', 'lock', 'state', 'wal']);
  cluster.startNode(node);
  await cluster.leader();
  expect((await client.get('kept'))?.valueText).toHaveLength(100_000);
}, 60_000);

test('one of three goes on when the others are lost for good, and they never come back', async () => {
  const { cluster, client } = await begin();
  const load = new Load(client, 4);
  await load.more(200);
  const left = await cluster.leader();
  const lost = cluster.nodes.filter((node) => node !== left);
  for (const node of lost) await cluster.stopNode(node);
  const recover = ['recover', '--force-new-cluster', '--data-dir', cluster.dataDirectory(left)];
  const running = await rollcall(cluster, ...recover, '--yes');
  expect(running).toMatchObject({ code: 1, errors: expect.stringContaining('in use') });
  await cluster.stopNode(left);
  const asked = await rollcall(cluster, ...recover);
  expect(asked.code).toBe(2);
  expect(asked.errors).toMatch(/Never start n\d, n\d on their old directories again/);
  const { code, output, errors } = await rollcall(cluster, ...recover, '--yes', '--json');
  expect(errors).toContain('is lost, also if it was acknowledged');
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({ name: left.name, lost: lost.map(({ name }) => name) });

  // One of the old incarnation is heard by nobody.
  for (const node of cluster.nodes) cluster.startNode(node);
  await load.more(50);
  await eventually('the old ones are refused', async () =>
    lost.every((node) => node.output.includes('of incarnation')),
  );
  for (const node of lost) await cluster.wipeNode(node);
  for (const node of lost) cluster.startNode(node);
  await threeVoters(client);
  expect((await client.put('more', 'x')).revision).toBeGreaterThan(raised);
  await load.more(50);
  await load.finish(cluster);
}, 120_000);
