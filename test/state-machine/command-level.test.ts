/** What may be written at which feature level, and the level as part of the state. */
import { expect, test } from 'vitest';
import { featureLevel } from '../../src/format/feature-level.ts';
import { type Operation, plainRange, type TxnOperation } from '../../src/mvcc/types.ts';
import { encodeCommandEntry } from '../../src/state-machine/command-codec.ts';
import { levelOf, levelOfLogged } from '../../src/state-machine/command-level.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { leaseId, put, TestMachine } from './machine.ts';

const service = { namespace: 'default', service: 'orders' };
const instance = { id: 'one', address: '127.0.0.1:80', tags: [], metadata: [] };

const range: Operation = { type: 'range', ...plainRange, key: 'a', rangeEnd: null };
function txn(...success: readonly Operation[]): TxnOperation {
  return { type: 'txn', compares: [], success, failure: [] };
}

/** Whoever adds a kind adds it here, with the level at which it came. */
const samples: { readonly [type in Command['type']]: readonly (readonly [number, Command])[] } = {
  put: [
    [1, put('a')],
    [2, put('a', '', { ignoreValue: true })],
    [2, put('a', '', { ignoreLease: true })],
  ],
  delete: [[1, { type: 'delete', key: 'a', rangeEnd: null, previous: false }]],
  txn: [
    [1, txn(put('a'), range)],
    [2, txn(txn(put('a', '', { ignoreLease: true })))],
    [2, txn({ ...range, order: 'descend' })],
    [2, txn({ ...range, sortBy: 'value' })],
    [2, txn(txn({ ...range, minCreateRevision: 1 }))],
  ],
  leaseGrant: [[1, { type: 'leaseGrant', leaseId: leaseId(1), ttlMs: 500 }]],
  leaseRevoke: [[1, { type: 'leaseRevoke', leaseId: leaseId(1) }]],
  leaseKeepAlive: [[1, { type: 'leaseKeepAlive', leaseIds: [leaseId(1)] }]],
  register: [
    [1, { type: 'register', ...service, instance, leaseId: null, replace: true }],
    [2, { type: 'register', ...service, instance, leaseId: null, replace: false }],
  ],
  deregister: [
    [1, { type: 'deregister', ...service, id: 'one', leaseId: null }],
    [2, { type: 'deregister', ...service, id: 'one', leaseId: leaseId(1) }],
  ],
  sessionOpen: [[2, { type: 'sessionOpen', sessionId: leaseId(1) }]],
  sessionRenew: [[2, { type: 'sessionRenew', sessionId: leaseId(1), acknowledgedThrough: 7 }]],
  sessionClose: [[2, { type: 'sessionClose', sessionId: leaseId(1) }]],
  compact: [[2, { type: 'compact', space: 'kv', revision: 1 }]],
  beginIncarnation: [[2, { type: 'beginIncarnation' }]],
  raiseFeatureLevel: [
    [2, { type: 'raiseFeatureLevel', level: 1 }],
    [2, { type: 'raiseFeatureLevel', level: 2 }],
    [9, { type: 'raiseFeatureLevel', level: 9 }],
  ],
};

/** The kinds and versions that each level brought, as they stand in the bytes of an entry. */
const formats: { readonly [level: number]: readonly string[] } = {
  1: ['1/1', '2/1', '3/1', '4/1', '5/1', '6/1', '7/1', '8/1'],
  2: ['1/2', '3/2', '7/2', '8/2', '9/1', '10/1', '20/1', '21/1', '22/1', '11/1'],
};

test('every command has the level that brought its bytes', () => {
  const found = new Map<string, number>();
  for (const [level, command] of Object.values(samples).flat()) {
    expect(levelOf(command)).toBe(level);
    const logged = { session: null, command };
    const bytes = encodeCommandEntry({ logTimeMs: 0, wallTimeMs: 0, commands: [logged] });
    const format = `${bytes[4]}/${bytes[5]}`;
    found.set(format, Math.min(level, found.get(format) ?? level));
  }
  const expected = Object.entries(formats).flatMap(([level, names]) =>
    names.map((name) => [name, Number(level)] as const),
  );
  expect(found).toEqual(new Map(expected));
  expect(Object.keys(formats).at(-1)).toBe(String(featureLevel));
});

test('whatever is written under a session came with the second level', () => {
  const session = { sessionId: leaseId(1), sequence: 1, acknowledgedThrough: 0 };
  expect(levelOfLogged({ session, command: put('a') })).toBe(2);
  expect(levelOfLogged({ session: null, command: put('a') })).toBe(1);
});

test('the level only rises, changes nothing else, and comes back with the state', () => {
  const tested = new TestMachine();
  tested.run(put('a'));
  const { digest } = tested;
  expect(tested.machine.featureLevel).toBe(1);
  for (const [level, reached] of [
    [3, 3],
    [2, 3],
    [4, 4],
  ] as const) {
    expect(tested.run({ type: 'raiseFeatureLevel', level })).toMatchObject({
      ok: true,
      revision: 2,
    });
    tested.reload();
    expect([tested.machine.featureLevel, tested.digest]).toEqual([reached, digest]);
  }
});
