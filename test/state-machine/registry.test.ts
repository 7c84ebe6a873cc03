import { expect, test } from 'vitest';
import { plainRange } from '../../src/mvcc/types.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { leaseId, put, TestMachine } from './machine.ts';
import { readRange } from './read-range.ts';

function register(service: string, id: string, lease: string | null = null, port = 80): Command {
  const instance = { id, address: `10.0.0.1:${port}`, tags: [], metadata: [] };
  const name = { namespace: 'default', service };
  return { type: 'register', ...name, instance, leaseId: lease, replace: true };
}
function restore(service: string, id: string, lease: string | null): Command {
  return { ...register(service, id, lease), replace: false } as Command;
}
function deregister(service: string, id: string, lease: string | null = null): Command {
  return { type: 'deregister', namespace: 'default', service, id, leaseId: lease };
}
/** Revision and outcome of each command, run one after the other. */
function run(tested: TestMachine, ...commands: readonly Command[]): string[] {
  return commands.map((command) => {
    const outcome = tested.run(command);
    if (!outcome.ok) return `${outcome.revision} ${outcome.code}`;
    const created = outcome.result.type === 'register' ? ` ${outcome.result.created}` : '';
    return `${outcome.revision} ${outcome.result.type}${created}`;
  });
}

test('the registry makes a revision for what is new, and none for what is said again', () => {
  const tested = new TestMachine();
  tested.run({ type: 'leaseGrant', leaseId: leaseId(1), ttlMs: 1000 });
  const lines = run(
    tested,
    register('web', 'a'),
    register('web', 'a'),
    register('web', 'a', null, 81),
    register('web', 'a', leaseId(1), 81),
    register('web', 'a', leaseId(1), 81),
    register('web', 'a', leaseId(9), 81),
    deregister('web', 'a'),
    deregister('web', 'a'),
    register('web', 'a', null, 81),
    register('Web', 'a'),
    register('web', 'a', null, 0),
    deregister('web', 'A'),
  );
  expect(lines).toEqual([
    '2 register true',
    '2 register false',
    '3 register false',
    '4 register false',
    '4 register false',
    '4 leaseNotFound',
    '5 deregister',
    '5 instanceNotFound',
    '6 register true',
    '6 invalidArgument',
    '6 invalidArgument',
    '6 invalidArgument',
  ]);
});

test('an owner that was replaced neither takes out nor replaces the instance of the new one', () => {
  const tested = new TestMachine();
  const [old, young] = [leaseId(1), leaseId(2)];
  for (const id of [old, young]) tested.run({ type: 'leaseGrant', leaseId: id, ttlMs: 1000 });
  const lines = run(
    tested,
    register('web', 'a', old),
    restore('web', 'a', old),
    register('web', 'a', young),
    deregister('web', 'a', old),
    restore('web', 'a', old),
    deregister('web', 'b', old),
    deregister('web', 'a', young),
    restore('web', 'a', old),
    deregister('web', 'a'),
    // Nobody keeps a permanent instance alive, but somebody put it there.
    register('web', 'a'),
    restore('web', 'a', old),
    restore('web', 'a', null),
    deregister('web', 'a', old),
  );
  expect(lines).toEqual([
    '2 register true',
    '2 register false',
    '3 register false',
    '3 instanceReplaced',
    '3 instanceReplaced',
    '3 instanceNotFound',
    '4 deregister',
    '5 register true',
    '6 deregister',
    '7 register true',
    '7 instanceReplaced',
    '7 register false',
    '7 instanceReplaced',
  ]);
});

test('a lease that has ended owns nothing, also while its instances wait for their turn', () => {
  const tested = new TestMachine();
  const [old, young] = [leaseId(1), leaseId(2)];
  tested.run({ type: 'leaseGrant', leaseId: old, ttlMs: 1000 });
  tested.run({ type: 'leaseGrant', leaseId: young, ttlMs: 9000 });
  // Too many keys for one entry, so that the instance outlives its lease for a while.
  for (let at = 0; at < 5000; at++) tested.run(put(`k${at}`, '', { leaseId: old }));
  tested.run(register('web', 'a', old));
  tested.apply([], 1000);
  expect(tested.machine.discover({ namespace: 'default', service: 'web' })).toHaveLength(1);
  const [taken] = run(tested, restore('web', 'a', young));
  expect(taken).toMatch(/register (true|false)$/);
  tested.apply([]);
  expect(tested.machine.discover({ namespace: 'default', service: 'web' })).toMatchObject([
    { leaseId: young },
  ]);
});

test('a renewal says how many instances stand there with each lease', () => {
  const tested = new TestMachine();
  const leaseIds = [1, 2, 3].map(leaseId);
  for (const id of leaseIds.slice(0, 2)) {
    tested.run({ type: 'leaseGrant', leaseId: id, ttlMs: 1000 });
  }
  const [one, two] = leaseIds as [string, string];
  run(tested, register('web', 'a', one), register('web', 'b', one), put('k', '', { leaseId: two }));
  const outcome = tested.run({ type: 'leaseKeepAlive', leaseIds });
  expect(outcome).toMatchObject({ ok: true, result: { instances: [2, 0, 0] } });
});

test('the registry finds instances and counts services, apart from the kv space', () => {
  const tested = new TestMachine();
  const kvKey = 'i/default/web/fake';
  tested.apply([
    register('web', 'b'),
    register('web', 'a', null, 81),
    register('web-2', 'a'),
    register('db', 'x'),
    { ...register('web', 'c'), namespace: 'other' } as Command,
    put(kvKey),
    deregister('db', 'x'),
  ]);
  const web = { namespace: 'default', service: 'web' };
  for (const again of [false, true]) {
    if (again) tested.reload();
    const { machine } = tested;
    const found = machine.discover(web);
    expect(found.map(({ id, address }) => `${id} ${address}`)).toEqual([
      'a 10.0.0.1:81',
      'b 10.0.0.1:80',
    ]);
    expect(found[0]).toMatchObject({ createRevision: 3, modRevision: 3, leaseId: null });
    expect(machine.services('default')).toEqual([
      { service: 'web', instances: 2 },
      { service: 'web-2', instances: 1 },
    ]);
    expect(machine.services('none')).toEqual([]);
    expect(machine.discover({ namespace: 'default', service: 'db' })).toEqual([]);
  }
  const all = { ...plainRange, key: '\0', rangeEnd: '\0', keysOnly: true };
  expect(readRange(tested.machine, 'kv', all)).toMatchObject({ count: 1 });
  expect(readRange(tested.machine, 'registry', all)).toMatchObject({ count: 4 });
});

test('a lease loses its keys of both spaces in one revision', () => {
  const tested = new TestMachine();
  tested.apply([
    { type: 'leaseGrant', leaseId: leaseId(1), ttlMs: 1000 },
    register('web', 'a', leaseId(1)),
    put('owner', 'a', { leaseId: leaseId(1) }),
  ]);
  expect(tested.machine.leaseTimeToLive(leaseId(1), 10)?.keys).toEqual(['owner']);
  const { revisions } = tested.apply([], 1000);
  const lines = revisions.map(
    ({ space, revision, events }) =>
      `${revision} ${space} ${events.map(({ pair, cause }) => `${pair.key} ${cause}`)}`,
  );
  expect(lines).toEqual(['4 kv owner leaseExpired', '4 registry i/default/web/a leaseExpired']);
});
