/**
 * The records that make up the state, in key order:
 *
 *   L <lease id>                   lease   version, flags, ttl, deadline
 *   S <session id> …               sessions and their results: see session-codec
 *   k i <revision> <sub>           index   of the kv space: what was changed, without its value
 *   k v <revision> <sub>           value   of the kv space: version, bytes
 *   r i … , r v …                          the same of the registry space
 *
 * Revisions and subs are big-endian, so that records of a space come in the order of its changes. The
 * digest covers all but the values, which index records vouch for by their hashes.
 */
import { ByteReader, type ByteWriter, bytesFromBinary } from '../base/bytes.ts';
import { damagedState } from '../base/damage.ts';
import { RollcallError } from '../base/errors.ts';
import { zeroHash } from '../base/hash.ts';
import { expectVersion } from '../format/configuration.ts';
import type { LeaseState } from '../lease/lessor.ts';
import type { ChangeCause, Key, LeaseId, Revision } from '../mvcc/types.ts';
import type { Version } from '../mvcc/version-table.ts';
import { damagedStateUnless } from './damage.ts';
import {
  readSessionRecord,
  type SessionRecord,
  type SessionResultRecord,
  sessionKind,
} from './session-codec.ts';
import type { KeySpaceName } from './types.ts';

const indexVersion = 1;
const valueVersion = 1;
const leaseVersion = 1;

const leaseKind = 0x4c;
const indexKind = 0x69;
const valueKind = 0x76;
const versionKeyLength = 14;
const leaseKeyLength = 9;
/** More changes than one command or step of expiry can make. */
const subMax = 0xffff;

const tombstoneFlag = 1;
const leaseFlag = 2;
const causeShift = 2;
const causes: readonly ChangeCause[] = ['request', 'leaseExpired', 'leaseRevoked'];
const indexFlagsMax = 15;
const revokedFlag = 1;

/** In the order of their numbers; the code is what their record keys begin with. */
export const keySpaces = [
  { name: 'kv', code: 0x6b },
  { name: 'registry', code: 0x72 },
] as const satisfies readonly { readonly name: KeySpaceName; readonly code: number }[];

/** What is loaded at start, in this order: everything but the values. */
export const loadedRanges: readonly { readonly from: string; readonly to: string }[] = [
  { from: String.fromCharCode(leaseKind), to: String.fromCharCode(leaseKind + 1) },
  { from: String.fromCharCode(sessionKind), to: String.fromCharCode(sessionKind + 1) },
  ...keySpaces.map(({ code }) => ({
    from: String.fromCharCode(code, indexKind),
    to: String.fromCharCode(code, indexKind + 1),
  })),
];

export interface IndexRecord {
  readonly type: 'index';
  readonly space: KeySpaceName;
  readonly key: Key;
  readonly version: Version;
}
export interface LeaseRecord {
  readonly type: 'lease';
  readonly leaseId: LeaseId;
  readonly state: LeaseState;
}

export function indexKey(space: number, revision: Revision, sub: number): string {
  return versionKey(space, indexKind, revision, sub);
}

export function valueKey(space: number, revision: Revision, sub: number): string {
  return versionKey(space, valueKind, revision, sub);
}

export function leaseKey(leaseId: LeaseId): string {
  const high = Number.parseInt(leaseId.slice(0, 8), 16);
  const low = Number.parseInt(leaseId.slice(8), 16);
  return String.fromCharCode(
    leaseKind,
    high >>> 24,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    low >>> 24,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
  );
}

function versionKey(space: number, kind: number, revision: Revision, sub: number): string {
  const high = Math.floor(revision / 0x1_0000_0000);
  const low = revision >>> 0;
  return String.fromCharCode(
    space === 0 ? keySpaces[0].code : keySpaces[1].code,
    kind,
    (high >>> 24) & 0xff,
    (high >>> 16) & 0xff,
    (high >>> 8) & 0xff,
    high & 0xff,
    low >>> 24,
    (low >>> 16) & 0xff,
    (low >>> 8) & 0xff,
    low & 0xff,
    (sub >>> 24) & 0xff,
    (sub >>> 16) & 0xff,
    (sub >>> 8) & 0xff,
    sub & 0xff,
  );
}

export function writeIndexRecord(
  writer: ByteWriter,
  key: Key,
  version: Omit<Version, 'sub'>,
): void {
  const { leaseId, tombstone } = version;
  const flags = (tombstone ? tombstoneFlag : 0) | (leaseId === null ? 0 : leaseFlag);
  writer.u8(indexVersion).u8(flags | (causes.indexOf(version.cause) << causeShift));
  writer.binary(key);
  if (tombstone) return;
  writer.varint(version.createRevision).varint(version.version);
  if (leaseId !== null) writer.id(leaseId);
  writer.varint(version.valueLength).u32(version.valueHash.high).u32(version.valueHash.low);
}

