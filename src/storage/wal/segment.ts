/**
 * A segment is one file of the write-ahead log:
 *
 *     0       slot A      ┐ each alone in its page, written in turn: one of them is always whole
 *     4096    slot B      ┘
 *     8192    header      where the log stood when the segment began, in whole pages
 *     begin   group, group, group … zeros up to the end of the file
 *
 * Files are filled with zeros and synced before they are used, so that an append changes bytes in
 * place and the file system has nothing else to write. The header is written together with the first
 * group. The segment's number is part of every checksum: bytes of another segment never pass.
 *
 * The header says all that recovery needs of what came before: the log can begin with any segment, and
 * older ones be removed. It also names the current state directory. An installed state becomes current
 * by a segment of its own, whose header names the new directory: the commit point of the install is the
 * one write of that header with its first group, and without a whole first group it did not happen.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { RollcallError } from '../../base/errors.ts';
import type { Hash64 } from '../../base/hash.ts';
import { decodeConfiguration, encodeConfiguration } from '../../format/configuration.ts';
import { decodeEntryId, encodeEntryId } from '../../format/entry.ts';
import type { Configuration, EntryId, HardState, NodeId } from '../../format/types.ts';
import { damaged } from '../damage.ts';
import type { File } from '../types.ts';
import { decodeHardState, encodeHardState } from './group.ts';

export const walDirectory = 'wal';
export const pageBytes = 4096;
/** Where the header begins: behind the two slots. */
export const headerAt = 2 * pageBytes;

const version = 2;
const magic = 0x47535352;
const prefixBytes = 16;

/** Where the next group belongs. */
export interface Place {
  readonly position: number;
  /** Groups are counted from 1, through all segments. */
  readonly sequence: number;
  /** The hash that links a group to the one before it. */
  readonly chain: Hash64;
}

/** What a segment is known by while the log is open. */
export interface Segment {
  readonly number: number;
  /** The seed of the checksums of its groups. */
  readonly salt: number;
  readonly begin: Place;
}

export interface SegmentHeader {
  readonly number: number;
  readonly memberId: NodeId;
  readonly clusterId: string;
  /** Of the first group. */
  readonly sequence: number;
  readonly chain: Hash64;
  readonly hardState: HardState;
  /**
   * The last entry of the log when the segment began: its first entry follows, unless it cuts the log.
   * In an install that left nothing of the log before, the last entry of the installed state.
   */
  readonly last: EntryId;
  /** In force at the last entry. */
  readonly configuration: Configuration;
  /** The number of the state directory that the log continues. */
  readonly state: number;
  /** The segment begins with an install: with it that directory became the current one. */
  readonly isInstall: boolean;
}

export function segmentPath(number: number): string {
  return `${walDirectory}/${number.toString(16).padStart(16, '0')}.log`;
}

/** Null for names that are not segments. */
export function segmentNumber(name: string): number | null {
  const match = /^([0-9a-f]{16})\.log$/.exec(name);
  return match === null ? null : Number.parseInt(match[1] as string, 16);
}

/** The header's pages and where they belong; the first group follows them directly. */
export function encodeSegmentHeader(header: SegmentHeader): {
  readonly position: number;
  readonly bytes: Uint8Array;
} {
  const writer = new ByteWriter(pageBytes);
  writer.varint(header.number).id(header.memberId).id(header.clusterId);
  writer.varint(header.sequence).u32(header.chain.high).u32(header.chain.low);
  encodeHardState(writer, header.hardState);
  encodeEntryId(writer, header.last);
  encodeConfiguration(writer, header.configuration);
  writer.varint(header.state).boolean(header.isInstall);
  const body = writer.finish();
  const bytes = new Uint8Array(wholePages(prefixBytes + body.length + 4));
  const view = new DataView(bytes.buffer);
  const seed = numberSeed(header.number);
  view.setUint32(0, magic, true);
  view.setUint32(4, version, true);
  view.setUint32(8, body.length, true);
  view.setUint32(12, crc32(bytes.subarray(0, 12), seed), true);
  bytes.set(body, prefixBytes);
  view.setUint32(prefixBytes + body.length, crc32(body, seed), true);
  return { position: headerAt, bytes };
}

/** Null when there is no whole header. A version that this program does not know throws `formatTooNew`. */
export async function readSegmentHeader(
  file: File,
  number: number,
): Promise<{ readonly header: SegmentHeader; readonly segment: Segment } | null> {
  const seed = numberSeed(number);
  const prefix = await file.read(headerAt, prefixBytes);
  if (prefix.length < prefixBytes) return null;
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  if (view.getUint32(0, true) !== magic) return null;
  if (view.getUint32(12, true) !== crc32(prefix.subarray(0, 12), seed)) return null;
  if (view.getUint32(4, true) !== version) {
    throw new RollcallError(
      'formatTooNew',
      `${segmentPath(number)} has format version ${view.getUint32(4, true)}; this program knows ${version}`,
    );
  }
  const length = view.getUint32(8, true);
  const rest = await file.read(headerAt + prefixBytes, length + 4);
  if (rest.length < length + 4) return null;
  const body = rest.subarray(0, length);
  const stored = new DataView(rest.buffer, rest.byteOffset + length).getUint32(0, true);
  if (stored !== crc32(body, seed)) return null;
  const header = decodeHeader(new ByteReader(body), number);
  const position = headerAt + wholePages(prefixBytes + length + 4);
  return { header, segment: makeSegment(header, position) };
}

export function makeSegment(header: SegmentHeader, position: number): Segment {
  const { number, sequence, chain } = header;
  return { number, salt: groupSalt(number, chain), begin: { position, sequence, chain } };
}

/**
 * Groups are checked with what led up to their segment, so that no client can write a value that
 * looks like a group.
 */
export function groupSalt(number: number, chain: Hash64): number {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, chain.high, true);
  view.setUint32(4, chain.low, true);
  return crc32(bytes, numberSeed(number));
}

export function numberSeed(number: number): number {
  return crc32(new ByteWriter(8).varint(number).finish());
}

function decodeHeader(reader: ByteReader, number: number): SegmentHeader {
  const header: SegmentHeader = {
    number: reader.varint(),
    memberId: reader.id(),
    clusterId: reader.id(),
    sequence: reader.varint(),
    chain: { high: reader.u32(), low: reader.u32() },
    hardState: decodeHardState(reader),
    last: decodeEntryId(reader),
    configuration: decodeConfiguration(reader),
    state: reader.varint(),
    isInstall: reader.boolean(),
  };
  if (header.number !== number) {
    throw damaged(
      'log',
      segmentPath(number),
      headerAt,
      `it is segment ${header.number} under another name`,
    );
  }
  return header;
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / pageBytes) * pageBytes;
}
