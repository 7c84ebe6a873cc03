import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, compare, connect, operation } from '../../src/client/index.ts';
import { PeerCluster } from './peer.ts';

let cluster: PeerCluster;
let client: Client;

beforeEach(async () => {
  cluster = await PeerCluster.start(3);
  client = await connect({ endpoints: cluster.endpoints });
});

afterEach(async () => {
  await client.close();
  await cluster.stop();
});

describe('keys and values', () => {
  test('what is put can be read, as bytes and as text', async () => {
    const put = await client.put('grüße', 'wörld');
    expect(put).toEqual({ revision: 2, previous: null });
    const pair = await client.get('grüße');
    expect(pair?.keyText).toBe('grüße');
    expect(pair?.valueText).toBe('wörld');
    expect(pair).toMatchObject({ createRevision: 2, modRevision: 2, version: 1, leaseId: null });
    expect(await client.get('absent')).toBeNull();
  });

  test('bytes that are no UTF-8 survive the way there and back', async () => {
    const key = Uint8Array.of(0xff, 0x00, 0x80);
    const value = Uint8Array.of(0xfe, 0x00);
    await client.put(key, value);
    const pair = await client.get(key);
    expect(pair?.key).toEqual(key);
    expect(pair?.value).toEqual(value);
  });

  test('a put gives back what was there, a delete what it deleted', async () => {
    await client.put('a', '1');
    const put = await client.put('a', '2', { previous: true });
    expect(put.previous?.valueText).toBe('1');
    await client.put('b', '3');
    const deleted = await client.delete({ prefix: '' }, { previous: true });
    expect(deleted.deleted).toBe(2);
    expect(deleted.previous.map((pair) => pair.keyText)).toEqual(['a', 'b']);
    expect((await client.delete('a')).deleted).toBe(0);
  });

  test('old revisions can be read, and a prefix page by page at one revision', async () => {
    await Promise.all(Array.from({ length: 2300 }, (_, index) => client.put(`p/${index}`, 'x')));
    const { revision } = await client.put('q', 'x');
    const all = await client.getPrefix('p/');
    expect(all.pairs).toHaveLength(2300);
    expect(all.revision).toBe(revision);
    const pages = cluster.received.filter(({ method }) => method === 'range');
    expect(pages.map(({ params }) => params.revision)).toEqual([0, revision, revision]);
    const page = await client.range({ prefix: 'p/' }, { limit: 2 });
    expect(page).toMatchObject({ count: 2300, more: true });
    expect(await client.get('q', { revision: revision - 1 })).toBeNull();
  });

  test('a transaction runs one branch, by its conditions', async () => {
    const lock = {
      compare: [compare.version('lock', 'equal', 0)],
      success: [operation.put('lock', 'me')],
      failure: [operation.range('lock'), operation.txn({ success: [operation.delete('x')] })],
    };
    expect(await client.txn(lock)).toEqual({
      revision: 2,
      succeeded: true,
      results: [{ type: 'put', previous: null }],
    });
    const second = await client.txn(lock);
    expect(second.succeeded).toBe(false);
    expect(second.results).toMatchObject([
      { type: 'range', count: 1, pairs: [{ valueText: 'me' }] },
      { type: 'txn', succeeded: true, results: [{ type: 'delete', deleted: 0 }] },
    ]);
  });
});

describe('requests', () => {
  test('the requests of one turn share a frame', async () => {
    await client.put('first', 'x');
    cluster.received.length = 0;
    await Promise.all(Array.from({ length: 50 }, (_, index) => client.put(`k${index}`, 'x')));
    expect(cluster.count('put')).toBe(50);
    const frames = cluster.received.filter(({ method }) => method === 'put');
    expect(new Set(frames.map(({ frameSize }) => frameSize))).toEqual(new Set([50]));
  });

  test('large requests are spread over frames, an impossible one is refused here', async () => {
    const value = new Uint8Array(900_000);
    await Promise.all(['a', 'b', 'c', 'd'].map((key) => client.put(key, value)));
    expect((await client.get('d'))?.value.length).toBe(900_000);
    const huge = Array.from({ length: 3 }, () => operation.put('a', value));
    const error = await client.txn({ success: huge }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'frameTooLarge', definite: true });
    await client.put('a', 'still here');
  });

  test('no more than a window of them is unanswered; the others surely never left', async () => {
    const window = 4096;
    await client.close();
    client = await connect({ endpoints: cluster.endpoints, sessions: false });
    cluster.node(0).fail('put', ...Array.from({ length: window }, () => 'ignore' as const));
    const sent = Promise.allSettled(
      Array.from({ length: window }, () => client.put('a', '1', { timeoutMs: 60_000 })),
    );
    const held = Array.from({ length: 100 }, () => client.put('a', '1', { timeoutMs: 100 }));
    for (const end of await Promise.allSettled(held)) {
      expect(end).toMatchObject({ reason: { code: 'timeout', definite: true } });
    }
    expect(cluster.count('put')).toBe(window);
    await client.close();
    for (const end of await sent) {
      expect(end).toMatchObject({ reason: { code: 'closed', definite: false } });
    }
  });

  test('pages shrink where values are too large for one answer', async () => {
    await Promise.all(['a', 'b', 'c'].map((key) => client.put(`p/${key}`, 'x')));
    const tooLarge = new RollcallError('frameTooLarge', 'The answer is too large');
    cluster.node(0).fail('range', ...Array.from({ length: 4 }, () => tooLarge));
    const { pairs } = await client.getPrefix('p/');
    expect(pairs.map(({ keyText }) => keyText)).toEqual(['p/a', 'p/b', 'p/c']);
  });

  test('a refusal arrives as the error that the node meant', async () => {
    const error = new RollcallError('compacted', 'Too old', { details: { compactRevision: 7 } });
    cluster.node(0).fail('range', error);
    await expect(client.get('a')).rejects.toMatchObject({
      code: 'compacted',
      definite: true,
      message: 'Too old',
      details: { compactRevision: 7 },
    });
  });
});

