/** Canonical bytes of the parts of a backup file; how they stand in the file says storage/backup-file. */
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { Hash64 } from '../base/hash.ts';
import {
  type CheckpointHeader,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
} from './checkpoint.ts';
import { expectVersion } from './configuration.ts';

const version = 1;

export interface BackupHeader {
  /** By the clock of the node that it was saved from. */
  readonly savedAtMs: number;
  /** The name of that node. */
  readonly savedFrom: string;
  /** Describes the saved state. */
  readonly state: CheckpointHeader;
}

type BackupRecord = readonly [key: string, bytes: Uint8Array];

export interface BackupEnd {
  readonly recordCount: number;
  /** Of the keys and the bytes of all records. */
  readonly recordBytes: number;
  /** The state's digest once more. */
  readonly digest: Hash64;
}

export function encodeBackupHeader(writer: ByteWriter, header: BackupHeader): void {
  writer.u8(version).varint(header.savedAtMs).text(header.savedFrom);
  encodeCheckpointHeader(writer, header.state);
}

export function decodeBackupHeader(reader: ByteReader): BackupHeader {
  expectVersion(reader.u8(), version, 'backup header');
  return {
    savedAtMs: reader.varint(),
    savedFrom: reader.text(),
    state: decodeCheckpointHeader(reader),
  };
}

export function encodeBackupRecords(writer: ByteWriter, records: readonly BackupRecord[]): void {
  writer.varint(records.length);
  for (const [key, bytes] of records) writer.binary(key).blob(bytes);
}

/** The records' bytes are views into the reader's input. */
export function decodeBackupRecords(reader: ByteReader): readonly BackupRecord[] {
  const records: BackupRecord[] = [];
  for (let left = reader.varint(); left > 0; left--) records.push([reader.binary(), reader.blob()]);
  return records;
}

export function encodeBackupEnd(writer: ByteWriter, end: BackupEnd): void {
  writer.varint(end.recordCount).varint(end.recordBytes);
  writer.u32(end.digest.high).u32(end.digest.low);
}

export function decodeBackupEnd(reader: ByteReader): BackupEnd {
  return {
    recordCount: reader.varint(),
    recordBytes: reader.varint(),
    digest: { high: reader.u32(), low: reader.u32() },
  };
}
