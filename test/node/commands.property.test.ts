import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandBytes } from '../../src/node/commands.ts';
import { encodeCommandEntry } from '../../src/state-machine/command-codec.ts';
import type { Command } from '../../src/state-machine/types.ts';

const key = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 300 });
const rangeEnd = fc.option(key, { nil: null });
const value = fc.uint8Array({ maxLength: 600 });
const leaseId = fc.constant('0123456789abcdef');
const text = fc.string({ unit: 'grapheme', maxLength: 100 });

const put = fc.record({
  type: fc.constant('put' as const),
  key,
  value,
  leaseId,
  previous: fc.boolean(),
  ignoreValue: fc.boolean(),
  ignoreLease: fc.boolean(),
});
const anyNumber = fc.nat(Number.MAX_SAFE_INTEGER);
const remove = fc.record({
  type: fc.constant('delete' as const),
  key,
  rangeEnd,
  previous: fc.boolean(),
});
const range = fc.record({
  type: fc.constant('range' as const),
  key,
  rangeEnd,
  revision: anyNumber,
  limit: anyNumber,
  keysOnly: fc.boolean(),
  countOnly: fc.boolean(),
  sortBy: fc.constantFrom('key', 'value', 'modRevision'),
  order: fc.constantFrom('ascend', 'descend'),
  minModRevision: anyNumber,
  maxModRevision: anyNumber,
  minCreateRevision: anyNumber,
  maxCreateRevision: anyNumber,
});
const compare = fc.record({
  key,
  rangeEnd,
  operator: fc.constant('equal' as const),
  target: fc.constant('value' as const),
  value,
});
const operations = fc.array(fc.oneof(put, remove, range), { maxLength: 5 });
const txn = fc.record({
  type: fc.constant('txn' as const),
  compares: fc.array(compare, { maxLength: 5 }),
  success: operations,
  failure: operations,
});
const register = fc.record({
  type: fc.constant('register' as const),
  namespace: text,
  service: text,
  leaseId,
  replace: fc.boolean(),
  instance: fc.record({
    id: text,
    address: text,
    tags: fc.array(text, { maxLength: 5 }),
    metadata: fc.array(fc.tuple(text, text), { maxLength: 5 }),
  }),
});
const deregister = fc.record({
  type: fc.constant('deregister' as const),
  namespace: fc.stringMatching(/^[a-z0-9]{1,128}$/),
  service: fc.stringMatching(/^[a-z0-9]{1,128}$/),
  id: fc.stringMatching(/^[a-z0-9]{1,128}$/),
  leaseId: fc.option(leaseId, { nil: null }),
});
const keepAlive = fc.record({
  type: fc.constant('leaseKeepAlive' as const),
  leaseIds: fc.array(leaseId, { maxLength: 50 }),
});
const session = fc.option(
  fc.record({
    sessionId: leaseId,
    sequence: fc.nat(Number.MAX_SAFE_INTEGER),
    acknowledgedThrough: fc.nat(Number.MAX_SAFE_INTEGER),
  }),
  { nil: null },
);
const command: fc.Arbitrary<Command> = fc.oneof(put, remove, txn, register, deregister, keepAlive);

test('no command takes more bytes in an entry than it is counted for', () => {
  const empty = encodeCommandEntry({ logTimeMs: 0, wallTimeMs: 0, commands: [] }).length;
  fc.assert(
    fc.property(command, session, (one, header) => {
      const commands = [{ session: header, command: one }];
      const entry = encodeCommandEntry({ logTimeMs: 0, wallTimeMs: 0, commands });
      expect(commandBytes(one)).toBeGreaterThanOrEqual(entry.length - empty);
    }),
    { numRuns: 500 },
  );
});
