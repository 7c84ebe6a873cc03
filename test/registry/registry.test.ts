import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import type { KeyEvent } from '../../src/mvcc/types.ts';
import { checkInstance } from '../../src/registry/instance-check.ts';
import { decodeInstance, encodeInstance } from '../../src/registry/instance-codec.ts';
import { instanceEvents, instanceKey } from '../../src/registry/instances.ts';
import type { Instance } from '../../src/registry/types.ts';

const instance: Instance = {
  id: 'a-1',
  address: '10.0.0.1:80',
  tags: ['x'],
  metadata: [['k', 'v']],
};

describe('an instance', () => {
  const many = (count: number) => Array.from({ length: count }, (_, at) => `t${at}`);
  test.each<[string, Partial<Instance>, string | null]>([
    ['as it should be', {}, null],
    ['IPv6', { address: '[::1]:65535' }, null],
    ['a host name', { address: 'db.example:1' }, null],
    ['no id', { id: '' }, 'instance.id'],
    ['a slash in the id', { id: 'a/b' }, 'instance.id'],
    ['an upper-case id', { id: 'A' }, 'instance.id'],
    ['an id of 129', { id: 'a'.repeat(129) }, 'instance.id'],
    ['no port', { address: 'host' }, 'instance.address'],
    ['port 0', { address: 'host:0' }, 'instance.address'],
    ['port 65536', { address: 'host:65536' }, 'instance.address'],
    ['IPv6 without brackets', { address: '::1:80' }, 'instance.address'],
    ['no host', { address: ':80' }, 'instance.address'],
    ['a line end', { address: 'host:80\n' }, 'instance.address'],
    ['64 tags', { tags: many(64) }, null],
    ['65 tags', { tags: many(65) }, 'instance.tags'],
    ['a long tag', { tags: ['ok', 'x'.repeat(129)] }, 'instance.tags[1]'],
    ['half a character', { tags: ['\ud800'] }, 'instance.tags[0]'],
    ['65 pairs', { metadata: many(65).map((name) => [name, '']) }, 'instance.metadata'],
    ['a long name', { metadata: [['x'.repeat(129), '']] }, 'instance.metadata[0][0]'],
    ['a long value', { metadata: [['x', 'v'.repeat(1025)]] }, 'instance.metadata[0][1]'],
    [
      'a name twice',
      {
        metadata: [
          ['x', '1'],
          ['x', '2'],
        ],
      },
      'instance.metadata[1][0]',
    ],
    [
      'hostile names',
      {
        metadata: [
          ['__proto__', '1'],
          ['constructor', '2'],
        ],
      },
      null,
    ],
  ])('with %s', (_, changed, field) => {
    const refusal = checkInstance({ ...instance, ...changed });
    expect(refusal?.message.split(' ')[0] ?? null).toBe(field);
    expect(refusal?.code ?? 'invalidArgument').toBe('invalidArgument');
  });
});

describe('instance bytes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const anyInstance: fc.Arbitrary<Instance> = fc.record({
    id: text,
    address: text,
    tags: fc.array(text),
    metadata: fc.array(fc.tuple(text, text)),
  });

  test('come back as they were', () => {
    fc.assert(
      fc.property(anyInstance, (given) => {
        expect(decodeInstance(encodeInstance(given))).toEqual(given);
      }),
    );
  });

  test('cut or changed, are refused or another instance, never a crash', () => {
    fc.assert(
      fc.property(anyInstance, fc.nat(), fc.integer({ min: 0, max: 255 }), (given, at, byte) => {
        const bytes = encodeInstance(given);
        const changed = bytes.slice();
        changed[at % bytes.length] = byte;
        for (const input of [bytes.subarray(0, at % bytes.length), changed]) {
          try {
            decodeInstance(input);
          } catch (error) {
            expect(error).toBeInstanceOf(RollcallError);
          }
        }
      }),
    );
  });

  test('of another version say so', () => {
    const bytes = encodeInstance(instance);
    bytes[0] = 2;
    expect(() => decodeInstance(bytes)).toThrow(expect.objectContaining({ code: 'formatTooNew' }));
  });
});

test('changes of keys tell who came and why who went', () => {
  const service = { namespace: 'default', service: 'web' };
  const key = instanceKey(service, 'a-1');
  const pair = { key, createRevision: 2, modRevision: 5, version: 2, leaseId: null };
  const gone = { ...pair, value: new Uint8Array(0), createRevision: 0, version: 0 };
  const events: KeyEvent[] = [
    { type: 'put', pair: { ...pair, value: encodeInstance(instance) }, cause: 'request' },
    { type: 'delete', pair: gone, cause: 'request' },
    { type: 'delete', pair: gone, cause: 'leaseRevoked' },
    { type: 'delete', pair: gone, cause: 'leaseExpired' },
  ];
  expect(instanceEvents(events)).toEqual([
    { type: 'set', instance: { ...instance, leaseId: null, createRevision: 2, modRevision: 5 } },
    { type: 'removed', id: 'a-1', reason: 'deregistered' },
    { type: 'removed', id: 'a-1', reason: 'deregistered' },
    { type: 'removed', id: 'a-1', reason: 'expired' },
  ]);
});
