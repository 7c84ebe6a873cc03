/**
 * The bytes in which a session keeps what became of a write. Canonical, as they are part of the state;
 * the numbers of kinds never change their meaning.
 */
import { assert, unreachable } from '../base/assert.ts';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { isErrorCode, RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import type { KeptResult } from '../lease/sessions.ts';
import type { KeyValue, OperationResult } from '../mvcc/types.ts';
import { damagedStateUnless } from './damage.ts';
import type { Command, CommandResult, Outcome } from './types.ts';

const kinds = {
  refusal: 1,
  put: 2,
  delete: 3,
  range: 4,
  txn: 5,
  leaseGrant: 6,
  leaseRevoke: 7,
  register: 8,
  deregister: 9,
  truncated: 10,
  compact: 11,
} as const;

/** Of a command that changes nothing but what it names. */
const smallBytesMax = 512;
const messageLengthMax = 256;
const pairOverheadBytes = 64;

const sharedWriter = new ByteWriter(limits.sessionResultBytesMax);
/** What nearly every write comes to. */
const plainPut = new ByteWriter(2).u8(kinds.put).boolean(false).finish();

/** What the result of the command takes at most. */
export function keptBytesMax(command: Command): number {
  switch (command.type) {
    case 'txn':
      return limits.sessionResultBytesMax;
    case 'put':
    case 'delete':
      return command.previous ? limits.sessionResultBytesMax : smallBytesMax;
    default:
      return smallBytesMax;
  }
}

/** Of a result that is too large only what it came to and the revision. */
export function keptResultOf(outcome: Outcome): KeptResult {
  return { revision: outcome.revision, bytes: encodeOutcome(outcome) };
}

/** The outcome as it was; `truncated` where it was too large to be kept. */
export function outcomeOf({ revision, bytes }: KeptResult): Outcome {
  return damagedStateUnless('result of a session', () => {
    const reader = new ByteReader(bytes);
    const outcome = readOutcome(reader, revision);
    reader.end();
    return outcome;
  });
}

function encodeOutcome(outcome: Outcome): Uint8Array {
  if (!outcome.ok) return encodeRefusal(outcome);
  const { result } = outcome;
  if (result.type === 'put' && result.previous === null) return plainPut;
  const writer = sharedWriter;
  if (sizeOf(result) > limits.sessionResultBytesMax) {
    const succeeded = result.type !== 'txn' || result.succeeded;
    return writer.u8(kinds.truncated).boolean(succeeded).finish();
  }
  writeResult(writer, result);
  return writer.finish();
}

/** At least as much as it takes. */
function sizeOf(result: CommandResult): number {
  switch (result.type) {
    case 'put':
      return pairOverheadBytes + (result.previous === null ? 0 : pairsSize([result.previous]));
    case 'delete':
      return pairOverheadBytes + pairsSize(result.previous);
    case 'range':
      return pairOverheadBytes + pairsSize(result.pairs);
    case 'txn':
      return result.results.reduce((sum, one) => sum + sizeOf(one), pairOverheadBytes);
    default:
      return pairOverheadBytes;
  }
}

function pairsSize(pairs: readonly KeyValue[]): number {
  let bytes = 0;
  for (const { key, value } of pairs) bytes += pairOverheadBytes + key.length + value.length;
  return bytes;
}

function writeResult(writer: ByteWriter, result: CommandResult): void {
  switch (result.type) {
    case 'put':
    case 'delete':
    case 'range':
    case 'txn':
      writeOperationResult(writer, result);
      return;
    case 'leaseGrant':
      writer.u8(kinds.leaseGrant).id(result.leaseId).varint(result.ttlMs);
      return;
    case 'register':
      writer.u8(kinds.register).boolean(result.created);
      return;
    case 'leaseRevoke':
    case 'deregister':
    case 'compact':
      writer.u8(kinds[result.type]);
      return;
    default:
      assert(false, () => `No session has results of ${result.type}`);
  }
}

function writeOperationResult(writer: ByteWriter, result: OperationResult): void {
  writer.u8(kinds[result.type]);
  switch (result.type) {
    case 'put':
      writer.boolean(result.previous !== null);
      if (result.previous !== null) writePair(writer, result.previous);
      return;
    case 'delete':
      writer.varint(result.deleted);
      writePairs(writer, result.previous);
      return;
    case 'range':
      writer.varint(result.count).boolean(result.more);
      writePairs(writer, result.pairs);
      return;
    case 'txn':
      writer.boolean(result.succeeded).varint(result.results.length);
      for (const one of result.results) writeOperationResult(writer, one);
      return;
    default:
      unreachable(result);
  }
}

function writePairs(writer: ByteWriter, pairs: readonly KeyValue[]): void {
  writer.varint(pairs.length);
  for (const pair of pairs) writePair(writer, pair);
}

function writePair(writer: ByteWriter, pair: KeyValue): void {
  writer.binary(pair.key).blob(pair.value);
  writer.varint(pair.createRevision).varint(pair.modRevision).varint(pair.version);
  writer.boolean(pair.leaseId !== null);
  if (pair.leaseId !== null) writer.id(pair.leaseId);
}

function encodeRefusal({ code, message, details = {} }: Outcome & { ok: false }): Uint8Array {
  const writer = sharedWriter;
  writer.u8(kinds.refusal).text(code).text(message.slice(0, messageLengthMax));
  const entries = Object.entries(details);
  writer.varint(entries.length);
  for (const [name, value] of entries) {
    writer
      .text(name)
      .boolean(typeof value === 'number')
      .text(String(value));
  }
  return writer.finish();
}

function readOutcome(reader: ByteReader, revision: number): Outcome {
  const kind = reader.u8();
  if (kind === kinds.refusal) return readRefusal(reader, revision);
  if (kind !== kinds.truncated) return { ok: true, revision, result: readResult(reader, kind) };
  const details = { revision, succeeded: reader.boolean() ? 1 : 0 };
  const message = `It was done at revision ${revision}, and its result was too large to be kept`;
  return { ok: false, revision, code: 'truncated', message, details };
}

function readRefusal(reader: ByteReader, revision: number): Outcome {
  const code = reader.text();
  if (!isErrorCode(code)) throw new RollcallError('formatTooNew', `Unknown error code ${code}`);
  const message = reader.text();
  const details: Record<string, string | number> = {};
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.text();
    const isNumber = reader.boolean();
    const value = reader.text();
    details[name] = isNumber ? Number(value) : value;
  }
  return { ok: false, revision, code, message, details };
}

