import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { connectThrough } from '../../src/client/client.ts';
import { type Client, connect } from '../../src/client/index.ts';
import { realOutside } from '../../src/client/outside.ts';
import { PeerCluster } from './peer.ts';

let cluster: PeerCluster;
let client: Client;

beforeEach(async () => {
  cluster = await PeerCluster.start(3);
  client = await connect({ endpoints: cluster.endpoints });
  await client.put('warm', 'up');
  cluster.received.length = 0;
});

afterEach(async () => {
  await client.close();
  await cluster.stop();
});

/** Until the client has noticed that a node's sockets are gone. */
function noticed(address: string): Promise<void> {
  return vi.waitFor(
    () =>
      expect(client.endpoints.find((known) => known.address === address)?.connected).toBe(false),
    { interval: 5 },
  );
}

const puts = () => cluster.received.filter(({ method }) => method === 'put');

describe('a change of leaders', () => {
  test('moves requests to the new one', async () => {
    cluster.elect(cluster.node(1));
    await client.put('a', '1');
    expect(puts().at(-1)?.node).toBe('n2');
    expect((await client.get('a'))?.valueText).toBe('1');
  });

  test('a refused write is sent again, since it surely had no effect', async () => {
    const refusal = new RollcallError('notLeader', 'Not any more');
    cluster.node(0).fail('put', refusal);
    const refused = cluster.arrival('put');
    const put = client.put('a', '1');
    await refused;
    cluster.elect(cluster.node(1));
    await put;
    expect(puts().map(({ node }) => node)).toEqual(['n1', 'n2']);
  });

  test('a leader that stops is left alone from its refusal on', async () => {
    const old = cluster.node(0);
    old.fail('put', new RollcallError('closed', 'The node is stopping', { definite: true }));
    const put = client.put('a', '1');
    await vi.waitFor(() => expect(client.endpoints.some(({ leads }) => leads)).toBe(false), {
      interval: 5,
    });
    cluster.elect(cluster.node(1));
    await put;
    expect(puts().map(({ node }) => node)).toEqual(['n1', 'n2']);
  });

  test('without a leader requests wait for one', async () => {
    cluster.elect(null);
    const refused = cluster.arrival('put');
    const put = client.put('a', '1');
    await refused;
    cluster.elect(cluster.node(2));
    await put;
    expect(puts().at(-1)?.node).toBe('n3');
  });

  test('and end as `noLeader` if none comes, surely without effect', async () => {
    const old = cluster.node(0);
    cluster.leader = null;
    await old.stop();
    await noticed(old.address);
    const put = client.put('a', '1', { timeoutMs: 200 });
    await expect(put).rejects.toMatchObject({ code: 'noLeader', definite: true });
    await expect(put).rejects.toThrow(old.address);
    expect(puts()).toEqual([]);
  });
});

describe('a lost connection', () => {
  test('leaves a write in doubt: it is reported and never sent again', async () => {
    cluster.node(0).fail('put', 'drop');
    const put = client.put('a', '1');
    await expect(put).rejects.toMatchObject({ code: 'connectionLost', definite: false });
    expect((await client.get('a'))?.valueText).toBe('1');
    expect(puts()).toHaveLength(1);
    expect((await client.get('a'))?.version).toBe(1);
  });

  test('repeats a read', async () => {
    await client.put('a', '1');
    cluster.node(0).fail('range', 'drop');
    expect((await client.get('a'))?.valueText).toBe('1');
    expect(cluster.count('range')).toBe(2);
  });

  test('is dialled again, also after the node was away for long', async () => {
    const node = cluster.node(0);
    await node.stop();
    await noticed(node.address);
    const put = client.put('a', '1');
    await node.start();
    await put;
    expect(puts()).toHaveLength(1);
  });

  test('is dialled again at once when its node is said to lead', async () => {
    // With such chances the next attempt would be hours away.
    const outside = { ...realOutside, random: () => 1e6 };
    const patient = await connectThrough(outside, { endpoints: cluster.endpoints });
    const node = cluster.node(1);
    const known = () => patient.endpoints.find(({ address }) => address === node.address);
    await vi.waitFor(() => expect(known()?.connected).toBe(true), { interval: 5 });
    await node.stop();
    await vi.waitFor(() => expect(known()?.connected).toBe(false), { interval: 5 });
    await node.start();
    cluster.elect(node);
    await patient.put('a', '1');
    expect(puts().at(-1)?.node).toBe('n2');
    await patient.close();
  });

  test('of the leader leads to the next one', async () => {
    const old = cluster.node(0);
    await old.stop();
    await noticed(old.address);
    cluster.elect(cluster.node(1));
    await client.put('a', '1');
    expect(puts().at(-1)?.node).toBe('n2');
  });
});

describe('a silent leader', () => {
  test('is left for a new one: reads move, a write in doubt ends as connectionLost', async () => {
    cluster.node(0).pause();
    const arrived = cluster.arrival('range');
    const put = client.put('a', '1');
    const get = client.get('warm');
    await arrived;
    cluster.elect(cluster.node(1));
    expect((await get)?.valueText).toBe('up');
    await expect(put).rejects.toMatchObject({ code: 'connectionLost', definite: false });
    expect(puts()).toHaveLength(1);
    await client.put('b', '1');
    expect(puts().at(-1)?.node).toBe('n2');
  });

  test('is asked whether it is there, as are all others', async () => {
    cluster.node(0).fail('put', 'ignore');
    const put = client.put('a', '1', { timeoutMs: 300 }).catch((error: unknown) => error);
    await Promise.all(
      cluster.nodes.map(({ name }) => cluster.arrival('status', (got) => got.node === name)),
    );
    expect(await put).toMatchObject({ code: 'timeout' });
  });

  test('that comes back before another leads goes on', async () => {
    const node = cluster.node(0);
    node.pause();
    const get = client.get('warm');
    // Its ping shows that the client counts the silence.
    await cluster.arrival('status');
    node.resume();
    expect((await get)?.valueText).toBe('up');
  });
});
