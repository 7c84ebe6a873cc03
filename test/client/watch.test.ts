import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, RollcallError } from '../../src/base/errors.ts';
import {
  type Client,
  connect,
  operation,
  type Watch,
  type WatchBatch,
} from '../../src/client/index.ts';
import { PeerCluster, type PeerNode } from './peer.ts';

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

/** The next `count` events as `revision:type:key=value`. */
async function take(watch: Watch, count: number): Promise<readonly string[]> {
  const lines: string[] = [];
  while (lines.length < count) {
    const { value: batch } = await watch.next();
    for (const { type, pair } of batch?.events ?? []) {
      lines.push(`${batch?.revision}:${type}:${pair.keyText}=${pair.valueText}`);
    }
  }
  return lines;
}

/** The node that serves the only watch. */
function serving(): string {
  const watches = cluster.received.filter(({ method }) => method === 'watch');
  return watches.at(-1)?.node ?? '';
}

describe('a watch', () => {
  test('tells changes from now on, each revision as one batch', async () => {
    await client.put('a', 'before');
    const watch = client.watch({ prefix: 'a' }, { previous: true });
    expect(await watch.ready()).toBe(2);
    await client.put('a', '1');
    await client.put('other', 'x');
    await client.txn({ success: [operation.put('a', '2'), operation.put('ab', '3')] });
    await client.delete('a');
    expect((await watch.next()).value).toMatchObject({
      revision: 3,
      events: [{ type: 'put', previous: { valueText: 'before' } }],
    });
    expect((await watch.next()).value?.events).toHaveLength(2);
    expect(await take(watch, 1)).toEqual(['6:delete:a=']);
  });

  test('can begin in the past', async () => {
    await client.put('a', '1');
    await client.put('a', '2');
    const watch = client.watch('a', { startRevision: 3 });
    expect(await take(watch, 1)).toEqual(['3:put:a=2']);
  });

  test('iterates, and is cancelled at the node when the loop is left', async () => {
    const watch = client.watch('a');
    await watch.ready();
    const cancelled = cluster.arrival('cancel');
    await client.put('a', '1');
    for await (const { revision } of watch) {
      expect(revision).toBe(2);
      break;
    }
    await cancelled;
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  test.each(['close', 'abort', 'client'])('ends quietly by %s', async (how) => {
    const abort = new AbortController();
    const watch = client.watch('a', { signal: abort.signal });
    await watch.ready();
    const next = watch.next();
    if (how === 'close') watch.close();
    else if (how === 'abort') abort.abort();
    else await client.close();
    expect(await next).toEqual({ done: true, value: undefined });
  });
});

/** The node that serves the only watch. */
function servingNode(): PeerNode {
  const node = cluster.nodes.find(({ name }) => name === serving());
  if (node === undefined) throw new Error('No node serves a watch');
  return node;
}

function put(key: string, value: string): void {
  const bytes = new TextEncoder().encode(value);
  cluster.store.put({ key, value: bytes, leaseId: null, previous: false });
}

describe('how far a watch is', () => {
  test('is what was handed out, not what has arrived', async () => {
    const watch = client.watch('a');
    expect(watch.revision).toBe(null);
    await watch.ready();
    expect(watch.revision).toBe(1);
    put('a', '1');
    put('a', '2');
    await watch.requestProgress();
    expect(watch.revision).toBe(1);
    await watch.next();
    expect(watch.revision).toBe(2);
    await watch.next();
    expect(watch.revision).toBe(3);
  });

  test('grows with bookmarks, from where it goes on elsewhere', async () => {
    const watch = client.watch('a');
    await watch.ready();
    for (let count = 0; count < 5; count++) put('other', 'x');
    expect(await watch.requestProgress()).toBe(6);
    expect(watch.revision).toBe(6);
    const resumed = cluster.arrival('watch', ({ params }) => params.startRevision === 7);
    servingNode().hangUp();
    await resumed;
    put('a', '1');
    expect(await take(watch, 1)).toEqual(['7:put:a=1']);
  });

  test('is handed out as batches without events where that is wished', async () => {
    const watch = client.watch('a', { progress: true, progressMs: 2000 });
    await watch.ready();
    expect(cluster.received.find(({ method }) => method === 'watch')?.params).toMatchObject({
      progressMs: 2000,
    });
    put('other', 'x');
    servingNode().bookmark();
    expect((await watch.next()).value).toEqual({ revision: 2, events: [], more: false });
    put('a', '1');
    servingNode().bookmark();
    expect(await take(watch, 1)).toEqual(['3:put:a=1']);
  });

  test('does not go back by a bookmark of a node that lags', async () => {
    const watch = client.watch('a', { startRevision: 9 });
    await watch.ready();
    servingNode().bookmark(4);
    await watch.requestProgress();
    expect(watch.revision).toBe(8);
  });

  test('is not told any more once the watch is over', async () => {
    const watch = client.watch('a');
    await watch.ready();
    const asked = watch.requestProgress();
    watch.close();
    await expect(asked).rejects.toMatchObject({ code: 'closed' });
    await expect(watch.requestProgress()).rejects.toMatchObject({ code: 'closed' });
  });
});

test.each<['put' | 'delete', string]>([
  ['put', '2:put:a=1'],
  ['delete', '3:delete:a='],
])('a watch of only %s leaves out the others', async (only, line) => {
  const watch = client.watch('a', { only });
  await watch.ready();
  put('a', '1');
  cluster.store.delete({ key: 'a', rangeEnd: null, previous: false });
  expect(await take(watch, 1)).toEqual([line]);
});

describe('a revision in parts', () => {
  const pair = (key: string) => ({
    key,
    value: new Uint8Array(0),
    createRevision: 2,
    modRevision: 2,
    version: 1,
    leaseId: null,
  });
  const part = (keys: string, more: boolean) => ({
    type: 'events',
    revision: 2,
    events: [...keys].map((key) => ({ type: 'put', pair: pair(key), previous: null })),
    ...(more ? { more } : {}),
  });
  const keysOf = (batch: WatchBatch | undefined) =>
    `${batch?.events.map(({ pair: { keyText } }) => keyText).join('')}${batch?.more ? ' …' : ''}`;

  test.each([
    [false, ['abcde']],
    [true, ['ab …', 'c …', 'd …', 'e']],
  ])('is whole, unless parts are asked for (%s)', async (fragments, expected) => {
    const watch = client.watch({ prefix: '' }, { fragments });
    await watch.ready();
    servingNode().tellStreams(part('ab', true));
    servingNode().tellStreams(part('c', true));
    const resumed = cluster.arrival('watch', ({ params }) => params.startRevision === 2);
    const asked = cluster.arrival('watchProgress');
    // What comes after the loss begins with the whole revision again, cut at other places.
    servingNode().hangUp();
    await resumed;
    const progress = watch.requestProgress();
    await asked;
    servingNode().tellStreams(part('a', true));
    servingNode().tellStreams(part('bcd', true));
    servingNode().tellStreams(part('e', false));
    const got: string[] = [];
    for (;;) {
      const { value } = await watch.next();
      got.push(keysOf(value));
      if (value?.more === false) break;
    }
    await progress;
    expect(got).toEqual(expected);
    expect(watch.revision).toBe(2);
  });
});

describe('a watch goes on without gap or repeat', () => {
  test('after a lost connection, on another node', async () => {
    const watch = client.watch({ prefix: '' });
    await watch.ready();
    const first = serving();
    await client.put('a', '1');
    expect(await take(watch, 1)).toEqual(['2:put:a=1']);
    const node = cluster.nodes.find(({ name }) => name === first);
    const resumed = cluster.arrival('watch', ({ params }) => params.startRevision === 3);
    node?.hangUp();
    cluster.store.put({ key: 'b', value: Uint8Array.of(50), leaseId: null, previous: false });
    await resumed;
    expect(serving()).not.toBe(first);
    cluster.store.put({ key: 'c', value: Uint8Array.of(51), leaseId: null, previous: false });
    expect(await take(watch, 2)).toEqual(['3:put:b=2', '4:put:c=3']);
  });

  test('before any event: from the revision at which it was created', async () => {
    const watch = client.watch('a');
    await watch.ready();
    const resumed = cluster.arrival('watch', ({ params }) => params.startRevision === 2);
    for (const node of cluster.nodes) node.hangUp();
    cluster.store.put({ key: 'a', value: Uint8Array.of(49), leaseId: null, previous: false });
    await resumed;
    expect(await take(watch, 1)).toEqual(['2:put:a=1']);
  });

  test.each<[ErrorCode, string]>([
    ['noLeader', 'says that it has no leader'],
    ['removed', 'was removed from the cluster'],
  ])('%s: where a node %s', async (code) => {
    const watch = client.watch('a');
    await watch.ready();
    const first = serving();
    const resumed = cluster.arrival('watch');
    for (const node of cluster.nodes) node.endStreams(new RollcallError(code, 'for the test'));
    await resumed;
    expect(serving()).not.toBe(first);
    await client.put('a', '1');
    expect(await take(watch, 1)).toEqual(['2:put:a=1']);
  });

  test('through many losses', async () => {
    const watch = client.watch({ prefix: 'k' });
    await watch.ready();
    const seen: string[] = [];
    for (let round = 0; round < 10; round++) {
      for (let index = 0; index < 5; index++) {
        const value = Uint8Array.of(48 + index);
        cluster.store.put({ key: `k${round}`, value, leaseId: null, previous: false });
      }
      cluster.node(round % 3).hangUp();
      seen.push(...(await take(watch, 5)));
    }
    const revisions = seen.map((line) => Number.parseInt(line, 10));
    expect(revisions).toEqual(Array.from({ length: 50 }, (_, index) => index + 2));
  });

  test('for a consumer that is too slow: it is stopped at the node and resumed', async () => {
    const watch = client.watch({ prefix: '' }, { bufferBytes: 4000 });
    await watch.ready();
    const stopped = cluster.arrival('cancel');
    await Promise.all(Array.from({ length: 100 }, (_, index) => client.put(`k${index}`, 'x')));
    await stopped;
    const resumed = cluster.arrival('watch');
    const lines = await take(watch, 100);
    await resumed;
    expect(lines.map((line) => Number.parseInt(line, 10))).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 2),
    );
  });
});