function readResult(reader: ByteReader, kind: number): CommandResult {
  switch (kind) {
    case kinds.leaseGrant:
      return { type: 'leaseGrant', leaseId: reader.id(), ttlMs: reader.varint() };
    case kinds.register:
      return { type: 'register', created: reader.boolean() };
    case kinds.leaseRevoke:
      return { type: 'leaseRevoke' };
    case kinds.deregister:
      return { type: 'deregister' };
    case kinds.compact:
      return { type: 'compact' };
    default:
      return readOperationResult(reader, kind);
  }
}

function readOperationResult(reader: ByteReader, kind: number): OperationResult {
  switch (kind) {
    case kinds.put:
      return { type: 'put', previous: reader.boolean() ? readPair(reader) : null };
    case kinds.delete:
      return { type: 'delete', deleted: reader.varint(), previous: readPairs(reader) };
    case kinds.range: {
      const count = reader.varint();
      const more = reader.boolean();
      return { type: 'range', pairs: readPairs(reader), count, more };
    }
    case kinds.txn: {
      const succeeded = reader.boolean();
      const results: OperationResult[] = [];
      for (let left = reader.varint(); left > 0; left--) {
        results.push(readOperationResult(reader, reader.u8()));
      }
      return { type: 'txn', succeeded, results };
    }
    default:
      throw new RollcallError('formatTooNew', `The result has the unknown kind ${kind}`);
  }
}

function readPairs(reader: ByteReader): KeyValue[] {
  const pairs: KeyValue[] = [];
  for (let left = reader.varint(); left > 0; left--) pairs.push(readPair(reader));
  return pairs;
}

function readPair(reader: ByteReader): KeyValue {
  return {
    key: reader.binary(),
    value: reader.blob(),
    createRevision: reader.varint(),
    modRevision: reader.varint(),
    version: reader.varint(),
    leaseId: reader.boolean() ? reader.id() : null,
  };
}
