import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { type Fixture, openFixture } from './endpoint-fixture.ts';
import { RawClient } from './raw-client.ts';

let fixture: Fixture;

beforeEach(async () => {
  fixture = await openFixture();
});

afterEach(() => fixture.close());

describe('requests', () => {
  test("are answered with results under the node's header", async () => {
    const client = await fixture.connect();
    const value = Uint8Array.of(1, 2, 255);
    expect(await client.call('put', { key: 'k', value })).toEqual({ revision: 2, previous: null });
    const { pairs } = (await client.call('range', { key: 'k' })) as { pairs: { value: Buffer }[] };
    expect(pairs).toHaveLength(1);
    expect(pairs[0]).toMatchObject({ key: 'k', modRevision: 2, leaseId: null });
    expect(Uint8Array.from(pairs[0]?.value ?? [])).toEqual(value);
    expect((await client.frames.take()).header).toEqual({
      clusterId: '00000000000c1a55',
      incarnation: '0000000000000001',
      memberId: '00000000000000a1',
      term: 3,
    });
  });

  test('of one frame are answered in one frame', async () => {
    const client = await fixture.connect();
    const value = new Uint8Array(1);
    client.send(
      ...Array.from({ length: 100 }, (_, at) => ['put', { key: `k${at}`, value }] as const),
    );
    const answers = await client.frames.take(({ items }) => items.some(({ id }) => id > 0));
    expect(answers.items).toHaveLength(100);
  });

  test('by the thousand are all answered', async () => {
    const client = await fixture.connect();
    const ids = client.send(...Array.from({ length: 5000 }, () => ['leaseList'] as const));
    await Promise.all(ids.map((id) => client.next(id)));
  });

  test("carry the member's errors with their details", async () => {
    const client = await fixture.connect();
    await expect(client.call('leaseGrant', { ttlMs: 1000 })).rejects.toMatchObject({
      code: 'notLeader',
      definite: true,
      details: { leaderId: 'b' },
    });
  });

  test.each<[string, unknown, string, RegExp]>([
    ['noSuchMethod', {}, 'unknownMethod', /noSuchMethod/],
    ['constructor', {}, 'unknownMethod', /constructor/],
    ['put', { key: '', value: new Uint8Array(0) }, 'invalidArgument', /key/],
    ['put', { key: 'k' }, 'invalidArgument', /value/],
    [
      'put',
      { key: 'k', value: new Uint8Array(0), more: 1 },
      'invalidArgument',
      /Unknown field more/,
    ],
    ['put', [], 'invalidArgument', /The request/],
    [
      'put',
      { key: 'k'.repeat(limits.keyBytesMax + 1), value: new Uint8Array(0) },
      'keyTooLong',
      /4097/,
    ],
    [
      'put',
      { key: 'k', value: new Uint8Array(limits.valueBytesMax + 1) },
      'valueTooLarge',
      /value/,
    ],
    ['leaseGrant', { ttlMs: 499 }, 'invalidArgument', /ttlMs/],
    ['range', { key: 'k', limit: -1 }, 'invalidArgument', /limit/],
    ['range', { key: 'k', limit: 2 ** 60 }, 'invalidArgument', /limit/],
    ['cancel', {}, 'invalidArgument', /id/],
  ])(
    '%s with bad parameters names what is wrong, and the connection stays',
    async (method, params, code, message) => {
      const client = await fixture.connect();
      await expect(client.call(method, params)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
      await client.call('leaseList');
    },
  );
});

describe('large requests and answers', () => {
  test('pass at the limits of key and value', async () => {
    const client = await fixture.connect();
    const key = 'k'.repeat(limits.keyBytesMax);
    await client.call('put', { key, value: new Uint8Array(limits.valueBytesMax) });
  });

  test('fail alone when the answer is too large, and say whether they happened', async () => {
    const client = await fixture.connect();
    const value = new Uint8Array(limits.valueBytesMax);
    for (const key of ['k1', 'k2', 'k3']) await client.call('put', { key, value });
    await expect(client.call('range', { key: 'k' })).rejects.toMatchObject({
      code: 'frameTooLarge',
      definite: true,
    });
    await expect(client.call('delete', { key: 'k', previous: true })).rejects.toMatchObject({
      code: 'frameTooLarge',
      definite: false,
    });
    await client.call('leaseList');
  });

  test('get several frames when one is too small', async () => {
    const client = await fixture.connect();
    const value = new Uint8Array(limits.valueBytesMax);
    await client.call('put', { key: 'k', value });
    const ids = client.send(...Array.from({ length: 7 }, () => ['range', { key: 'k' }] as const));
    await Promise.all(ids.map((id) => client.next(id)));
  });
});

describe('the status', () => {
  test('on request is what the push tells', async () => {
    const client = await fixture.connect();
    const status = await client.call('status');
    expect(status).toEqual(await client.statuses.take());
    expect(status).toMatchObject({ name: 'a', role: 'leader', term: 3, version: '9.9.9' });
  });

  test('comes first, on every change, and by itself', async () => {
    await fixture.close();
    fixture = await openFixture({ tickMs: 20 });
    const client = await fixture.connect();
    const first = await client.frames.take();
    expect(first.items).toMatchObject([{ id: 0, kind: 2, body: { term: 3, role: 'leader' } }]);
    fixture.member.change({ term: 4, role: 'follower', leaderId: null });
    const changed = await client.frames.take(({ header }) => header.term === 4);
    expect(changed.items).toMatchObject([{ id: 0, body: { term: 4, role: 'follower' } }]);
    client.statuses.all.length = 0;
    await client.statuses.take();
    await client.statuses.take();
  });
});

describe('before birth', () => {
  test('requests say that the node waits, and the birth is told', async () => {
    await fixture.close();
    fixture = await openFixture({}, false);
    const client = await fixture.connect();
    expect(await client.statuses.take()).toMatchObject({ clusterId: '', name: 'a', term: 0 });
    const value = new Uint8Array(0);
    for (const [method, params] of [
      ['put', { key: 'k', value }],
      ['range', { key: 'k' }],
      ['watch', { key: 'k' }],
    ] as const) {
      await expect(client.call(method, params)).rejects.toMatchObject({
        code: 'notBorn',
        message: expect.stringContaining('b and c'),
      });
    }
    const readyz = `http://${fixture.endpoint.address}/readyz`;
    const before = await fetch(readyz);
    expect(before.status).toBe(503);
    expect(await before.json()).toMatchObject({ reason: expect.stringContaining('b and c') });

    fixture.isBorn = true;
    fixture.endpoint.memberChanged();
    expect(await client.statuses.take()).toMatchObject({ clusterId: '00000000000c1a55', term: 3 });
    await client.call('put', { key: 'k', value });
    expect((await fetch(readyz)).status).toBe(200);
  });
});

describe('closing', () => {
  test('ends every connection with a reason and frees the port', async () => {
    const client = await fixture.connect();
    await fixture.endpoint.close();
    expect(await client.closed).toEqual({ code: 1001, reason: 'The node closes' });
    expect(await new RawClient(fixture.endpoint.address).closed).toMatchObject({ code: 1006 });
    await fixture.endpoint.close();
  });
});
