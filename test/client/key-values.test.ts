/** Ranges, puts, deletes and transactions with all their options, by the SDK against a real node. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import {
  type Client,
  compare,
  type KeySelector,
  type KeyValue,
  type Operation,
  operation,
  type ReadOptions,
} from '../../src/client/index.ts';
import { TestServer } from './server.ts';

let server: TestServer;
let client: Client;

beforeAll(async () => {
  server = await TestServer.start();
  client = await server.connect();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await client.delete({ prefix: '' });
});

function keysOf(pairs: readonly KeyValue[]): string {
  return pairs.map(({ keyText }) => keyText).join(' ');
}

describe('a range', () => {
  let first: number;

  beforeEach(async () => {
    for (const [key, value] of ['b2', 'a3', 'c1', 'a1', 'a2'].map((text) => [...text])) {
      const { revision } = await client.put(key as string, value as string);
      if (key === 'b') first = revision;
    }
  });

  test.each<[KeySelector, ReadOptions, string, number, boolean]>([
    [{ prefix: '' }, {}, 'a b c', 3, false],
    [{ prefix: '' }, { order: 'descend' }, 'c b a', 3, false],
    [{ prefix: '' }, { order: 'descend', limit: 2 }, 'c b', 3, true],
    [{ from: 'b' }, {}, 'b c', 2, false],
    [{ key: 'a', end: 'c' }, { limit: 1 }, 'a', 2, true],
    [{ key: 'c', end: 'a' }, {}, '', 0, false],
    [{ key: 'a', end: 'a' }, {}, '', 0, false],
    [{ prefix: '' }, { sortBy: 'value' }, 'c a b', 3, false],
    [{ prefix: '' }, { sortBy: 'value', order: 'descend', limit: 1 }, 'a', 3, true],
    [{ prefix: '' }, { sortBy: 'version', order: 'descend' }, 'a b c', 3, false],
    [{ prefix: '' }, { sortBy: 'modRevision' }, 'b c a', 3, false],
    [{ prefix: '' }, { sortBy: 'createRevision', order: 'descend', limit: 1 }, 'c', 3, true],
    [{ prefix: '' }, { countOnly: true, limit: 1 }, '', 3, false],
  ])('of %j with %j holds %s', async (keys, options, expected, count, more) => {
    const range = await client.range(keys, options);
    expect(keysOf(range.pairs)).toBe(expected);
    expect(range).toMatchObject({ count, more });
  });

  test('has bounds on revisions, which come before the limit', async () => {
    const all = { prefix: '' };
    const read = async (options: ReadOptions) => {
      const { pairs, count, more } = await client.range(all, options);
      return `${keysOf(pairs)} of ${count}${more ? ' …' : ''}`;
    };
    expect(await read({ minModRevision: first + 2 })).toBe('a c of 3');
    expect(await read({ maxModRevision: first + 2 })).toBe('b c of 3');
    expect(await read({ minCreateRevision: first + 1, limit: 1 })).toBe('a of 3 …');
    expect(await read({ maxCreateRevision: first + 1, limit: 2 })).toBe('a b of 3');
    expect(await read({ minModRevision: first, maxModRevision: first, limit: 1 })).toBe('b of 3');
    expect(await read({ minModRevision: first + 3, maxModRevision: first + 1 })).toBe(' of 3');
  });

  test('is of the revision that is asked for', async () => {
    const { revision } = await client.delete({ prefix: '' });
    const before = await client.range(
      { prefix: '' },
      { revision: revision - 1, order: 'descend', serializable: true },
    );
    expect(keysOf(before.pairs)).toBe('c b a');
    expect((await client.range({ prefix: '' })).count).toBe(0);
    const old = await client.range({ prefix: '' }, { revision: first + 1, sortBy: 'value' });
    expect(keysOf(old.pairs)).toBe('b a');
  });

  test.each([2 ** 53, Number.MAX_VALUE, -1, 0.5, Number.NaN])(
    'of the revision %d is refused',
    async (revision) => {
      const refused = { code: 'invalidArgument', message: expect.stringContaining('revision') };
      await expect(client.range('a', { revision })).rejects.toMatchObject(refused);
      await expect(client.range('a', { minModRevision: revision })).rejects.toMatchObject({
        code: 'invalidArgument',
        message: expect.stringContaining('minModRevision'),
      });
    },
  );

  test('of the last revision that a number holds is of the future', async () => {
    const revision = Number.MAX_SAFE_INTEGER;
    await expect(client.range('a', { revision })).rejects.toMatchObject({ code: 'futureRevision' });
    const range = await client.range({ prefix: '' }, { maxModRevision: revision });
    expect(range.pairs).toHaveLength(3);
  });
});

describe('pages', () => {
  const names = Array.from({ length: 2500 }, (_, at) => `p/${String(at).padStart(5, '0')}`);

  async function fill(): Promise<void> {
    for (let at = 0; at < names.length; at += 125) {
      const success = names.slice(at, at + 125).map((name) => operation.put(name, name));
      await client.txn({ success });
    }
  }

  test('are all of one revision, whatever is written meanwhile', async () => {
    await fill();
    for (const order of ['ascend', 'descend'] as const) {
      const seen: string[] = [];
      const revisions = new Set<number>();
      for await (const page of client.pages({ prefix: 'p/' }, { order })) {
        seen.push(...page.pairs.map(({ keyText, valueText }) => `${keyText}=${valueText}`));
        revisions.add(page.revision);
        expect(page.count).toBe(names.length);
        expect(page.more).toBe(seen.length < names.length);
        await client.delete('p/00001');
        await client.put('p/01200', 'changed');
        await client.put('p/02400x', 'new');
      }
      const expected = names.map((name) => `${name}=${name}`);
      expect(seen).toEqual(order === 'ascend' ? expected : expected.reverse());
      expect(revisions.size).toBe(1);
      await client.delete('p/02400x');
      await client.put('p/00001', 'p/00001');
      await client.put('p/01200', 'p/01200');
    }
  });

  test('end at a limit for all of them, and hold what the bounds leave', async () => {
    await fill();
    const read = async (options: ReadOptions) => {
      const pages = [];
      for await (const page of client.pages({ from: 'p/' }, options)) pages.push(page);
      return pages;
    };
    const limited = await read({ limit: 1500 });
    expect(limited.map(({ pairs }) => pairs.length)).toEqual([1000, 500]);
    expect(limited.at(-1)).toMatchObject({ more: true, count: 2500 });
    const modRevision = limited[0]?.pairs[0]?.modRevision ?? 0;
    const bounded = await read({ minModRevision: modRevision + 1, order: 'descend' });
    expect(bounded.map(({ pairs }) => pairs.length)).toEqual([1000, 1000, 375]);
    expect(bounded.at(-1)?.more).toBe(false);
    expect(await read({ minModRevision: modRevision + 1000 })).toMatchObject([
      { pairs: [], count: 2500, more: false },
    ]);
  });

  test('end where a compaction passes their revision, and not where it comes up to it', async () => {
    await fill();
    const { revision } = await client.put('p/00000', 'newer');
    await client.compact(revision - 1);
    const pages = client.pages({ prefix: 'p/' });
    expect((await pages.next()).value?.pairs).toHaveLength(1000);
    const later = await client.put('p/00000', 'newest');
    await client.compact(revision);
    expect((await pages.next()).value?.pairs).toHaveLength(1000);
    await client.compact(later.revision, { physical: true });
    await expect(pages.next()).rejects.toMatchObject({
      code: 'compacted',
      details: { compactRevision: later.revision },
    });
    expect((await client.getPrefix('p/')).pairs).toHaveLength(2500);
  });
});

describe('pages of long keys', () => {
  test('go on behind the longest keys', async () => {
    const long = Array.from({ length: 3 }, (_, at) =>
      new Uint8Array(limits.keyBytesMax).fill(0xff, at === 2 ? 0 : at + 1),
    );
    for (const key of long) await client.put(key, 'v'.repeat(limits.valueBytesMax));
    for (const order of ['ascend', 'descend'] as const) {
      const keys: Uint8Array[] = [];
      for await (const { pairs } of client.pages({ prefix: '' }, { order })) {
        keys.push(...pairs.map(({ key }) => key));
      }
      const sorted = long.toSorted(Buffer.compare);
      expect(keys.map((key) => Buffer.from(key).toString('hex'))).toEqual(
        (order === 'ascend' ? sorted : sorted.reverse()).map((key) =>
          Buffer.from(key).toString('hex'),
        ),
      );
    }
  });
});

describe('a put', () => {
  test('keeps the value or the lease of its key', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 60_000 });
    await client.put('a', 'one', { leaseId });
    const kept = await client.put('a', 'two', { ignoreLease: true, previous: true });
    expect(kept.previous).toMatchObject({ valueText: 'one', leaseId });
    expect(await client.get('a')).toMatchObject({ valueText: 'two', leaseId, version: 2 });
    await client.put('a', '', { ignoreValue: true });
    expect(await client.get('a')).toMatchObject({ valueText: 'two', leaseId: null, version: 3 });
    await client.put('a', '', { ignoreValue: true, leaseId });
    await client.put('a', '', { ignoreValue: true, ignoreLease: true });
    expect(await client.get('a')).toMatchObject({ valueText: 'two', leaseId, version: 5 });
    await client.leases.revoke(leaseId);
    expect(await client.get('a')).toBeNull();
  });

  test('without a key has nothing to keep, and nothing is stored', async () => {
    for (const options of [{ ignoreValue: true }, { ignoreLease: true }]) {
      await expect(client.put('none', '', options)).rejects.toMatchObject({ code: 'keyNotFound' });
    }
    expect(await client.get('none')).toBeNull();
  });

  test('cannot both give and keep', async () => {
    await client.put('a', 'one');
    const refused = { code: 'invalidArgument' };
    await expect(client.put('a', 'x', { ignoreValue: true })).rejects.toMatchObject(refused);
    const leaseId = '000000000000abcd';
    await expect(client.put('a', 'x', { ignoreLease: true, leaseId })).rejects.toMatchObject(
      refused,
    );
  });
});

describe('a transaction', () => {
  test('compares everything by every operator, also over ranges', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 60_000 });
    await client.put('a', 'm', { leaseId });
    const { createRevision } = (await client.get('a')) as KeyValue;
    await client.put('b', 'm', { leaseId });
    const both = { key: 'a', end: 'c' };
    const none = { prefix: 'none/' };
    const held: (readonly [ReturnType<typeof compare.value>, boolean])[] = [
      [compare.value('a', 'equal', 'm'), true],
      [compare.value('a', 'notEqual', 'm'), false],
      [compare.value('a', 'less', 'n'), true],
      [compare.value('a', 'greater', 'l'), true],
      [compare.value(both, 'equal', 'm'), true],
      [compare.value(none, 'notEqual', 'm'), false],
      [compare.version(both, 'greater', 0), true],
      [compare.version(none, 'equal', 0), true],
      [compare.createRevision(both, 'equal', createRevision), false],
      [compare.createRevision(both, 'greater', createRevision - 1), true],
      [compare.modRevision('b', 'less', createRevision + 1), false],
      [compare.modRevision('b', 'notEqual', createRevision), true],
      [compare.lease(both, 'equal', leaseId), true],
      [compare.lease(both, 'notEqual', null), true],
      [compare.lease('none', 'equal', null), true],
    ];
    for (const [condition, expected] of held) {
      const { succeeded } = await client.txn({ compare: [condition] });
      expect(succeeded, JSON.stringify(condition)).toBe(expected);
    }
    await client.leases.revoke(leaseId);
  });

  test('nests, makes one revision, and its steps see those before them', async () => {
    const before = client.revision;
    const { revision, results } = await client.txn({
      success: [
        operation.put('a', '1'),
        operation.put('b', '2'),
        operation.txn({
          compare: [compare.version('a', 'equal', 0)],
          success: [
            operation.range({ prefix: '' }, { sortBy: 'value', order: 'descend', limit: 1 }),
            operation.put('c', '3', { previous: true }),
          ],
        }),
        operation.delete('none', { previous: true }),
        operation.range({ prefix: '' }, { countOnly: true }),
      ],
    });
    expect(revision).toBe(before + 1);
    expect(results).toMatchObject([
      { type: 'put' },
      { type: 'put' },
      {
        succeeded: true,
        results: [{ pairs: [{ keyText: 'b', modRevision: revision }], more: true, count: 2 }, {}],
      },
      { deleted: 0, previous: [] },
      { count: 3 },
    ]);
    const pairs = (await client.range({ prefix: '' })).pairs;
    expect(pairs.map(({ modRevision }) => modRevision)).toEqual([revision, revision, revision]);
  });
});

describe('a transaction of odd things', () => {
  test.each([2 ** 53, -1, 0.5])('compares with no number %d', async (number) => {
    const refused = { code: 'invalidArgument', message: expect.stringContaining('number') };
    for (const target of ['version', 'createRevision', 'modRevision'] as const) {
      const condition = compare[target]('a', 'equal', number);
      await expect(client.txn({ compare: [condition] })).rejects.toMatchObject(refused);
    }
  });

  test('speaks of any bytes', async () => {
    const hostile = [
      Uint8Array.from({ length: 256 }, (_, at) => at),
      Buffer.from('__proto__'),
      Uint8Array.of(0),
      new Uint8Array(limits.keyBytesMax).fill(0xff),
    ];
    for (const key of hostile) {
      const { results } = await client.txn({
        compare: [
          compare.value(key, 'notEqual', key.subarray(0, 1)),
          compare.version(key, 'equal', 0),
        ],
        failure: [operation.put(key, key), operation.range(key), operation.range({ prefix: key })],
      });
      const pair = { value: new Uint8Array(key), version: 1 };
      expect(results).toMatchObject([{ type: 'put' }, { pairs: [pair] }, { pairs: [pair] }]);
      const kept = await client.put(key, '', { ignoreValue: true, previous: true });
      expect(kept.previous).toMatchObject(pair);
      const deleted = await client.delete({
        key,
        end: Buffer.concat([key.subarray(0, 4095), Uint8Array.of(255)]),
      });
      expect((await client.delete(key)).deleted + deleted.deleted).toBe(1);
    }
  });

  test('that is refused has done nothing', async () => {
    await client.put('a', '1');
    const put = operation.put('b', '2');
    const refused: (readonly [string, Operation])[] = [
      ['keyNotFound', operation.put('none', '', { ignoreValue: true })],
      ['leaseNotFound', operation.put('c', '', { leaseId: '00000000deadbeef' })],
      ['futureRevision', operation.range('a', { revision: 2 ** 52 })],
      ['duplicateKey', operation.put('b', '3')],
      ['duplicateKey', operation.delete({ prefix: '' })],
      ['duplicateKey', operation.txn({ failure: [operation.put('b', '3')] })],
      ['invalidArgument', operation.range('', {})],
      ['keyTooLong', operation.put('k'.repeat(limits.keyBytesMax + 1), '')],
    ];
    for (const [code, step] of refused) {
      await expect(client.txn({ success: [put, step] })).rejects.toMatchObject({ code });
    }
    expect(keysOf((await client.range({ prefix: '' })).pairs)).toBe('a');
  });
});
