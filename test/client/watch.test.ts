import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, RollcallError } from '../../src/base/errors.ts';
import { type Client, connect, operation, type Watch } from '../../src/client/index.ts';
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
