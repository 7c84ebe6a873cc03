/** Backups of real clusters, and what becomes of them. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/index.ts';
import { TestCluster } from './cluster.ts';
import { Load } from './load.ts';
import { type Ending, runProgram } from './program.ts';

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
  await expect(stat(`${file}.part`)).rejects.toThrow('ENOENT');
  expect((await stat(file)).mode & 0o777).toBe(0o600);

  const again = await rollcall(cluster, 'snapshot', 'save', file);
  expect(again).toMatchObject({ code: 2, errors: expect.stringContaining('--force') });
  const forced = await document(cluster, 'snapshot', 'save', file, '--force', '--serializable');
  expect(forced).toMatchObject({ clusterId, incarnation });

  const bytes = await readFile(file);
  bytes[bytes.length - 1000] = (bytes[bytes.length - 1000] as number) ^ 1;
  await writeFile(file, bytes);
  const damaged = await rollcall(cluster, 'snapshot', 'verify', file);
  expect(damaged.code).toBe(1);
  expect(damaged.errors).toMatch(/^error: dataDamaged: .*backup is damaged at byte \d+: the check/);
  const nothing = await rollcall(cluster, 'snapshot', 'save', join(cluster.directory, 'no/where'));
  expect(nothing).toMatchObject({ code: 1, errors: expect.stringContaining('cannot be written') });
}, 120_000);