export function writeLeaseRecord(writer: ByteWriter, state: LeaseState): void {
  writer.u8(leaseVersion).u8(state.revoked ? revokedFlag : 0);
  writer.varint(state.ttlMs).varint(state.deadlineMs);
}

export function writeValueRecord(writer: ByteWriter, value: Uint8Array): void {
  writer.u8(valueVersion).raw(value);
}

export function decodeValueRecord(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) throw damagedState('Damaged value record: empty');
  if (bytes[0] !== valueVersion) throw damagedState(`Damaged value record: version ${bytes[0]}`);
  return bytes.subarray(1);
}

export type StateRecord = IndexRecord | LeaseRecord | SessionRecord | SessionResultRecord;

/** Null for the record of a value. */
export function decodeRecord(key: string, bytes: Uint8Array): StateRecord | null {
  return damagedStateUnless('record', () => {
    if (key.charCodeAt(0) === leaseKind) return readLeaseRecord(key, bytes);
    if (key.charCodeAt(0) === sessionKind) return readSessionRecord(key, bytes);
    const space = keySpaces.find(({ code }) => code === key.charCodeAt(0));
    const kind = key.charCodeAt(1);
    if (space === undefined || (kind !== indexKind && kind !== valueKind)) {
      throw new RollcallError('formatTooNew', 'There is a record of an unknown kind');
    }
    if (key.length !== versionKeyLength) throw malformed(`key of ${key.length} bytes`);
    return kind === valueKind ? null : readIndexRecord(space.name, key, bytes);
  });
}

/** What the key of a value's record says; null for any other key that `decodeRecord` takes. */
export function valuePlace(
  key: string,
): { readonly space: number; readonly revision: Revision; readonly sub: number } | null {
  if (key.length !== versionKeyLength || key.charCodeAt(1) !== valueKind) return null;
  const space = keySpaces.findIndex(({ code }) => code === key.charCodeAt(0));
  return { space, ...readPlace(key) };
}

function readLeaseRecord(key: string, bytes: Uint8Array): LeaseRecord {
  if (key.length !== leaseKeyLength) throw malformed(`lease key of ${key.length} bytes`);
  const leaseId = new ByteReader(bytesFromBinary(key), 1).id();
  const reader = new ByteReader(bytes);
  expectVersion(reader.u8(), leaseVersion, 'lease record');
  const flags = reader.u8();
  if (flags > revokedFlag) throw unknownFlags(flags);
  const state = {
    ttlMs: reader.varint(),
    deadlineMs: reader.varint(),
    revoked: flags === revokedFlag,
  };
  reader.end();
  return { type: 'lease', leaseId, state };
}

function readIndexRecord(space: KeySpaceName, recordKey: string, bytes: Uint8Array): IndexRecord {
  const { revision, sub } = readPlace(recordKey);
  if (!Number.isSafeInteger(revision) || revision === 0 || sub > subMax) {
    throw malformed(`revision ${revision}.${sub}`);
  }
  const reader = new ByteReader(bytes);
  expectVersion(reader.u8(), indexVersion, 'index record');
  const flags = reader.u8();
  const cause = causes[flags >>> causeShift];
  if (flags > indexFlagsMax || cause === undefined) throw unknownFlags(flags);
  const key = reader.binary();
  const tombstone = (flags & tombstoneFlag) !== 0;
  const version: Version = {
    revision,
    sub,
    createRevision: tombstone ? 0 : reader.varint(),
    version: tombstone ? 0 : reader.varint(),
    leaseId: flags & leaseFlag ? reader.id() : null,
    tombstone,
    cause,
    valueLength: tombstone ? 0 : reader.varint(),
    valueHash: tombstone ? zeroHash : { high: reader.u32(), low: reader.u32() },
  };
  reader.end();
  return { type: 'index', space, key, version };
}

function readPlace(key: string): { readonly revision: Revision; readonly sub: number } {
  return {
    revision: bigEndian(key, 2) * 0x1_0000_0000 + bigEndian(key, 6),
    sub: bigEndian(key, 10),
  };
}

function bigEndian(text: string, at: number): number {
  let value = 0;
  for (let offset = 0; offset < 4; offset++) value = value * 256 + text.charCodeAt(at + offset);
  return value;
}

function malformed(what: string): RollcallError {
  return new RollcallError('malformedFrame', `Not a record: ${what}`);
}

function unknownFlags(flags: number): RollcallError {
  return new RollcallError('formatTooNew', `The record has unknown flags ${flags}`);
}
