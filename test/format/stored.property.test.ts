import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader, ByteWriter, formatId } from '../../src/base/bytes.ts';
import {
  type CheckpointHeader,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
} from '../../src/format/checkpoint.ts';
import { decodeConfiguration } from '../../src/format/configuration.ts';
import { decodeIdentity, encodeIdentity, type Identity } from '../../src/format/identity.ts';
import type { Configuration } from '../../src/format/types.ts';

const half = fc.integer({ min: 0, max: 0xffffffff });
const id = fc.tuple(half, half).map(([high, low]) => formatId(high, low));
const count = fc.maxSafeNat();
const ids = fc.array(id, { maxLength: 4 });

const configuration: fc.Arbitrary<Configuration> = fc.record({
  members: fc.array(
    fc.record({
      id,
      name: fc.string(),
      peerAddress: fc.string(),
      clientAddress: fc.string({ unit: 'grapheme' }),
      featureLevel: fc.nat(100),
      replaces: fc.option(id),
      autoPromote: fc.boolean(),
    }),
    { maxLength: 4 },
  ),
  voters: ids,
  votersOutgoing: ids,
  learners: ids,
  learnersNext: ids,
});

const floors = fc.array(fc.tuple(count, count), { maxLength: 4 }).map((pairs) => ({
  compactRevisions: pairs.map(([floor]) => floor),
  removedRevisions: pairs.map(([, removed]) => removed),
}));
const header: fc.Arbitrary<CheckpointHeader> = fc
  .record({
    applied: fc.record({ term: count, index: count }),
    configuration,
    clusterId: id,
    incarnation: id,
    featureLevel: fc.nat(1000),
    revision: count,
    logTimeMs: count,
    wallTimeMs: count,
    floors,
    timeMarks: fc.array(fc.record({ revision: count, logTimeMs: count }), { maxLength: 3 }),
    digest: fc.record({ high: half, low: half }),
  })
  .map(({ floors: both, ...rest }) => ({ ...rest, ...both }));

const identity: fc.Arbitrary<Identity> = fc.record({
  memberId: id,
  name: fc.string(),
  birth: fc.option(
    fc.record({ clusterId: id, incarnation: id, configuration, configurationIndex: count }),
  ),
  walBegun: fc.boolean(),
});

/** Encodes, decodes whole, and refuses every shorter input. */
function roundTrip<T>(
  value: T,
  encode: (writer: ByteWriter, value: T) => void,
  decode: (reader: ByteReader) => T,
): T {
  const writer = new ByteWriter();
  encode(writer, value);
  const bytes = writer.finish();
  expect(() => decode(new ByteReader(bytes.subarray(0, -1)))).toThrow();
  const reader = new ByteReader(bytes);
  const decoded = decode(reader);
  reader.end();
  return decoded;
}

test('a checkpoint header comes back as it was', () => {
  fc.assert(
    fc.property(header, (value) => {
      expect(roundTrip(value, encodeCheckpointHeader, decodeCheckpointHeader)).toEqual(value);
    }),
  );
});

test('an identity comes back as it was', () => {
  fc.assert(
    fc.property(identity, (value) => {
      expect(roundTrip(value, encodeIdentity, decodeIdentity)).toEqual(value);
    }),
  );
});

test('a configuration from before members said what they are there for is still read', () => {
  const writer = new ByteWriter();
  writer.u8(1).varint(1).id('00000000000000a1').text('a').text('p').text('c').varint(1);
  writer.varint(1).id('00000000000000a1').varint(0).varint(0).varint(0);
  const reader = new ByteReader(writer.finish());
  const member = { name: 'a', peerAddress: 'p', clientAddress: 'c', featureLevel: 1 };
  expect(decodeConfiguration(reader)).toEqual({
    members: [{ id: '00000000000000a1', ...member, replaces: null, autoPromote: false }],
    voters: ['00000000000000a1'],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
  });
  reader.end();
});

test('an identity of the first version was of a member that began its cluster', () => {
  fc.assert(
    fc.property(identity, (value) => {
      const birth = value.birth === null ? null : { ...value.birth, configurationIndex: 0 };
      const writer = new ByteWriter();
      encodeIdentity(writer, { ...value, birth });
      const bytes = writer.finish();
      const old = birth === null ? bytes : bytes.subarray(0, -1);
      old[0] = 1;
      const reader = new ByteReader(old);
      expect(decodeIdentity(reader)).toEqual({ ...value, birth });
      reader.end();
    }),
  );
});

test('a version that is not known is refused', () => {
  const tooNew = expect.objectContaining({ code: 'formatTooNew' });
  expect(() => decodeIdentity(new ByteReader(Uint8Array.of(3)))).toThrow(tooNew);
  expect(() => decodeConfiguration(new ByteReader(Uint8Array.of(3)))).toThrow(tooNew);
  expect(() => decodeCheckpointHeader(new ByteReader(Uint8Array.of(3)))).toThrow(tooNew);
});
