import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { PeerCluster } from '../client/peer.ts';
import { FakeTerminal } from './fake-terminal.ts';

let cluster: PeerCluster;
let terminal: FakeTerminal;

beforeEach(async () => {
  cluster = await PeerCluster.start(1);
  terminal = new FakeTerminal(cluster.endpoints);
});

afterEach(async () => {
  await cluster.stop();
});

function put(key: string, value: string): void {
  const bytes = new TextEncoder().encode(value);
  cluster.store.put({ key, value: bytes, leaseId: null, previous: false });
}

const instances = () => [...(cluster.store.services.get('api')?.values() ?? [])];

describe('watch', () => {
  test('prints changes until Ctrl-C, which is a good end', async () => {
    put('a/1', 'old');
    const ended = main(['watch', '--prefix', 'a/', '--rev', '2'], terminal);
    await terminal.shows(/2 put a\/1 old\n/);
    put('a/2', 'new');
    cluster.store.delete({ key: 'a/1', rangeEnd: null, previous: false });
    await terminal.shows(/3 put a\/2 new\n4 delete a\/1\n/);
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
    expect(terminal.warned).toBe('');
    expect(terminal.exited).toBeNull();
  });

  test('prints one JSON document per revision', async () => {
    const ended = main(['watch', 'a', '--rev', '2', '--json'], terminal);
    put('a', '1');
    put('a', '2');
    await terminal.shows(/"revision":3/);
    terminal.signal('SIGTERM');
    expect(await ended).toBe(0);
    expect(terminal.documents).toMatchObject([
      { revision: 2, events: [{ type: 'put', key: 'a', value: '1', version: 1 }] },
      { revision: 3, events: [{ type: 'put', key: 'a', value: '2', version: 2 }] },
    ]);
  });

  test('takes a range, one kind of change, and what was there before', async () => {
    const ended = main(
      ['watch', 'a', 'b', '--rev', '2', '--filter', 'put', '--prev-kv', '--json'],
      terminal,
    );
    put('a', '1');
    cluster.store.delete({ key: 'a', rangeEnd: null, previous: false });
    put('b', 'outside');
    put('a', '2');
    put('a', '3');
    await terminal.shows(/"revision":6/);
    terminal.signal('SIGTERM');
    expect(await ended).toBe(0);
    expect(terminal.documents).toMatchObject([
      { revision: 2, events: [{ type: 'put', value: '1', previous: null }] },
      { revision: 5, events: [{ type: 'put', value: '2', previous: null }] },
      { revision: 6, events: [{ type: 'put', value: '3', previous: { value: '2' } }] },
    ]);
  });

  test.each([
    [[], /^2 progress\n$/],
    [['--json'], /^\{"progress":2\}\n$/],
  ])('prints how far it is where that is wished', async (options, line) => {
    const ended = main(['watch', 'b', '--from-key', '--progress', ...options], terminal);
    await cluster.arrival('watch');
    put('a', '1');
    cluster.node(0).bookmark();
    await terminal.shows(line);
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
  });

  test('ends when nobody reads its output any more', async () => {
    put('a', '1');
    const ended = main(['watch', 'a', '--rev', '2'], terminal);
    await terminal.shows(/2 put/);
    terminal.closeOutput();
    expect(await ended).toBe(0);
  });

  test('fails where the history is gone', async () => {
    cluster.store.compacted = 9;
    expect(await main(['watch', 'a', '--rev', '2'], terminal)).toBe(1);
    expect(terminal.warned).toMatch(/^error: compacted: /);
  });
});

test('who watches is told when the cluster goes away and comes back', async () => {
  const ended = main(['watch', 'a', '--rev', '2'], terminal);
  const discovered = new FakeTerminal(cluster.endpoints);
  const discovering = main(['discover', 'api', '--watch'], discovered);
  await discovered.shows(/ID/);
  await cluster.stop();
  await Promise.all(
    [terminal, discovered].map((one) =>
      one.shows(/^rollcall: the cluster is away, and still waited for: .*ECONNREFUSED/m),
    ),
  );
  await cluster.node(0).start();
  await Promise.all([terminal, discovered].map((one) => one.shows(/^rollcall: .* is back\n/m)));
  put('a', '1');
  await terminal.shows(/2 put a 1/);
  for (const one of [terminal, discovered]) one.signal('SIGINT');
  expect(await ended).toBe(0);
  expect(await discovering).toBe(0);
});

