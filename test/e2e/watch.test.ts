/** Watches of real processes: by any node, of a node that is cut off, of one who does not read, and hostile ones. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Client, connect, type Watch } from '../../src/client/index.ts';
import type { ServerItem } from '../../src/wire/frame.ts';
import { RawClient } from '../server/raw-client.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';

let cluster: TestCluster;
const clients: Client[] = [];
const raws: RawClient[] = [];

afterEach(async () => {
  for (const raw of raws.splice(0)) raw.socket.terminate();
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await cluster.close();
});

async function clientOf(...endpoints: readonly string[]): Promise<Client> {
  const client = await connect({ endpoints, learnEndpoints: endpoints.length > 1 });
  clients.push(client);
  return client;
}

async function rawOf(node: TestNode): Promise<RawClient> {
  const raw = new RawClient(node.clientAddress);
  raws.push(raw);
  return raw.opened();
}

/** Every revision that the watch tells up to one, and what it put. */
async function tellTo(watch: Watch, last: number): Promise<readonly string[]> {
  const lines: string[] = [];
  for (;;) {
    const { value: batch } = await watch.next();
    for (const { pair } of batch?.events ?? []) lines.push(`${batch?.revision} ${pair.keyText}`);
    if ((batch?.revision ?? Number.POSITIVE_INFINITY) >= last) return lines;
  }
}

interface Body {
  readonly type: string;
  readonly revision: number;
  readonly code: string;
  readonly details: { readonly resumeRevision?: number };
}

const bodyOf = ({ body }: ServerItem) => body as Body;

describe('a watch of three nodes', () => {
  test('is told the same by each of them, through the loss of the one that serves it', async () => {
    cluster = await TestCluster.start();
    const writer = await clientOf(...cluster.endpoints);
    const leader = await cluster.leader();
    const followers = cluster.nodes.filter((node) => node !== leader);
    const [served] = followers as [TestNode];
    const alone = await clientOf(served.clientAddress);
    const anywhere = await clientOf(...cluster.endpoints);
    const watches = [alone, anywhere].map((client) =>
      client.watch({ prefix: 'k' }, { startRevision: 1 }),
    ) as [Watch, Watch];
    const expected: string[] = [];
    const write = async (): Promise<number> => {
      const { revision } = await writer.put(`k${expected.length}`, 'v');
      expected.push(`${revision} k${expected.length}`);
      return revision;
    };
    let last = 0;
    for (let count = 0; count < 20; count++) last = await write();
    const told = await Promise.all(watches.map((watch) => tellTo(watch, last)));
    await cluster.stopNode(served);
    for (let count = 0; count < 20; count++) last = await write();
    const more = await tellTo(watches[1], last);
    expect([...(told[1] ?? []), ...more]).toEqual(expected);
    cluster.startNode(served);
    await cluster.stopNode(leader);
    last = await write();
    expect([...(told[0] ?? []), ...(await tellTo(watches[0], last))]).toEqual(expected);
    expect(watches[0].revision).toBe(last);
    expect(await watches[0].requestProgress()).toBeGreaterThanOrEqual(last);
  }, 60_000);

  test('ends where nobody leads, and says where it can go on', async () => {
    cluster = await TestCluster.start();
    const writer = await clientOf(...cluster.endpoints);
    const { revision } = await writer.put('a', '1');
    const leader = await cluster.leader();
    const others = cluster.nodes.filter((node) => node !== leader);
    const [left] = others as [TestNode];
    await eventually('the revision', async () => (await readStatus(left))?.revision === revision);
    const raw = await rawOf(left);
    const [watch, behind] = raw.send(
      ['watch', { key: 'a', startRevision: revision }],
      ['watch', { key: 'a', minRevision: revision + 1000 }],
    ) as [number, number];
    expect(bodyOf(await raw.next(watch)).type).toBe('created');
    expect(bodyOf(await raw.next(watch))).toMatchObject({ type: 'events', revision });
    expect(bodyOf(await raw.next(behind)).code).toBe('behind');
    const stays = await clientOf(left.clientAddress);
    const patient = stays.watch('a', { startRevision: revision + 1 });
    await patient.ready();
    const gone = cluster.nodes.filter((node) => node !== left);
    for (const node of gone) await cluster.stopNode(node);
    const end = bodyOf(await raw.next(watch));
    expect(end).toMatchObject({ code: 'noLeader', details: { resumeRevision: revision + 1 } });
    for (const node of gone) cluster.startNode(node);
    const { revision: next } = await writer.put('a', '2');
    expect(await tellTo(patient, next)).toEqual([`${next} a`]);
  }, 60_000);
});

