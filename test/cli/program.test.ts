import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { PeerCluster } from '../client/peer.ts';
import { FakeTerminal } from './fake-terminal.ts';

let cluster: PeerCluster;

beforeEach(async () => {
  cluster = await PeerCluster.start(3);
});

afterEach(async () => {
  await cluster.stop();
});

/** Runs one command line to its end. */
async function rollcall(...args: readonly string[]) {
  const terminal = new FakeTerminal(cluster.endpoints);
  const code = await main(args, terminal);
  return { code, printed: terminal.printed, warned: terminal.warned, terminal };
}

describe('keys', () => {
  test('are put, got and deleted', async () => {
    expect(await rollcall('put', 'a/1', 'one')).toMatchObject({ code: 0, printed: 'revision 2\n' });
    await rollcall('put', 'a/2', 'two');
    expect(await rollcall('get', 'a/1')).toMatchObject({ code: 0, printed: 'one\n', warned: '' });
    expect(await rollcall('get', '--prefix', 'a/')).toMatchObject({
      printed: 'a/1\none\na/2\ntwo\n',
    });
    expect(await rollcall('get', 'a/2', '--rev', '2')).toMatchObject({ code: 1 });
    expect(await rollcall('get', 'a/2', '--serializable')).toMatchObject({ printed: 'two\n' });
    expect(await rollcall('del', '--prefix', '')).toMatchObject({ code: 0, printed: '2\n' });
    expect(await rollcall('del', 'a/1')).toMatchObject({ code: 0, printed: '0\n' });
  });

  test('that are missing: one fails, none of a prefix is an answer', async () => {
    expect(await rollcall('get', 'nobody')).toMatchObject({
      code: 1,
      printed: '',
      warned: 'error: keyNotFound: There is no key nobody\n',
    });
    expect(await rollcall('get', '--prefix', 'nobody')).toMatchObject({ code: 0, printed: '' });
  });

  test('as JSON, with base64 where bytes are not UTF-8', async () => {
    expect((await rollcall('put', 'a', '1', '--json')).terminal.documents).toEqual([
      { revision: 2 },
    ]);
    cluster.store.put({
      key: 'a\u00ff',
      value: Uint8Array.of(0xfe),
      leaseId: null,
      previous: false,
    });
    const common = { version: 1, leaseId: null };
    const first = { key: 'a', value: '1', createRevision: 2, modRevision: 2, ...common };
    expect((await rollcall('get', 'a', '--json')).terminal.documents).toEqual([first]);
    expect((await rollcall('get', '--prefix', 'a', '--json')).terminal.documents).toEqual([
      {
        revision: 3,
        count: 2,
        pairs: [
          first,
          { keyBase64: 'Yf8=', valueBase64: '/g==', createRevision: 3, modRevision: 3, ...common },
        ],
        more: false,
      },
    ]);
    const deleted = await rollcall('del', 'a', '--json');
    expect(deleted.terminal.documents).toEqual([{ revision: 4, deleted: 1 }]);
  });

  test('are printed byte by byte', async () => {
    const value = Uint8Array.of(0xff, 0x00);
    cluster.store.put({ key: 'b', value, leaseId: null, previous: false });
    const { terminal } = await rollcall('get', 'b');
    expect([...terminal.printedBytes]).toEqual([0xff, 0x00, 0x0a]);
  });
});