describe('lease keep-alive', () => {
  test('renews until it is stopped', async () => {
    const id = cluster.store.grant(null, 600);
    const ended = main(['lease', 'keep-alive', id], terminal);
    await terminal.shows(/(renewed for 600ms\n.*){2}/);
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
  });

  test('fails when the lease is gone', async () => {
    const id = cluster.store.grant(null, 600);
    const ended = main(['lease', 'keep-alive', id], terminal);
    await terminal.shows(/renewed/);
    cluster.store.revoke(id);
    expect(await ended).toBe(1);
    expect(terminal.warned).toMatch(/^error: leaseNotFound: /);
  });
});

describe('discover --watch', () => {
  test('prints the instances again after each change', async () => {
    const ended = main(['discover', 'api', '--watch', '--json'], terminal);
    await terminal.shows(/"instances":\[\]/);
    const instance = { id: 'a1', address: 'h:1', tags: [], metadata: [] };
    const name = { namespace: 'default', service: 'api' };
    cluster.store.register({ ...name, instance, leaseId: null, replace: true });
    await terminal.shows(/"a1"/);
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
    expect(terminal.documents).toMatchObject([
      { revision: 1, instances: [] },
      { revision: 2, instances: [{ id: 'a1', address: 'h:1' }] },
    ]);
  });
});

const api = ['register', 'api', '--address', 'h:1', '--id', 'a1', '--ttl', '600ms'];

describe('register', () => {
  test('keeps the instance until it is stopped, then takes it out', async () => {
    const ended = main([...api, '--tag', 'x', '--tag', 'y', '--meta', 'k=v'], terminal);
    await terminal.shows(/^registered api\/a1 at h:1\n/);
    expect(instances()).toMatchObject([{ id: 'a1', tags: ['x', 'y'], metadata: [['k', 'v']] }]);
    const [lease = ''] = [...cluster.store.leases.keys()];
    cluster.store.revoke(lease);
    await terminal.shows(/lost api\/a1 at h:1\nrestored api\/a1 at h:1\n/);
    terminal.signal('SIGTERM');
    expect(await ended).toBe(0);
    expect(terminal.printed).toMatch(/deregistered api\/a1 at h:1\n$/);
    expect(instances()).toEqual([]);
    expect(cluster.store.leases.size).toBe(0);
  });

  test('tells a program what happens', async () => {
    const ended = main([...api, '--json'], terminal);
    await terminal.shows(/registered/);
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
    const common = { service: 'api', id: 'a1', address: 'h:1' };
    expect(terminal.documents).toEqual([
      { event: 'registered', ...common },
      { event: 'deregistered', ...common },
    ]);
  });

  test('before it has worked, can be stopped as well', async () => {
    cluster.node(0).fail('leaseGrant', 'ignore');
    const arrived = cluster.arrival('leaseGrant');
    const ended = main(api, terminal);
    await arrived;
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
    expect(terminal.printed).toBe('');
  });

  test('a second signal does not wait for anything', async () => {
    const ended = main(api, terminal);
    await terminal.shows(/registered/);
    terminal.signal('SIGINT');
    terminal.signal('SIGINT');
    expect(terminal.exited).toBe(130);
    await ended;
  });
});