describe('a watch ends with an error', () => {
  test('where the history that it needs is gone', async () => {
    cluster.store.compacted = 10;
    const watch = client.watch('a', { startRevision: 5 });
    await expect(watch.next()).rejects.toMatchObject({ code: 'compacted' });
    await expect(watch.ready()).rejects.toMatchObject({ code: 'compacted' });
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  test('where no node has room for one more, and not one that was served before', async () => {
    const served = client.watch('a');
    await served.ready();
    const full = new RollcallError('tooManyStreams', 'for the test');
    for (const node of cluster.nodes) node.fail('watch', full, full);
    await expect(client.watch('a').ready()).rejects.toMatchObject({ code: 'tooManyStreams' });
    for (const node of cluster.nodes) node.endStreams(full);
    await client.put('a', '1');
    expect(await take(served, 1)).toEqual(['2:put:a=1']);
  });

  test('where the cluster has become another one, after what was still true', async () => {
    const watch = client.watch('a');
    await watch.ready();
    const arrived = cluster.arrival('put');
    await client.put('a', '1');
    await arrived;
    cluster.incarnation = '00000000000000e2';
    for (const node of cluster.nodes) node.hangUp();
    expect(await take(watch, 1)).toEqual(['2:put:a=1']);
    await expect(watch.next()).rejects.toMatchObject({ code: 'incarnationChanged' });
  });

  test('not where a node names none while it repairs itself', async () => {
    const watch = client.watch('a');
    await watch.ready();
    const { incarnation } = cluster;
    cluster.incarnation = '';
    await client.put('a', '1');
    expect(await take(watch, 1)).toEqual(['2:put:a=1']);
    cluster.incarnation = incarnation;
    await client.put('a', '2');
    expect(await take(watch, 1)).toEqual(['3:put:a=2']);
  });

  test('at once, where its revision is of another incarnation', async () => {
    const { incarnation } = client;
    cluster.incarnation = '00000000000000e2';
    for (const node of cluster.nodes) node.hangUp();
    const watch = client.watch('a', { startRevision: 2, incarnation });
    await expect(watch.next()).rejects.toMatchObject({ code: 'incarnationChanged' });
  });

  test('on a client that is closed', async () => {
    await client.close();
    await expect(client.watch('a').next()).rejects.toMatchObject({ code: 'closed' });
  });
});