describe('one node', () => {
  test('keeps nothing for a socket that does not read, and tells it all afterwards', async () => {
    cluster = await TestCluster.start(1);
    const [node] = cluster.nodes as [TestNode];
    const client = await clientOf(node.clientAddress);
    const healthy = client.watch({ prefix: 'k' });
    await healthy.ready();
    const raw = await rawOf(node);
    const ids = raw.send(
      ...Array.from({ length: 100 }, (_, at) => {
        // Some watch the same, some what nobody else does.
        const range = at < 95 ? { key: 'k', rangeEnd: 'l' } : { key: 'k', rangeEnd: `k~${at}` };
        return ['watch', range] as const;
      }),
    );
    for (const id of ids) await raw.next(id);
    raw.socket.pause();
    const writes = 100;
    const value = new Uint8Array(64 * 1024);
    let last = 0;
    for (let number = 0; number < writes; number++) {
      ({ revision: last } = await client.put(`k${number}`, value));
    }
    expect(await tellTo(healthy, last)).toHaveLength(writes);
    raw.socket.resume();
    for (const id of ids) {
      for (let number = 0; number < writes; number++) {
        expect(bodyOf(await raw.next(id)).revision).toBe(last - writes + 1 + number);
      }
    }
  }, 60_000);

  test('tells what is left of a compacted history, or says that it is gone', async () => {
    cluster = await TestCluster.start(1);
    const client = await clientOf(cluster.nodes[0]?.clientAddress ?? '');
    await client.put('a', '1');
    await client.put('a', '2');
    const live = client.watch('a', { previous: true });
    await live.ready();
    const { revision: floor } = await client.delete('a');
    await client.compact(floor);
    const { revision: last } = await client.put('b', 'x');
    const gone = client.watch({ prefix: '' }, { startRevision: floor - 1 });
    const error = await gone.next().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'compacted', details: { compactRevision: floor } });
    const rest = client.watch({ prefix: '' }, { startRevision: floor });
    expect(await tellTo(rest, last)).toEqual([`${floor} a`, `${last} b`]);
    expect(await tellTo(live, floor)).toEqual([`${floor} a`]);
    expect(await live.requestProgress()).toBe(last);
  }, 60_000);
});

describe('a hostile client', () => {
  test('is refused watches that make no sense, each with its code, and may stay', async () => {
    cluster = await TestCluster.start(1);
    const raw = await rawOf(cluster.nodes[0] as TestNode);
    const codeOf = async (params: object, method = 'watch'): Promise<string> => {
      const [id] = raw.send([method, params]) as [number];
      const first = bodyOf(await raw.next(id));
      return first.code ?? first.type ?? 'a result';
    };
    const wrong: readonly object[] = [
      { key: '' },
      { key: 'b', rangeEnd: 'b' },
      { key: 'b', rangeEnd: 'a' },
      { key: 'a', rangeEnd: '' },
      { key: 'a', startRevision: -1 },
      { key: 'a', startRevision: 1.5 },
      { key: 'a', startRevision: 2 ** 53 },
      { key: 'a', startRevision: 2n ** 63n },
      { key: 'a', startRevision: Number.NaN },
      { key: 'a', minRevision: -1 },
      { key: 'a', progressMs: 1 },
      { key: 'a', progressMs: 1e12 },
      { key: 'a', noPut: 'yes' },
      { key: 'a', incarnation: 'x' },
      { key: 'a', frob: 1 },
      { key: '\u0100' },
      {},
    ];
    for (const params of wrong) expect(await codeOf(params)).toBe('invalidArgument');
    expect(await codeOf({ key: 'x'.repeat(4097) })).toBe('keyTooLong');
    expect(await codeOf({ key: 'a', incarnation: '00000000000000ff' })).toBe('incarnationChanged');
    expect(await codeOf({ key: 'a', startRevision: Number.MAX_SAFE_INTEGER })).toBe('created');
    expect(await codeOf({ key: '__proto__', noPut: true, noDelete: true })).toBe('created');
    expect(await codeOf({ key: '\0', rangeEnd: '\0' })).toBe('created');
    expect(await codeOf({ id: 4_000_000_000 }, 'cancel')).toBe('a result');
    expect(await codeOf({ id: 4_000_000_000 }, 'watchProgress')).toBe('a result');
    expect(await codeOf({ id: 0 }, 'watchProgress')).toBe('invalidArgument');
  }, 60_000);

  test('has so many watches on a connection and no more', async () => {
    cluster = await TestCluster.start(1);
    const raw = await rawOf(cluster.nodes[0] as TestNode);
    const most = 10_000;
    const range = (at: number) => ({ key: `k${at}`, rangeEnd: `k${at}~` });
    const ids = raw.send(
      ...Array.from({ length: most + 1 }, (_, at) => ['watch', range(at)] as const),
    );
    expect(bodyOf(await raw.next(ids[most] as number)).code).toBe('tooManyStreams');
    expect(bodyOf(await raw.next(ids[most - 1] as number)).type).toBe('created');
    await raw.call('cancel', { id: ids[0] });
    const [again] = raw.send(['watch', { key: 'k7' }]) as [number];
    expect(bodyOf(await raw.next(again)).type).toBe('created');
    await raw.call('put', { key: 'k9999', value: new Uint8Array(0) });
    expect(bodyOf(await raw.next(ids[9999] as number)).type).toBe('events');
  }, 60_000);
});