describe('register with a command', () => {
  test('exits as it does, and takes the instance out', async () => {
    const script = 'process.stdin.resume(); process.on("SIGTERM", () => process.exit(7))';
    const ended = main([...api, '--', process.execPath, '-e', script], terminal);
    await expect.poll(() => instances().length).toBe(1);
    // Its handler may not stand yet; a signal before ends it too, with another code.
    terminal.signal('SIGTERM');
    expect([7, 128 + 15]).toContain(await ended);
    expect(instances()).toEqual([]);
    expect(terminal.printed).toBe('');
  });

  test('that ends by itself', async () => {
    const code = await main([...api, '--', process.execPath, '-e', 'process.exit(3)'], terminal);
    expect(code).toBe(3);
    expect(instances()).toEqual([]);
  });

  test('that a signal ends', async () => {
    const script = 'process.kill(process.pid, "SIGKILL")';
    expect(await main([...api, '--', process.execPath, '-e', script], terminal)).toBe(137);
  });

  test('that is not there or is no program: as shells say it', async () => {
    expect(await main([...api, '--', 'no-such-command-anywhere'], terminal)).toBe(127);
    expect(terminal.warned).toBe('error: usage: "no-such-command-anywhere": command not found\n');
    expect(await main([...api, '--', ''], terminal)).toBe(127);
    expect(await main([...api, '--', import.meta.dirname], terminal)).toBe(126);
    expect(terminal.warned).toMatch(/cannot be executed \(EACCES\)\n$/);
    expect(await main([...api, '--'], terminal)).toBe(2);
    expect(instances()).toEqual([]);
  });

  test('that does not end: says so, and a second signal kills it', async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'rollcall-child-'));
    const ready = join(scratch, 'ready');
    const script =
      'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);' +
      `require("fs").writeFileSync(${JSON.stringify(ready)}, "")`;
    const ended = main([...api, '--', process.execPath, '-e', script], terminal);
    await expect.poll(() => existsSync(ready), { timeout: 10_000 }).toBe(true);
    terminal.signal('SIGTERM');
    await terminal.shows(/^rollcall: waits for .* to end; another signal kills it\n/);
    terminal.signal('SIGTERM');
    expect(await ended).toBe(128 + 9);
    expect(instances()).toEqual([]);
    await rm(scratch, { recursive: true });
  });
});

describe('register, ended by somebody else', () => {
  const other = { id: 'a1', address: 'h:2', tags: [], metadata: [] };
  const replace = () => {
    const parameters = { namespace: 'default', service: 'api', instance: other };
    cluster.store.register({ ...parameters, leaseId: null, replace: true });
  };

  test('who takes the instance out: fails and says so', async () => {
    const ended = main([...api, '--json'], terminal);
    await terminal.shows(/registered/);
    cluster.store.deregister('api', 'a1');
    expect(await ended).toBe(1);
    expect(terminal.documents).toMatchObject([
      { event: 'registered' },
      { event: 'ended', reason: 'deregistered' },
    ]);
    expect(instances()).toEqual([]);
  });

  test('who registers the same id: fails, says so and leaves it alone', async () => {
    const ended = main(api, terminal);
    await terminal.shows(/registered/);
    replace();
    expect(await ended).toBe(1);
    expect(terminal.warned).toMatch(/^error: instanceReplaced: api\/a1 was registered by another/);
    expect(instances()).toMatchObject([{ address: 'h:2' }]);
  });

  test('just before it is stopped: leaves the instance alone', async () => {
    const ended = main([...api, '--ttl', '60s'], terminal);
    await terminal.shows(/registered/);
    replace();
    terminal.signal('SIGTERM');
    expect(await ended).toBe(0);
    expect(terminal.printed).not.toContain('deregistered');
    expect(terminal.warned).toMatch(/^rollcall: api\/a1 was registered by another process since/);
    expect(instances()).toMatchObject([{ address: 'h:2' }]);
  });

  test('while a command runs: says so, and the command goes on', async () => {
    const script = 'setInterval(() => {}, 1000)';
    const ended = main([...api, '--', process.execPath, '-e', script], terminal);
    await expect.poll(() => instances().length).toBe(1);
    replace();
    await terminal.shows(/rollcall: api\/a1 was registered by another process since/);
    terminal.signal('SIGTERM');
    expect(await ended).toBe(128 + 15);
    expect(instances()).toMatchObject([{ address: 'h:2' }]);
  });
});
