import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { plainRange, type TxnOperation } from '../../src/mvcc/types.ts';
import {
  decodeCommandEntry,
  encodeCommandEntry,
  logTimeOf,
} from '../../src/state-machine/command-codec.ts';
import { decodeRecord, decodeValueRecord } from '../../src/state-machine/record-codec.ts';
import type { Command, CommandEntry } from '../../src/state-machine/types.ts';
import { anyCommand } from './arbitrary.ts';
import { leaseId, put, TestMachine } from './machine.ts';
import { readRange } from './read-range.ts';

const everyByte = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
const hostileKeys = ['__proto__', 'constructor', '\0', '\xff', everyByte, everyByte.repeat(16)];

const anyId = fc.integer({ min: 1, max: 2 ** 32 }).map(leaseId);
const text = fc.string({ unit: 'binary', maxLength: 12 });
const anyRegistryCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constant('register' as const),
    namespace: text,
    service: text,
    instance: fc.record({
      id: text,
      address: text,
      tags: fc.array(text, { maxLength: 3 }),
      metadata: fc.array(fc.tuple(text, text), { maxLength: 3 }),
    }),
    leaseId: fc.option(anyId),
    replace: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('deregister' as const),
    namespace: text,
    service: text,
    id: text,
    leaseId: fc.option(anyId),
  }),
  fc.record({
    type: fc.constant('compact' as const),
    space: fc.constantFrom('kv', 'registry'),
    revision: fc.maxSafeNat(),
  }),
  fc.constant({ type: 'beginIncarnation' as const }),
  fc.record({ type: fc.constantFrom('sessionOpen', 'sessionClose'), sessionId: anyId }),
  fc.record({
    type: fc.constant('sessionRenew' as const),
    sessionId: anyId,
    acknowledgedThrough: fc.maxSafeNat(),
  }),
);
const anyHostilePut = fc.constantFrom(...hostileKeys).map((key): Command => put(key, key));
const anySession = fc.record({
  sessionId: anyId,
  sequence: fc.maxSafeNat(),
  acknowledgedThrough: fc.maxSafeNat(),
});
const anyEntry: fc.Arbitrary<CommandEntry> = fc.record({
  logTimeMs: fc.maxSafeNat(),
  wallTimeMs: fc.maxSafeNat(),
  commands: fc.array(
    fc.record({
      session: fc.option(anySession),
      command: fc.oneof(anyCommand, anyRegistryCommand, anyHostilePut),
    }),
    { maxLength: 5 },
  ),
});

function nested(depth: number): TxnOperation {
  const txn: TxnOperation = { type: 'txn', compares: [], success: [], failure: [] };
  return depth === 1 ? txn : { ...txn, failure: [nested(depth - 1)] };
}

function entryOf(command: Command): CommandEntry {
  return { logTimeMs: 1, wallTimeMs: 2, commands: [{ session: null, command }] };
}

/** Decodes what is not an entry; whatever comes of it, it is no crash. */
function expectOrderly(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    expect(error).toBeInstanceOf(RollcallError);
    expect((error as RollcallError).code).toMatch(/^(dataDamaged|formatTooNew)$/);
  }
}