describe('serializable reads', () => {
  test('go to any node and ask for what this client has seen', async () => {
    const { revision } = await client.put('a', '1');
    const reads = await Promise.all(
      Array.from({ length: 6 }, () => client.get('a', { serializable: true })),
    );
    expect(reads.every((pair) => pair?.valueText === '1')).toBe(true);
    const asked = cluster.received.filter(({ method }) => method === 'range');
    expect(new Set(asked.map(({ node }) => node))).toEqual(new Set(['n1', 'n2', 'n3']));
    expect(asked.every(({ params }) => params.minRevision === revision)).toBe(true);
  });

  test('try another node where one is behind', async () => {
    for (const node of cluster.nodes.slice(0, 2)) {
      node.fail('range', new RollcallError('behind', 'Not yet'));
    }
    expect(await client.get('a', { serializable: true })).toBeNull();
  });

  test('end as `behind` when all stay behind', async () => {
    const behind = Array.from({ length: 200 }, () => new RollcallError('behind', 'Not yet'));
    for (const node of cluster.nodes) node.fail('range', ...behind);
    const read = client.get('a', { serializable: true, timeoutMs: 120 });
    await expect(read).rejects.toMatchObject({ code: 'behind' });
  });
});

describe('giving up', () => {
  test('an aborted write that left is in doubt, one that did not surely never happened', async () => {
    cluster.node(0).fail('put', 'ignore');
    const abort = new AbortController();
    const arrived = cluster.arrival('put');
    const put = client.put('a', '1', { signal: abort.signal });
    await arrived;
    abort.abort();
    await expect(put).rejects.toMatchObject({ code: 'cancelled', definite: false });
    const late = client.put('a', '2', { signal: abort.signal });
    await expect(late).rejects.toMatchObject({ code: 'cancelled', definite: true });
    const unsent = new AbortController();
    const never = client.put('a', '3', { signal: unsent.signal });
    unsent.abort();
    await expect(never).rejects.toMatchObject({ code: 'cancelled', definite: true });
    await client.get('a');
    expect(cluster.count('put')).toBe(1);
  });

  test('an unanswered write times out in doubt and is not sent again', async () => {
    cluster.node(0).fail('put', 'ignore');
    const put = client.put('a', '1', { timeoutMs: 150 });
    await expect(put).rejects.toMatchObject({ code: 'timeout', definite: false });
    await client.get('a');
    expect(cluster.count('put')).toBe(1);
  });

  test('closing ends what is open, twice is once, and nothing works afterwards', async () => {
    cluster.node(0).fail('put', 'ignore');
    const arrived = cluster.arrival('put');
    const put = client.put('a', '1');
    await arrived;
    const unsent = client.put('b', '1');
    await client.close();
    await client.close();
    await expect(put).rejects.toMatchObject({ code: 'closed', definite: false });
    await expect(unsent).rejects.toMatchObject({ code: 'closed', definite: true });
    await expect(client.get('a')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('connecting', () => {
  test('names each endpoint that does not answer, and why', async () => {
    const [first = '', second = ''] = cluster.endpoints;
    await cluster.stop();
    const failed = connect({ endpoints: [first, second], requestTimeoutMs: 200 });
    await expect(failed).rejects.toMatchObject({ code: 'unreachable', definite: true });
    await expect(failed).rejects.toThrow(first);
    await expect(failed).rejects.toThrow(`${second}: connect ECONNREFUSED`);
  });

  test('can be given up', async () => {
    await cluster.stop();
    const connecting = connect({ endpoints: cluster.endpoints, signal: AbortSignal.abort() });
    await expect(connecting).rejects.toMatchObject({ code: 'cancelled' });
  });

  test.each([[[]], [['nonsense']], [['a:b']], [['http://a:1']]])(
    'refuses %j',
    async (endpoints) => {
      await expect(connect({ endpoints })).rejects.toMatchObject({ code: 'invalidArgument' });
    },
  );

  test('finds the leader through a single endpoint that does not lead', async () => {
    const other = await connect({ endpoints: [cluster.node(2).address] });
    await other.put('a', '1');
    expect(cluster.received.at(-1)?.node).toBe('n1');
    expect(other.endpoints.find(({ leads }) => leads)?.address).toBe(cluster.node(0).address);
    await other.close();
  });

  test('says a word to every node, also to those that it may never need', async () => {
    const greeted = new Set(cluster.received.map(({ node }) => node));
    const rest = cluster.nodes.filter(({ name }) => !greeted.has(name));
    await Promise.all(
      rest.map(({ name }) => cluster.arrival('status', ({ node }) => node === name)),
    );
  });

  test('knows its cluster, its incarnation and the status of a node', async () => {
    expect(client.clusterId).toBe('00000000000000c1');
    expect(client.incarnation).toBe('00000000000000e1');
    expect(await client.status()).toMatchObject({ term: 1, leaderName: 'n1' });
  });
});
