/** Compaction on real processes: the same refusals on every node, and the same state after kills. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, connect, RollcallError, type WatchBatch } from '../../src/client/index.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { runProgram } from './program.ts';

let cluster: TestCluster;
let client: Client;

beforeAll(async () => {
  cluster = await TestCluster.start(3, [
    ...['--history-age', '0s', '--history-revisions', '100000', '--quota-mib', '8'],
  ]);
  client = await cluster.connect();
});

afterAll(async () => {
  await client?.close();
  await cluster?.close();
});

function rollcall(...parameters: readonly string[]) {
  const env = { ...process.env, ROLLCALL_ENDPOINTS: cluster.endpoints.join(',') };
  return runProgram(parameters, { env });
}

/** The code of the error that the promise has to end with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof RollcallError ? error.code : `not refused: ${error}`;
}

/** A client that speaks to this node alone. */
async function alone<T>(node: TestNode, body: (client: Client) => Promise<T>): Promise<T> {
  const own = await connect({ endpoints: [node.clientAddress], learnEndpoints: false });
  try {
    return await body(own);
  } finally {
    await own.close();
  }
}

async function firstBatch(own: Client, startRevision: number): Promise<WatchBatch | null> {
  const watch = own.watch('k', { startRevision });
  for await (const batch of watch) return batch;
  return null;
}

test('a floor is the same for every command, read and watch, on every node', async () => {
  const { revision: first } = await client.put('k', 'one');
  await client.put('k', 'two');
  const { revision: gone } = await client.delete('k');
  const { revision: last } = await client.put('k', 'three');
  expect(await rollcall('compact', String(last + 1))).toMatchObject({ code: 1, output: '' });
  expect(await codeOf(client.compact(last + 1))).toBe('futureRevision');
  const compacting = await rollcall('compact', String(gone), '--physical', '--json');
  expect(compacting).toMatchObject({ code: 0, errors: '' });
  expect(JSON.parse(compacting.output)).toEqual({ revision: last, compactRevision: gone });
  for (const revision of [first, gone]) {
    const { code, errors } = await rollcall('compact', String(revision));
    expect({ code, error: errors.split('\n')[0] }).toEqual({
      code: 1,
      error: `error: compacted: Revision ${gone} is the oldest that is kept`,
    });
  }
  for (const node of cluster.nodes) {
    await alone(node, async (own) => {
      await eventually('the floor', async () => (await own.status()).compactRevision === gone);
      const at = (revision: number) => own.get('k', { revision, serializable: true });
      expect(await codeOf(at(first))).toBe('compacted');
      expect(await at(gone)).toBeNull();
      expect((await at(last))?.valueText).toBe('three');
      expect(await codeOf(firstBatch(own, first))).toBe('compacted');
      const batch = await firstBatch(own, gone);
      expect(batch?.revision).toBe(gone);
      expect(batch?.events.map(({ type }) => type)).toEqual(['delete']);
    });
  }
});

test('members that are killed while it is removed end with the same state', async () => {
  for (let round = 0; round < 15; round++) {
    await Promise.all(Array.from({ length: 1000 }, (_, at) => client.put(`p${at}`, `${round}`)));
  }
  const { revision } = await client.put('p', 'last');
  const leader = await cluster.leader();
  const followers = cluster.nodes.filter((node) => node !== leader);
  const [killed] = followers as [TestNode, TestNode];
  const removed = client.compact(revision, { physical: true });
  await cluster.stopNode(killed);
  cluster.startNode(killed);
  await removed;
  await eventually('equal states', async () => {
    const statuses = await Promise.all(cluster.nodes.map(readStatus));
    const told = statuses.map(
      (status) => `${status?.appliedIndex} ${status?.removedRevision} ${status?.digest}`,
    );
    return statuses[0]?.removedRevision === revision && new Set(told).size === 1;
  });
  await alone(killed, async (own) => {
    const { count } = await own.range({ prefix: 'p' }, { countOnly: true, serializable: true });
    expect(count).toBe(1001);
    expect((await own.get('p7', { serializable: true }))?.valueText).toBe('14');
  });
});

test('a full quota refuses what stores more, and clears by itself once it is compacted', async () => {
  const value = 'v'.repeat(256 * 1024);
  const fill = async (left: number): Promise<string> => {
    const code = left === 0 ? 'never full' : await codeOf(client.put('big', value));
    return code.startsWith('not refused') ? fill(left - 1) : code;
  };
  expect(await fill(100)).toBe('noSpace');
  expect(await codeOf(client.leases.grant({ ttlMs: 1000 }))).toBe('noSpace');
  await eventually('the trouble', async () => {
    const statuses = await Promise.all(cluster.nodes.map(readStatus));
    return statuses.every((status) => status?.troubles.includes('quotaFull'));
  });
  const { revision } = await client.delete('big');
  expect(await codeOf(client.put('big', value))).toBe('noSpace');
  await client.compact(revision, { physical: true });
  await client.put('big', value);
  await eventually('the end of the trouble', async () => {
    const statuses = await Promise.all(cluster.nodes.map(readStatus));
    return statuses.every((status) => status?.troubles.length === 0);
  });
});

test('history is compacted by itself, by age and by number, also after a restart', async () => {
  const short = await TestCluster.start(1, ['--history-age', '0s', '--history-revisions', '10']);
  const [node] = short.nodes as [TestNode];
  const own = await short.connect();
  try {
    for (let count = 0; count < 30; count++) await own.put('k', `${count}`);
    await eventually('a floor by number', async () => {
      const status = await readStatus(node);
      const { revision = 0, compactRevision = 0, removedRevision } = status ?? {};
      return compactRevision === revision - 10 && removedRevision === compactRevision;
    });
    await short.stopNode(node, 'SIGTERM');
    short.options = ['--history-age', '2s', '--history-revisions', '0'];
    short.startNode(node);
    const { revision: old } = await own.put('k', 'old');
    const floor = async () => (await readStatus(node))?.compactRevision ?? 0;
    await eventually('a floor by age', async () => {
      await own.put('k', 'new');
      return (await floor()) >= old;
    });
    expect(await codeOf(own.get('k', { revision: old - 1 }))).toBe('compacted');
  } finally {
    await own.close();
    await short.close();
  }
});
