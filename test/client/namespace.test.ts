/** Namespaces against a real node: nothing in, and nothing out. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, compare, type Keys, operation } from '../../src/client/index.ts';
import { TestServer } from './server.ts';

let server: TestServer;
let client: Client;

beforeAll(async () => {
  server = await TestServer.start();
  client = await server.connect();
});

afterAll(() => server.stop());

/** A prefix in text, one that ends in the highest byte, and one of nothing else. */
const prefixes = [
  new TextEncoder().encode('team/'),
  Uint8Array.of(0x61, 0xff),
  Uint8Array.of(0xff, 0xff),
];

/** Keys next to the namespace on either side, and the one that is its prefix. */
function outsideOf(prefix: Uint8Array): readonly Uint8Array[] {
  const start = prefix.subarray(0, -1);
  const before = Uint8Array.from([...start, (prefix.at(-1) ?? 0) - 1, 0xff]);
  return [prefix, start, before, Uint8Array.of(0x01), Uint8Array.of(0xfe, 0xff, 0xff)];
}

let names: Keys;
let outside: readonly Uint8Array[];

async function begin(prefix: Uint8Array): Promise<void> {
  await client.delete({ prefix: '' });
  outside = outsideOf(prefix);
  for (const key of outside) await client.put(key, 'outside');
  names = client.namespace(prefix);
}

const cases = prefixes.map((prefix) => ({ prefix }));

describe.each(cases)('a namespace of $prefix', ({ prefix }) => {
  beforeEach(() => begin(prefix));

  test('reads, writes and deletes its own keys', async () => {
    await names.put('b', '1');
    expect((await names.put('b', '2', { previous: true })).previous?.keyText).toBe('b');
    await names.put('a', '1');
    await names.put(Uint8Array.of(0xff), '1');
    expect((await names.get('b'))?.valueText).toBe('2');
    const stored = await client.get(Uint8Array.from([...prefix, 0x62]));
    expect(stored?.valueText).toBe('2');
    expect((await names.range({ from: 'b' })).pairs.map(({ key }) => key)).toEqual([
      Uint8Array.of(0x62),
      Uint8Array.of(0xff),
    ]);
    expect((await names.range({ key: 'a', end: 'b' })).count).toBe(1);
    const pages = [];
    for await (const { pairs } of names.pages({ prefix: '' }, { order: 'descend' })) {
      pages.push(pairs.map(({ key }) => key.at(0)));
    }
    expect(pages).toEqual([[0xff, 0x62, 0x61]]);
    const { deleted, previous } = await names.delete({ prefix: '' }, { previous: true });
    expect([deleted, ...previous.map(({ key }) => key.length)]).toEqual([3, 1, 1, 1]);
    expect((await client.range({ prefix: '' })).count).toBe(outside.length);
  });

  test('runs transactions in itself, nested ones too', async () => {
    const { succeeded, results } = await names.txn({
      compare: [
        compare.version({ prefix: '' }, 'equal', 0),
        compare.createRevision({ from: 'a' }, 'equal', 0),
      ],
      success: [
        operation.put('a', '1'),
        operation.txn({
          success: [operation.put('b', '2'), operation.range({ prefix: '' }, { limit: 9 })],
        }),
      ],
    });
    expect(succeeded).toBe(true);
    expect(results[1]).toMatchObject({
      results: [{}, { count: 2, pairs: [{ keyText: 'a' }, { keyText: 'b' }] }],
    });
    expect((await names.getPrefix('')).pairs.map(({ keyText }) => keyText)).toEqual(['a', 'b']);
    const { results: deleted } = await names.txn({
      success: [operation.txn({ success: [operation.delete({ from: 'a' }, { previous: true })] })],
    });
    expect(deleted).toMatchObject([
      { results: [{ deleted: 2, previous: [{ keyText: 'a' }, {}] }] },
    ]);
    expect((await client.range({ prefix: '' })).count).toBe(outside.length);
  });
});

describe.each(cases)('in a namespace of $prefix', ({ prefix }) => {
  beforeEach(() => begin(prefix));

  test('watches tell of it alone, as do lists of the keys of a lease', async () => {
    const { leaseId, revision } = await client.leases.grant({ ttlMs: 60_000 });
    const watch = names.watch({ prefix: '' }, { startRevision: revision + 1, previous: true });
    const wide = client.watch({ prefix: '' }, { startRevision: revision + 1 });
    for (const key of outside) await client.put(key, 'again', { leaseId });
    await names.put('k', '1', { leaseId });
    await names.delete('k');
    await names.namespace('inner/').put('k', '2', { leaseId });
    const seen: string[] = [];
    for await (const { events } of watch) {
      for (const { type, pair, previous } of events) {
        seen.push(`${type} ${pair.keyText} ${previous?.keyText}`);
      }
      if (seen.length === 3) break;
    }
    expect(seen).toEqual(['put k undefined', 'delete k k', 'put inner/k undefined']);
    const { value } = await wide.next();
    expect(value?.events[0]?.pair.key).toEqual(outside[0]);
    wide.close();
    const ours = await names.leases.timeToLive(leaseId, { keys: true });
    expect(ours.keys.map((key) => new TextDecoder().decode(key))).toEqual(['inner/k']);
    expect((await client.leases.timeToLive(leaseId, { keys: true })).keys).toHaveLength(
      outside.length + 1,
    );
    await client.leases.revoke(leaseId);
  });

  test('locks are its own', async () => {
    await using lock = await names.lock('l', { ttlMs: 5000 });
    await using other = await client.lock('l', { ttlMs: 5000 });
    expect((await names.get(lock.key))?.createRevision).toBe(lock.token);
    expect((await names.txn({ compare: [lock.guard] })).succeeded).toBe(true);
    expect((await client.txn({ compare: [lock.guard] })).succeeded).toBe(false);
    expect(other.token).toBeGreaterThan(lock.token);
  });
});
