import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { decodeMessages, encodeMessages } from '../../src/format/message.ts';
import type {
  Configuration,
  Entry,
  EntryId,
  Message,
  PeerMessage,
} from '../../src/format/types.ts';

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const id = fc.stringMatching(/^[0-9a-f]{16}$/).filter((text) => text.length === 16);
const ids = fc.array(id, { maxLength: 5 });
const entryId: fc.Arbitrary<EntryId> = fc.record({ term: number, index: number });

const configuration: fc.Arbitrary<Configuration> = fc.record({
  members: fc.array(
    fc.record({
      id,
      name: fc.string(),
      peerAddress: fc.string(),
      clientAddress: fc.string(),
      featureLevel: number,
      replaces: fc.option(id),
      autoPromote: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
  voters: ids,
  votersOutgoing: ids,
  learners: ids,
  learnersNext: ids,
});

type Payload =
  | { type: 'noop' }
  | { type: 'command'; command: Uint8Array }
  | { type: 'configuration'; configuration: Configuration };
const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.constant<Payload>({ type: 'noop' }),
  fc.record({ type: fc.constant('command' as const), command: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ type: fc.constant('configuration' as const), configuration }),
);

/** As an honest leader sends it: entries that follow `prev`, in terms that never fall. */
const appendEntries: fc.Arbitrary<Message> = fc
  .tuple(
    fc.record({ from: id, to: id, leaderCommit: number }),
    fc.record({ term: fc.nat(1e6), index: fc.nat(1e12) }),
    fc.array(fc.tuple(payload, fc.nat(3)), { maxLength: 6 }),
    fc.nat(5),
  )
  .map(([fields, prev, list, ahead]) => {
    let { term } = prev;
    const entries = list.map(([content, later], at): Entry => {
      term += later;
      return { ...content, term, index: prev.index + 1 + at };
    });
    return { type: 'appendEntries', ...fields, term: term + ahead, prev, entries };
  });

const envelope = { from: id, to: id, term: number };
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: fc.constant('requestVote' as const),
    ...envelope,
    preVote: fc.boolean(),
    isTransfer: fc.boolean(),
    isEarly: fc.boolean(),
    last: entryId,
  }),
  fc.record({
    type: fc.constant('requestVoteResponse' as const),
    ...envelope,
    preVote: fc.boolean(),
    voteGranted: fc.boolean(),
    isSticky: fc.boolean(),
  }),
  appendEntries,
  fc.record({
    type: fc.constant('appendEntriesResponse' as const),
    ...envelope,
    success: fc.constant(true as const),
    matchIndex: number,
  }),
  fc.record({
    type: fc.constant('appendEntriesResponse' as const),
    ...envelope,
    success: fc.constant(false as const),
    rejected: number,
    hint: entryId,
  }),
  fc.record({
    type: fc.constant('heartbeat' as const),
    ...envelope,
    leaderCommit: number,
    readRound: number,
  }),
  fc.record({ type: fc.constant('heartbeatResponse' as const), ...envelope, readRound: number }),
  fc.record({ type: fc.constant('timeoutNow' as const), ...envelope }),
  fc.record({ type: fc.constant('installSnapshot' as const), ...envelope, last: entryId }),
);

const digest = fc.record({ high: fc.nat(0xffffffff), low: fc.nat(0xffffffff) });
const key = fc.uint8Array({ maxLength: 20 }).map((bytes) => String.fromCharCode(...bytes));
const header = fc.record({
  applied: entryId,
  configuration,
  clusterId: id,
  incarnation: id,
  featureLevel: number,
  revision: number,
  logTimeMs: number,
  wallTimeMs: number,
  compactRevisions: fc.tuple(number, number),
  removedRevisions: fc.tuple(number, number),
  timeMarks: fc.array(fc.record({ revision: number, logTimeMs: number }), { maxLength: 2 }),
  digest,
});
const route = { from: id, to: id };
const nodeMessage: fc.Arbitrary<PeerMessage> = fc.oneof(
  fc.record({ type: fc.constant('snapshotRequest' as const), ...route, transfer: id, after: key }),
  fc.record({
    type: fc.constant('snapshotChunk' as const),
    ...route,
    ...{ transfer: id, after: key, term: number, header: fc.option(header), isLast: fc.boolean() },
    records: fc.array(fc.tuple(key, fc.uint8Array({ maxLength: 40 })), { maxLength: 4 }),
  }),
  fc.record({ type: fc.constant('snapshotRefusal' as const), ...route, transfer: id }),
  fc.record({ type: fc.constant('snapshotNotice' as const), ...route, index: number }),
  fc.record({ type: fc.constant('spaceReport' as const), ...route, isShort: fc.boolean() }),
  fc.record({
    type: fc.constant('digestReport' as const),
    ...route,
    ...{ index: number, digest, asks: fc.boolean() },
  }),
);
const anyMessage = fc.oneof(message, nodeMessage);

const plain = (messages: readonly PeerMessage[]) => JSON.parse(JSON.stringify(messages));

test('messages come back as they were sent', () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 4 }), (messages) => {
      expect(plain(decodeMessages(encodeMessages(messages)))).toEqual(plain(messages));
    }),
  );
});

test('a frame cut anywhere, or with a byte changed, is refused or read, and never breaks anything', () => {
  fc.assert(
    fc.property(
      fc.array(anyMessage, { minLength: 1, maxLength: 3 }),
      fc.nat(),
      fc.nat(255),
      fc.boolean(),
      (messages, at, byte, cut) => {
        const bytes = encodeMessages(messages);
        const position = at % bytes.length;
        const bad = cut ? bytes.subarray(0, position) : bytes.with(position, byte);
        let caught: unknown = null;
        try {
          decodeMessages(bad);
        } catch (error) {
          caught = error;
        }
        if (caught !== null) expect(caught).toBeInstanceOf(RollcallError);
        if (cut) expect(caught).toBeInstanceOf(RollcallError);
      },
    ),
  );
});

test('entries with a gap or a falling term never reach the core', () => {
  const base = { type: 'noop' as const };
  const append = (list: Entry[]): Message => ({
    type: 'appendEntries',
    from: 'aaaaaaaaaaaaaaaa',
    to: 'bbbbbbbbbbbbbbbb',
    term: 9,
    prev: { term: 0, index: 0 },
    entries: list,
    leaderCommit: 0,
  });
  const gap = [
    { ...base, term: 1, index: 1 },
    { ...base, term: 1, index: 3 },
  ];
  const notAfterPrev = [{ ...base, term: 1, index: 2 }];
  const future = [{ ...base, term: 10, index: 1 }];
  const falling = [
    { ...base, term: 2, index: 1 },
    { ...base, term: 1, index: 2 },
  ];
  for (const list of [gap, falling, notAfterPrev, future]) {
    expect(() => decodeMessages(encodeMessages([append(list)]))).toThrow(RollcallError);
  }
});

test('a state whose records were changed on the way is refused', () => {
  const chunk: PeerMessage = {
    ...{ type: 'snapshotChunk', from: 'a'.repeat(16), to: 'b'.repeat(16) },
    ...{ transfer: 'c'.repeat(16), after: '', term: 1, header: null, isLast: true },
    records: [['key', new TextEncoder().encode('the value')]],
  };
  const bytes = encodeMessages([chunk]);
  const at = Buffer.from(bytes).indexOf('the value');
  const changed = bytes.with(at, (bytes[at] as number) ^ 1);
  expect(() => decodeMessages(changed)).toThrow(/changed on its way/);
});
