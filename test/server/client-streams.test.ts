import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Fixture, openFixture } from './endpoint-fixture.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture({ streamBacklogBytesMax: 200_000 });
});

afterEach(() => fixture.close());

describe('a watch', () => {
  test('tells of its creation, then of each revision, until it is cancelled', async () => {
    const client = await fixture.connect();
    const [watch] = client.send(['watch', { key: 'k' }]) as [number];
    expect(await client.next(watch)).toEqual({
      id: watch,
      kind: 2,
      body: { type: 'created', revision: 1 },
    });
    await client.call('put', { key: 'other', value: new Uint8Array(0) });
    await client.call('put', { key: 'k1', value: new Uint8Array(0) });
    expect(await client.next(watch)).toMatchObject({
      kind: 2,
      body: {
        type: 'events',
        revision: 3,
        events: [{ type: 'put', pair: { key: 'k1', modRevision: 3 }, previous: null }],
      },
    });
    expect(await client.call('cancel', { id: watch })).toEqual({ revision: 3 });
    expect(await client.next(watch)).toMatchObject({ kind: 1, body: { code: 'cancelled' } });
    expect(fixture.member.open.size).toBe(0);
    expect(await client.call('cancel', { id: watch })).toEqual({ revision: 3 });
  });

  test('that ends at once says why', async () => {
    const client = await fixture.connect();
    const [watch] = client.send(['watch', { key: 'k', startRevision: 1 }]) as [number];
    expect(await client.next(watch)).toMatchObject({
      kind: 1,
      body: { code: 'compacted', details: { compactRevision: 2 } },
    });
  });

  test('ends with its connection', async () => {
    const client = await fixture.connect();
    const [watch] = client.send(['watch', { key: 'k' }]) as [number];
    await client.next(watch);
    expect(fixture.member.open.size).toBe(1);
    client.socket.terminate();
    await client.closed;
    const other = await fixture.connect();
    while (fixture.member.open.size > 0) await other.call('leaseList');
  });

  test('pauses while the client does not read, misses nothing, and harms nobody', async () => {
    const slow = await fixture.connect();
    const other = await fixture.connect();
    const [watch] = slow.send(['watch', { key: 'k' }]) as [number];
    await slow.next(watch);
    slow.socket.pause();
    const [stream] = [...fixture.member.open];
    const value = new Uint8Array(100_000);
    let puts = 0;
    while (stream?.pauses === 0) {
      await other.call('put', { key: `k${puts++}`, value });
    }
    const more = 50;
    for (let number = 0; number < more; number++) {
      await other.call('put', { key: `k${puts++}`, value });
    }
    slow.socket.resume();
    const seen: number[] = [];
    for (let number = 0; number < puts; number++) {
      const { body } = await slow.next(watch);
      seen.push((body as { revision: number }).revision);
    }
    expect(seen).toEqual(Array.from({ length: puts }, (_, at) => at + 2));
  });
});

describe('one of many watches', () => {
  test('says how far it is when it is asked', async () => {
    const client = await fixture.connect();
    const [watch] = client.send(['watch', { key: 'k' }]) as [number];
    await client.next(watch);
    await client.call('put', { key: 'other', value: new Uint8Array(0) });
    expect(await client.call('watchProgress', { id: watch })).toEqual({ revision: 2 });
    expect(await client.next(watch)).toMatchObject({ body: { type: 'progress', revision: 2 } });
    expect(await client.call('watchProgress', { id: 999 })).toEqual({ revision: 2 });
  });

  test('shares what it is told with the others of its connection', async () => {
    const client = await fixture.connect();
    const watches = client.send(
      ...Array.from({ length: 50 }, () => ['watch', { key: 'k' }] as const),
    );
    for (const watch of watches) await client.next(watch);
    const value = new Uint8Array(10_000);
    await client.call('put', { key: 'k', value });
    for (const watch of watches) {
      expect(await client.next(watch)).toMatchObject({
        body: { type: 'events', revision: 2, events: [{ pair: { key: 'k', modRevision: 2 } }] },
      });
    }
    // Fifty copies would be half a megabyte.
    expect(client.bytes).toBeLessThan(50_000);
  });
});

test('a service view tells the whole first, then the changes, then why it ends', async () => {
  const client = await fixture.connect();
  const [view] = client.send(['watchService', { service: 's' }]) as [number];
  expect(await client.next(view)).toMatchObject({
    kind: 2,
    body: { type: 'view', revision: 2, instances: [{ id: 'one', metadata: [['zone', 'z']] }] },
  });
  expect(await client.next(view)).toEqual({
    id: view,
    kind: 2,
    body: {
      type: 'changes',
      revision: 3,
      events: [{ type: 'removed', id: 'one', reason: 'expired' }],
    },
  });
  expect(await client.next(view)).toMatchObject({ kind: 1, body: { code: 'noLeader' } });
});

test('a snapshot sends what its client permits, and then its result', async () => {
  const client = await fixture.connect();
  const [snapshot] = client.send(['snapshot', { window: 2 }]) as [number];
  const next = async (): Promise<unknown> => {
    const { kind, body } = (await client.next(snapshot)) as { kind: number; body: unknown };
    return kind === 0 ? body : [...(body as { bytes: Uint8Array }).bytes];
  };
  expect([await next(), await next()]).toEqual([[0], [1]]);
  await client.call('permit', { id: snapshot, items: 1 });
  expect(await next()).toEqual([2]);
  // Nothing more came before this answer.
  await client.call('permit', { id: 1000, items: 1 });
  await client.call('permit', { id: snapshot, items: 64 });
  for (let piece = 3; piece < 10; piece++) expect(await next()).toEqual([piece]);
  expect(await next()).toEqual({ revision: 1 });
});
