import { leaseId, put, TestMachine } from './machine.ts';

/** A state with overwritten, deleted and leased keys and an instance. */
export function filled(): TestMachine {
  const machine = new TestMachine();
  machine.run({ type: 'leaseGrant', leaseId: leaseId(7), ttlMs: 60_000 });
  machine.apply([put('a', 'one'), put('b', 'two'), put('a', 'three', { leaseId: leaseId(7) })]);
  machine.run({ type: 'delete', key: 'b', rangeEnd: null, previous: false });
  machine.run({
    type: 'register',
    ...{ namespace: 'default', service: 'orders', leaseId: leaseId(7), replace: true },
    instance: { id: 'one', address: '127.0.0.1:80', tags: [], metadata: [] },
  });
  return machine;
}
