/** Leases through a real cluster: their ids, their bounds, many of them, and one with many keys. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, operation } from '../../src/client/index.ts';
import { eventually, TestCluster } from './cluster.ts';

let cluster: TestCluster;
let client: Client;

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  client = await cluster.connect();
});

afterAll(async () => {
  await client.close();
  await cluster.close();
});

async function codeOf(request: Promise<unknown>): Promise<string> {
  const error = await request.catch((thrown: unknown) => thrown);
  return error instanceof RollcallError ? `${error.code}, definite ${error.definite}` : 'done';
}

test.each([0, -1, 0.5, 499, Number.NaN, 9_000_000_000_001, 2 ** 53])(
  'no TTL of %d ms',
  async (ttlMs) => {
    expect(await codeOf(client.leases.grant({ ttlMs }))).toBe('invalidArgument, definite true');
  },
);

test.each([500, 10 ** 12, 9_000_000_000_000])(
  'a TTL of %d ms, to the millisecond',
  async (ttlMs) => {
    const { leaseId, ttlMs: granted } = await client.leases.grant({ ttlMs });
    expect(granted).toBe(ttlMs);
    expect((await client.leases.keepAliveOnce(leaseId)).ttlMs).toBe(ttlMs);
    expect((await client.leases.timeToLive(leaseId)).grantedTtlMs).toBe(ttlMs);
    await client.leases.revoke(leaseId);
  },
);

// As numbers each of these would be one with its neighbours.
test.each(['0020000000000001', '7fffffffffffffff', '8000000000000000', 'ffffffffffffffff'])(
  'the id %s is exact on every way',
  async (leaseId) => {
    expect(await client.leases.grant({ ttlMs: 60_000, leaseId })).toMatchObject({ leaseId });
    await client.put('held', 'x', { leaseId });
    expect((await client.get('held'))?.leaseId).toBe(leaseId);
    expect((await client.leases.timeToLive(leaseId, { keys: true })).keys).toHaveLength(1);
    expect((await client.leases.list()).map((lease) => lease.leaseId)).toEqual([leaseId]);
    expect(await client.leases.keepAliveAll([leaseId, '0020000000000000'])).toEqual([60_000, 0]);
    expect(await codeOf(client.leases.grant({ ttlMs: 500, leaseId }))).toBe(
      'leaseExists, definite true',
    );
    await client.leases.revoke(leaseId);
    expect(await client.get('held')).toBeNull();
    expect(await codeOf(client.leases.revoke(leaseId))).toBe('leaseNotFound, definite true');
  },
);

test.each(['', '1', '0000000000000000', 'FFFFFFFFFFFFFFFF', '00000000000000001'])(
  'no id "%s"',
  async (leaseId) => {
    expect(await codeOf(client.leases.grant({ ttlMs: 500, leaseId }))).toBe(
      'invalidArgument, definite true',
    );
  },
);

describe('very many', () => {
  const count = 12_000;

  test('leases are listed in pages, and end together', async () => {
    const grants = Array.from({ length: count }, () => client.leases.grant({ ttlMs: 30_000 }));
    const ids = (await Promise.all(grants)).map(({ leaseId }) => leaseId).sort();
    const listed = await client.leases.list();
    expect(listed.map(({ leaseId }) => leaseId)).toEqual(ids);
    expect(await client.leases.keepAliveAll(ids)).toEqual(ids.map(() => 30_000));
    const revoked = ids.slice(1).map((leaseId) => client.leases.revoke(leaseId));
    await Promise.all(revoked);
    expect((await client.leases.list()).map(({ leaseId }) => leaseId)).toEqual(ids.slice(0, 1));
    await client.leases.revoke(ids[0] as string);
  });

  test('keys of one lease are told in pages, and go in steps of bounded size', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 60_000 });
    const keys = Array.from({ length: count }, (_, at) => `many/${String(at).padStart(6, '0')}`);
    for (let at = 0; at < count; at += 100) {
      const success = keys.slice(at, at + 100).map((key) => operation.put(key, 'x', { leaseId }));
      await client.txn({ success });
    }
    const status = await client.leases.timeToLive(leaseId, { keys: true });
    expect(status.keys.map((key) => Buffer.from(key).toString())).toEqual(keys);
    const before = client.revision;
    await client.leases.revoke(leaseId);
    expect(await codeOf(client.put('new', 'x', { leaseId }))).toBe('leaseNotFound, definite true');
    const prefix = { prefix: 'many/' };
    await eventually('the keys to go', async () => {
      return (await client.range(prefix, { countOnly: true })).count === 0;
    });
    // Twelve revisions of at most 1,024 keys each.
    expect((await client.range(prefix, { countOnly: true })).revision - before).toBe(12);
  });
});