describe('command entries', () => {
  test('come back as they were, in the same bytes', () => {
    fc.assert(
      fc.property(anyEntry, (entry) => {
        const bytes = encodeCommandEntry(entry);
        const decoded = decodeCommandEntry(bytes);
        expect(decoded).toEqual(entry);
        expect(encodeCommandEntry(decoded)).toEqual(bytes);
        expect(logTimeOf(bytes)).toBe(entry.logTimeMs);
      }),
      { numRuns: 200 },
    );
  });

  test('cut, changed or made up, are refused in an orderly way', () => {
    const changes = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(anyEntry, changes, fc.uint8Array(), (entry, { at, byte }, garbage) => {
        const bytes = encodeCommandEntry(entry);
        const cut = bytes.subarray(0, at % bytes.length);
        const changed = bytes.slice();
        changed[at % bytes.length] = byte;
        expect(() => decodeCommandEntry(cut)).toThrow(RollcallError);
        expectOrderly(() => decodeCommandEntry(changed));
        expectOrderly(() => decodeCommandEntry(garbage));
        expectOrderly(() => logTimeOf(garbage));
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[string, number]>([
    ['entry version', 0],
    ['command kind', 4],
    ['command version', 5],
    ['flags of a put', 7],
  ])('of an unknown %s stop the node', (_, at) => {
    const bytes = encodeCommandEntry(entryOf(put('a')));
    bytes[at] = 0x70;
    expect(() => decodeCommandEntry(bytes)).toThrow(
      expect.objectContaining({ code: 'formatTooNew' }),
    );
  });

  test('never hold a transaction that cannot be read back', () => {
    const deepest = entryOf(nested(128));
    expect(decodeCommandEntry(encodeCommandEntry(deepest))).toEqual(deepest);
    expect(() => encodeCommandEntry(entryOf(nested(129)))).toThrow(
      expect.objectContaining({ code: 'tooManyOperations' }),
    );
    const bytes = encodeCommandEntry(deepest);
    // A txn without compares and success, with one failure operation, again and again.
    const bomb = new Uint8Array([
      ...bytes.subarray(0, 7),
      ...Array(20_000).fill([0, 0, 1, 4]).flat(),
    ]);
    expect(() => decodeCommandEntry(bomb)).toThrow(
      expect.objectContaining({ code: 'dataDamaged' }),
    );
  });
});

test('commands of the registry keep their first version for what that can say', () => {
  const service = { namespace: 'n', service: 's' };
  const instance = { id: 'i', address: 'h:1', tags: [], metadata: [] };
  const register = { type: 'register', ...service, instance, leaseId: null } as const;
  const deregister = { type: 'deregister', ...service, id: 'i' } as const;
  const commands: readonly Command[] = [
    { ...register, replace: true },
    { ...register, replace: false },
    { ...deregister, leaseId: null },
    { ...deregister, leaseId: leaseId(0xab) },
  ];
  const lines = commands.map((command) =>
    Buffer.from(encodeCommandEntry(entryOf(command)))
      .toString('hex')
      .slice(8),
  );
  expect(lines).toMatchInlineSnapshot(`
    [
      "070100016e017301016903683a31000000",
      "070200016e017301016903683a31000000",
      "080100016e01730169",
      "080200016e0173016900000000000000ab",
    ]
  `);
  // A version that a kind does not have is not known, also where another kind has it.
  const bytes = encodeCommandEntry(
    entryOf({ type: 'delete', key: 'a', rangeEnd: null, previous: false }),
  );
  bytes[5] = 2;
  expect(() => decodeCommandEntry(bytes)).toThrow(
    expect.objectContaining({ code: 'formatTooNew' }),
  );
});

describe('records', () => {
  function filled(): TestMachine {
    const tested = new TestMachine();
    tested.apply([{ type: 'leaseGrant', leaseId: leaseId(255), ttlMs: 500 }]);
    tested.apply(hostileKeys.map((key) => put(key, key, { leaseId: leaseId(255) })));
    tested.apply([{ type: 'delete', key: '\0', rangeEnd: '\0', previous: false }]);
    return tested;
  }

  test('keep hostile keys and values', () => {
    const tested = filled();
    tested.reload();
    for (const key of hostileKeys) {
      const range = { ...plainRange, key, rangeEnd: null, revision: 7 };
      const found = readRange(tested.machine, 'kv', range);
      expect(found).toMatchObject({ pairs: [{ key, version: 1, leaseId: leaseId(255) }] });
      expect('pairs' in found && Buffer.from(found.pairs[0]?.value ?? '')).toEqual(
        Buffer.from(key),
      );
    }
  });

  test('changed in any place, are noticed when they are loaded', () => {
    const tested = filled();
    const originals = [...tested.records.map];
    const unchanged = new Map(originals);
    const change = fc.record({
      record: fc.nat({ max: originals.length - 1 }),
      at: fc.nat(),
      bit: fc.nat({ max: 7 }),
      place: fc.constantFrom('key', 'bytes', 'cut', 'gone'),
    });
    fc.assert(
      fc.property(change, ({ record, at, bit, place }) => {
        const [key, bytes] = originals[record] as [string, Uint8Array];
        fc.pre(key[1] !== 'v');
        const changed = bytes.slice();
        const where = at % (place === 'key' ? key.length : bytes.length);
        changed[where] = (changed[where] as number) ^ (1 << bit);
        const changedKey =
          key.slice(0, where) +
          String.fromCharCode(key.charCodeAt(where) ^ (1 << bit)) +
          key.slice(where + 1);
        tested.records.write(key, null);
        if (place === 'key') tested.records.write(changedKey, bytes);
        if (place === 'bytes') tested.records.write(key, changed);
        if (place === 'cut') tested.records.write(key, bytes.subarray(0, where));
        try {
          expect(() => tested.reload()).toThrow(
            expect.objectContaining({
              code: expect.stringMatching(/^(dataDamaged|formatTooNew)$/),
            }),
          );
        } finally {
          // The changed key may be that of another record.
          tested.records.write(changedKey, unchanged.get(changedKey) ?? null);
          tested.records.write(key, bytes);
        }
      }),
      { numRuns: 500 },
    );
    tested.reload();
  });

  test('made up, are refused in an orderly way', () => {
    const key = fc.uint8Array({ maxLength: 14 }).map((bytes) => String.fromCharCode(...bytes));
    const kind = fc.constantFrom('', 'L', 'ki', 'kv', 'ri', 'rv', 'kx');
    fc.assert(
      fc.property(kind, key, fc.uint8Array(), (prefix, rest, bytes) => {
        expectOrderly(() => decodeRecord((prefix + rest).slice(0, 14), bytes));
      }),
      { numRuns: 1000 },
    );
  });
});

test('the bytes of records stay what they are', () => {
  const tested = new TestMachine();
  tested.apply([{ type: 'leaseGrant', leaseId: leaseId(0xab), ttlMs: 500 }], 1000);
  tested.apply([put('key', 'value', { leaseId: leaseId(0xab) }), { ...put('key'), type: 'put' }]);
  tested.apply([{ type: 'delete', key: 'key', rangeEnd: null, previous: false }]);
  const lines = [...tested.records.map]
    .map(
      ([key, bytes]) =>
        `${Buffer.from(key, 'latin1').toString('hex')} ${Buffer.from(bytes).toString('hex')}`,
    )
    .sort();
  expect([...lines, tested.digest]).toMatchInlineSnapshot(`
    [
      "4c00000000000000ab 0100f403dc0b",
      "6b69000000000000000200000000 0102036b6579020100000000000000ab0545ccac18f23730c1",
      "6b69000000000000000300000000 0100036b65790202004556dcf707b762b0",
      "6b69000000000000000400000000 0101036b6579",
      "6b76000000000000000200000000 0176616c7565",
      "6b76000000000000000300000000 01",
      "bb7e323d734ea51d",
    ]
  `);
});

test('a value of another version is damage: nothing newer was written where the index is known', () => {
  for (const bytes of [[], [0], [2, 7]]) {
    const expected = { code: 'dataDamaged', details: { part: 'state' } };
    expect(() => decodeValueRecord(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining(expected),
    );
  }
});