describe('leases', () => {
  test('are granted, used, looked at, listed and revoked', async () => {
    const { printed } = await rollcall('lease', 'grant', '--ttl', '10s');
    const id = printed.trim();
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    await rollcall('put', 'k', 'v', '--lease', id);
    expect((await rollcall('lease', 'ttl', id, '--keys')).printed).toBe(
      `${id} has 10s of 10s left\nk\n`,
    );
    expect((await rollcall('lease', 'ttl', id, '--keys', '--json')).terminal.documents).toEqual([
      { leaseId: id, grantedTtlMs: 10_000, remainingMs: 10_000, revision: 2, keys: [{ key: 'k' }] },
    ]);
    expect((await rollcall('lease', 'list')).printed).toBe(
      `LEASE             TTL  LEFT\n${id}  10s   10s\n`,
    );
    expect((await rollcall('lease', 'list', '--json')).terminal.documents).toEqual([
      [{ leaseId: id, ttlMs: 10_000, remainingMs: 10_000 }],
    ]);
    expect(await rollcall('lease', 'revoke', id)).toMatchObject({ code: 0 });
    expect(await rollcall('get', 'k')).toMatchObject({ code: 1 });
    expect(await rollcall('lease', 'revoke', id)).toMatchObject({
      code: 1,
      warned: `error: leaseNotFound: Lease ${id} does not exist\n`,
    });
  });
});

describe('the registry', () => {
  test('is read as tables and as JSON', async () => {
    const instance = {
      id: 'a1',
      address: 'h:1',
      tags: ['blue', 'new'],
      metadata: [['zone', 'x']] as const,
    };
    const name = { namespace: 'default', service: 'api' };
    cluster.store.register({ ...name, instance, leaseId: null, replace: true });
    expect((await rollcall('services')).printed).toBe('SERVICE  INSTANCES\napi              1\n');
    expect((await rollcall('discover', 'api')).printed).toBe(
      'ID  ADDRESS  TAGS      METADATA\na1  h:1      blue,new  zone=x\n',
    );
    const stored = { leaseId: null, createRevision: 2, modRevision: 2, metadata: { zone: 'x' } };
    expect((await rollcall('discover', 'api', '--json')).terminal.documents).toEqual([
      { revision: 2, instances: [{ ...instance, ...stored }] },
    ]);
    expect((await rollcall('services', '--json')).terminal.documents).toEqual([
      [{ service: 'api', instances: 1 }],
    ]);
    expect(await rollcall('deregister', 'api', 'a1')).toMatchObject({
      code: 0,
      printed: 'deregistered api/a1\n',
    });
    expect(await rollcall('deregister', 'api', 'a1')).toMatchObject({ code: 1 });
  });
});

describe('status', () => {
  test('shows every endpoint, also those that do not answer', async () => {
    const [first, second, third] = cluster.endpoints;
    await cluster.node(2).stop();
    const { code, printed } = await rollcall('status');
    expect(code).toBe(0);
    const lines = printed.split('\n').map((line) => line.split(/ {2,}/).map((cell) => cell.trim()));
    expect(lines[0]?.slice(0, 5)).toEqual(['NODE', 'ENDPOINT', 'ROLE', 'TERM', 'LEADER']);
    expect(lines[1]).toEqual(['n1', first, 'leader', '1', 'n1', '2', '1', '1', '1']);
    expect(lines[2]).toEqual(['n2', second, 'follower', '1', 'n1', '2', '1', '1', '1']);
    expect(lines[3]?.slice(0, 3)).toEqual(['-', third, 'unreachable']);
    expect(printed).toContain(`${third}: connect ECONNREFUSED`);
    expect(printed).toContain('Cluster 00000000000000c1, incarnation 00000000000000e1\n');
    const [document] = (await rollcall('status', '--json')).terminal.documents;
    expect(document).toMatchObject([
      { name: 'n1', endpoint: first, incarnation: '00000000000000e1', role: 'leader', error: null },
      { name: 'n2', role: 'follower', commitIndex: 1, appliedIndex: 1, revision: 1 },
      { name: null, endpoint: third, role: null, error: expect.stringContaining('ECONNREFUSED') },
    ]);
  });

  test('fails if none answers', async () => {
    await cluster.stop();
    const { code, warned } = await rollcall('status');
    expect(code).toBe(1);
    expect(warned).toMatch(/^error: unreachable: No endpoint answers: 127\.0\.0\.1:/);
  });
});
