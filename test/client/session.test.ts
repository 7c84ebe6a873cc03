/** Writes under a session: sent again where they are in doubt, done once, reported where that is unknown. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, connect } from '../../src/client/index.ts';
import { PeerCluster } from './peer.ts';

let cluster: PeerCluster;
let client: Client;

beforeEach(async () => {
  cluster = await PeerCluster.start(3);
  cluster.sessions = new Map();
  client = await connect({ endpoints: cluster.endpoints });
  await client.put('warm', 'up');
  cluster.received.length = 0;
});

afterEach(async () => {
  await client.close();
  await cluster.stop();
});

const puts = () => cluster.received.filter(({ method }) => method === 'put');
const sequences = () => puts().map(({ session }) => session?.sequence);
const versionOf = async (key: string) => (await client.get(key))?.version;
const failureOf = (write: Promise<unknown>) => write.catch((thrown: unknown) => thrown);

describe('a write in doubt', () => {
  test('is sent again after its connection was lost, and done once', async () => {
    cluster.node(0).fail('put', 'drop');
    const { revision } = await client.put('a', '1');
    expect(sequences()).toEqual([2, 2]);
    expect(await client.get('a')).toMatchObject({ version: 1, modRevision: revision });
  });

  test('is sent to the next leader when its own has fallen silent', async () => {
    const arrived = cluster.arrival('put');
    cluster.node(0).fail('put', 'applyOnly');
    const put = client.put('a', '1', { previous: true });
    await arrived;
    cluster.elect(cluster.node(1));
    expect((await put).previous).toBeNull();
    expect(puts().map(({ node }) => node)).toEqual(['n1', 'n2']);
    expect(await versionOf('a')).toBe(1);
  });

  test('is sent again where the old leader says that it may have happened', async () => {
    cluster.node(0).fail('put', new RollcallError('leadershipLost', 'Who knows'));
    await client.put('a', '1');
    expect(sequences()).toEqual([2, 2]);
  });

  test('stays in doubt when only a copy of it was refused', async () => {
    cluster.node(0).fail('put', 'drop', new RollcallError('tooManyRequests', 'Slow down'));
    expect(await failureOf(client.put('a', '1'))).toMatchObject({
      code: 'tooManyRequests',
      definite: false,
    });
    expect(await versionOf('a')).toBe(1);
  });

  test('is decided when its outcome says so', async () => {
    const details = { sequence: 2 };
    const decided = new RollcallError('leaseNotFound', 'It was refused', { details });
    cluster.node(0).fail('put', new RollcallError('timeout', 'No majority'), decided);
    expect(await failureOf(client.put('a', '1'))).toMatchObject({
      code: 'leaseNotFound',
      definite: true,
    });
  });

  test('is reported when its time is over', async () => {
    cluster.node(0).fail('put', 'drop', ...Array(100).fill('ignore'));
    const error = await failureOf(client.put('a', '1', { timeoutMs: 200 }));
    expect(error).toMatchObject({ code: 'timeout', definite: false });
  });
});

describe('a session that is lost', () => {
  test('is reported, and only what never left goes under another one', async () => {
    cluster.sessions?.clear();
    const error = await failureOf(client.put('a', '1'));
    expect(error).toMatchObject({ code: 'sessionExpired', definite: false });
    await client.put('b', '2');
    expect(sequences()).toEqual([2, 1]);
    expect(await client.get('a')).toBeNull();
    expect(await versionOf('b')).toBe(1);
  });

  test('goes with the incarnation that it was opened in', async () => {
    const arrived = cluster.arrival('put');
    cluster.node(0).fail('put', 'applyOnly');
    const put = failureOf(client.put('a', '1'));
    await arrived;
    cluster.incarnation = '00000000000000e2';
    cluster.elect(cluster.node(0));
    expect(await put).toMatchObject({ code: 'incarnationChanged', definite: false });
    expect(sequences()).toEqual([2]);
    await client.put('b', '2');
    expect(sequences()).toEqual([2, 1]);
  });

  test('cannot be had at all: writes that wait for one surely had no effect', async () => {
    const other = await connect({ endpoints: cluster.endpoints });
    cluster.node(0).fail('sessionOpen', new RollcallError('tooManySessions', 'Full'));
    const error = await failureOf(other.put('a', '1'));
    expect(error).toMatchObject({ code: 'tooManySessions', definite: true });
    await other.put('a', '1');
    await other.close();
  });
});

test('writes without an answer are at most as many as a session keeps results', async () => {
  const arrived = cluster.arrival('put', ({ session }) => session?.sequence === 257);
  cluster.node(0).pause();
  const all = Promise.all(Array.from({ length: 600 }, (_, at) => client.put(`k${at}`, 'x')));
  await arrived;
  expect(puts()).toHaveLength(256);
  cluster.node(0).resume();
  await all;
  const known = puts().map(({ session }) => session);
  expect(known.every((one) => one && one.sequence - one.acknowledgedThrough <= 256)).toBe(true);
  expect(new Set(known.map((one) => `${one?.sessionId} ${one?.sequence}`)).size).toBe(600);
});

test('another session is asked for again and again, but not at once, while all have no room', async () => {
  const full = new RollcallError('tooManySessions', 'Full');
  cluster.node(0).fail('sessionOpen', ...Array<RollcallError>(1000).fill(full));
  cluster.node(0).fail('put', ...Array<'ignore'>(255).fill('ignore'));
  const writes = Array.from({ length: 300 }, (_, at) =>
    failureOf(client.put(`k${at}`, 'x', { timeoutMs: 400 })),
  );
  await Promise.all(writes);
  const opened = cluster.received.filter(({ method }) => method === 'sessionOpen');
  expect(opened.length).toBeGreaterThan(0);
  expect(opened.length).toBeLessThan(20);
});

test('reads and renewals have no session, and a closed client leaves none behind', async () => {
  await client.get('warm');
  await client.txn({ success: [] });
  await client.leases.grant({ ttlMs: 1000, leaseId: '00000000000000aa' });
  await client.leases.keepAliveOnce('00000000000000aa');
  const under = cluster.received.filter(({ session }) => session !== null);
  expect(under.map(({ method }) => method)).toEqual(['leaseGrant']);
  await client.close();
  await vi.waitFor(() => expect(cluster.sessions?.size).toBe(0), { interval: 5 });
  expect(await failureOf(client.put('a', '1'))).toMatchObject({ code: 'closed', definite: true });
});
