import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, connect } from '../../src/client/index.ts';
import { PeerCluster } from './peer.ts';

let cluster: PeerCluster;
let client: Client;

beforeEach(async () => {
  cluster = await PeerCluster.start(1);
  client = await connect({ endpoints: cluster.endpoints });
});

afterEach(async () => {
  await client.close();
  await cluster.stop();
});

describe('a lease that is kept', () => {
  test('is renewed by itself, all leases of the client in one request', async () => {
    const leases = await Promise.all([1, 2, 3].map(() => client.lease({ ttlMs: 600 })));
    await cluster.arrival('leaseKeepAlive');
    await cluster.arrival('leaseKeepAlive');
    const renewals = cluster.received.filter(({ method }) => method === 'leaseKeepAlive');
    const ids = leases.map(({ id }) => id).sort();
    for (const { params } of renewals) expect([...(params.leaseIds ?? [])].sort()).toEqual(ids);
    expect(leases.every(({ confirmed }) => confirmed)).toBe(true);
  });

  test('is lost when the cluster does not know it any more', async () => {
    const lease = await client.lease({ ttlMs: 500 });
    cluster.store.revoke(lease.id);
    expect(await lease.lost).toBe('expired');
    expect(lease.loss).toBe('expired');
    expect(lease.confirmed).toBe(false);
    await lease.revoke();
  });

  test('is known to be lost long before its time when the cluster was restored', async () => {
    const lease = await client.lease({ ttlMs: 3_600_000 });
    cluster.store.revoke(lease.id);
    cluster.incarnation = '00000000000000e2';
    cluster.node(0).hangUp();
    expect(await lease.lost).toBe('expired');
  });

  test('survives renewals that fail', async () => {
    const lease = await client.lease({ ttlMs: 500 });
    const internal = new RollcallError('internal', 'Once');
    cluster.node(0).fail('leaseKeepAlive', internal, internal);
    for (let count = 0; count < 3; count++) await cluster.arrival('leaseKeepAlive');
    await client.get('a');
    expect(lease.loss).toBeNull();
    expect(lease.confirmed).toBe(true);
  });

  test('ends with its keys when it is revoked', async () => {
    const lease = await client.lease({ ttlMs: 5000 });
    await client.put('a', '1', { leaseId: lease.id });
    expect((await client.get('a'))?.leaseId).toBe(lease.id);
    await lease.revoke();
    expect(await lease.lost).toBe('revoked');
    expect(await client.get('a')).toBeNull();
    await lease.revoke();
  });

  test('is left to its end by close, and by the end of the client', async () => {
    const closed = await client.lease({ ttlMs: 5000 });
    closed.close();
    expect(await closed.lost).toBe('closed');
    const open = await client.lease({ ttlMs: 5000 });
    await client.close();
    expect(await open.lost).toBe('closed');
    expect(cluster.store.leases.size).toBe(2);
  });
});

describe('leases by hand', () => {
  test('are granted, renewed, looked at, listed and revoked', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 700, leaseId: '00000000000000aa' });
    expect(leaseId).toBe('00000000000000aa');
    const taken = client.leases.grant({ ttlMs: 700, leaseId });
    await expect(taken).rejects.toMatchObject({ code: 'leaseExists' });
    await client.put('é', '1', { leaseId });
    expect(await client.leases.keepAliveOnce(leaseId)).toMatchObject({ ttlMs: 700 });
    const status = await client.leases.timeToLive(leaseId, { keys: true });
    expect(status).toMatchObject({ leaseId, grantedTtlMs: 700 });
    expect(status.keys).toEqual([Uint8Array.of(0xc3, 0xa9)]);
    expect((await client.leases.list()).map((lease) => lease.leaseId)).toEqual([leaseId]);
    await client.leases.revoke(leaseId);
    const gone = { code: 'leaseNotFound' };
    await expect(client.leases.keepAliveOnce(leaseId)).rejects.toMatchObject(gone);
    await expect(client.leases.timeToLive(leaseId)).rejects.toMatchObject(gone);
    await expect(client.leases.revoke(leaseId)).rejects.toMatchObject(gone);
  });

  test('can be taken over and kept', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 500 });
    const lease = await client.leases.adopt(leaseId);
    await cluster.arrival('leaseKeepAlive');
    expect(lease.ttlMs).toBe(500);
    expect(lease.confirmed).toBe(true);
  });

  test('have one handle, however often they are taken over', async () => {
    const first = await client.lease({ ttlMs: 500 });
    const second = await client.leases.adopt(first.id);
    expect(second).toBe(first);
    cluster.store.revoke(first.id);
    expect(await first.lost).toBe('expired');
    const { leaseId } = await client.leases.grant({ ttlMs: 500, leaseId: first.id });
    // A lost lease's id may be granted again: that is another lease.
    expect(await client.leases.adopt(leaseId)).not.toBe(first);
  });
});
