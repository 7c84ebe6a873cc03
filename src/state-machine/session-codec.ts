/**
 * The records of sessions, in key order:
 *
 *   S <session id>               session: version, deadline, acknowledgedThrough, its results
 *   S <session id> <sequence>    a result that is too large to stand there: version, bytes
 *
 * A session's record is written once for each entry that has commands of it, so it has to stay small:
 * the result of a plain put takes some ten bytes in it.
 */
import { ByteReader, type ByteWriter, bytesFromBinary } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { limits } from '../base/limits.ts';
import { expectVersion } from '../format/configuration.ts';
import type { KeptResult, Session, SessionState } from '../lease/sessions.ts';
import type { SessionId } from './types.ts';

export const sessionKind = 0x53;
const sessionVersion = 1;
const resultVersion = 1;
const sessionKeyLength = 9;
const resultKeyLength = 17;
/** A larger result has a record of its own. */
const inlineBytesMax = 64;

export interface SessionRecord {
  readonly type: 'session';
  readonly sessionId: SessionId;
  readonly state: SessionState;
  /** Empty bytes: those are in a record of their own. */
  readonly results: readonly (KeptResult & { readonly sequence: number })[];
}

export interface SessionResultRecord {
  readonly type: 'sessionResult';
  readonly sessionId: SessionId;
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

export function isInline({ bytes }: KeptResult): boolean {
  return bytes.length <= inlineBytesMax;
}

export function sessionKey(sessionId: SessionId): string {
  const high = Number.parseInt(sessionId.slice(0, 8), 16);
  const low = Number.parseInt(sessionId.slice(8), 16);
  return String.fromCharCode(sessionKind) + bigEndian(high) + bigEndian(low);
}

export function sessionResultKey(sessionId: SessionId, sequence: number): string {
  const high = Math.floor(sequence / 0x1_0000_0000);
  return sessionKey(sessionId) + bigEndian(high) + bigEndian(sequence >>> 0);
}

function bigEndian(word: number): string {
  return String.fromCharCode(
    (word >>> 24) & 0xff,
    (word >>> 16) & 0xff,
    (word >>> 8) & 0xff,
    word & 0xff,
  );
}

export function writeSessionRecord(writer: ByteWriter, session: Session): void {
  const { deadlineMs, acknowledgedThrough, results } = session;
  writer.u8(sessionVersion).varint(deadlineMs).varint(acknowledgedThrough).varint(results.size);
  for (const [sequence, result] of results) {
    writer.varint(sequence - acknowledgedThrough).varint(result.revision);
    if (isInline(result)) writer.blob(result.bytes);
    else writer.varint(0);
  }
}

export function writeSessionResultRecord(writer: ByteWriter, { bytes }: KeptResult): void {
  writer.u8(resultVersion).raw(bytes);
}

/** Throws `malformedFrame` or `formatTooNew`. The key begins with `sessionKind`. */
export function readSessionRecord(
  key: string,
  bytes: Uint8Array,
): SessionRecord | SessionResultRecord {
  const place = new ByteReader(bytesFromBinary(key), 1);
  if (key.length === sessionKeyLength) return readSession(place.id(), bytes);
  if (key.length !== resultKeyLength) throw malformed(`key of ${key.length} bytes`);
  const sessionId = place.id();
  const sequence = Number.parseInt(place.id(), 16);
  expectVersion(new ByteReader(bytes).u8(), resultVersion, 'record of a result');
  if (bytes.length <= 1 + inlineBytesMax) throw malformed(`result of ${bytes.length} bytes`);
  // The records' bytes belong to whoever loads them.
  return { type: 'sessionResult', sessionId, sequence, bytes: bytes.slice(1) };
}

function readSession(sessionId: SessionId, bytes: Uint8Array): SessionRecord {
  const reader = new ByteReader(bytes);
  expectVersion(reader.u8(), sessionVersion, 'session record');
  const deadlineMs = reader.varint();
  const acknowledgedThrough = reader.varint();
  const results: (KeptResult & { readonly sequence: number })[] = [];
  const count = reader.varint();
  if (count > limits.sessionResultsMax) throw malformed(`${count} results`);
  for (let left = count; left > 0; left--) {
    const sequence = acknowledgedThrough + reader.varint();
    const revision = reader.varint();
    const inline = reader.blob();
    if (sequence === acknowledgedThrough) throw malformed(`result ${sequence} is acknowledged`);
    results.push({ sequence, revision, bytes: inline.slice() });
  }
  reader.end();
  const state = { deadlineMs, acknowledgedThrough };
  return { type: 'session', sessionId, state, results };
}

function malformed(what: string): RollcallError {
  return new RollcallError('malformedFrame', `Not a session record: ${what}`);
}
