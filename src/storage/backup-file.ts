/**
 * The file that a backup is, written and read piece by piece, so that neither takes more memory than
 * a frame:
 *
 *   file    "rollcall", version, frames: one header, any number of records, one end
 *   frame   kind (1), length (4), payload, check (4)
 *   kinds   1 header    when and where it was saved, and the header of the state
 *           2 records   records of the state, in the order of their keys over all frames
 *           3 end       how many records there were, and the state's digest
 *
 * A check is the CRC-32 of everything in the file before it but the checks, so that besides changed
 * bytes it finds frames that are missing, moved or of another file. Numbers are little-endian; payloads
 * are those of format/backup.
 */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { equalHash } from '../base/hash.ts';
import {
  type BackupEnd,
  type BackupHeader,
  decodeBackupEnd,
  decodeBackupHeader,
  decodeBackupRecords,
  encodeBackupEnd,
  encodeBackupHeader,
  encodeBackupRecords,
} from '../format/backup.ts';
import { expectVersion } from '../format/configuration.ts';
import type { StoredRecord } from './types.ts';

export type { BackupEnd, BackupHeader } from '../format/backup.ts';

const magic = 'rollcall';
const version = 1;
const kinds = { header: 1, records: 2, end: 3 } as const;
const headLength = 5;
const checkLength = 4;
const prefixLength = magic.length + 1;
/** More than any frame has: what says otherwise is damaged. */
const payloadBytesMax = 16 * 1024 * 1024;

/** Makes the bytes of a file, which follow each other in the order of the calls: header, records, end. */
export class BackupWriter {
  readonly #header: BackupHeader;
  readonly #writer = new ByteWriter(256 * 1024);
  #check = 0;
  #recordCount = 0;
  #recordBytes = 0;

  constructor(header: BackupHeader) {
    this.#header = header;
  }

  header(): Uint8Array {
    const prefix = new ByteWriter().rawBinary(magic).u8(version).finish();
    this.#check = crc32(prefix, this.#check);
    return Buffer.concat([
      prefix,
      this.#frame(kinds.header, (writer) => encodeBackupHeader(writer, this.#header)),
    ]);
  }

  records(records: readonly StoredRecord[]): Uint8Array {
    this.#recordCount += records.length;
    for (const [key, bytes] of records) this.#recordBytes += key.length + bytes.length;
    return this.#frame(kinds.records, (writer) => encodeBackupRecords(writer, records));
  }

  end(): Uint8Array {
    const { digest } = this.#header.state;
    const end = { recordCount: this.#recordCount, recordBytes: this.#recordBytes, digest };
    return this.#frame(kinds.end, (writer) => encodeBackupEnd(writer, end));
  }

  #frame(kind: number, encode: (writer: ByteWriter) => void): Uint8Array {
    encode(this.#writer);
    const payload = this.#writer.finish();
    const frame = this.#writer.u8(kind).u32(payload.length).raw(payload).finishView();
    this.#check = crc32(frame, this.#check);
    return this.#writer.raw(frame).u32(this.#check).finish();
  }
}

export type BackupPart =
  | { readonly type: 'header'; readonly header: BackupHeader }
  | {
      readonly type: 'records';
      readonly records: readonly StoredRecord[];
      readonly position: number;
    }
  | { readonly type: 'end'; readonly end: BackupEnd };

/**
 * Takes the bytes of a file as they come and gives back the parts that are whole. Throws `dataDamaged`
 * with the place, or `formatTooNew`, at the first byte that cannot be what was written.
 */
export class BackupReader {
  readonly #name: string;
  #pending: Uint8Array = new Uint8Array(0);
  /** Where `#pending` begins in the file. */
  #position = 0;
  #check = 0;
  #header: BackupHeader | null = null;
  #recordCount = 0;
  #recordBytes = 0;
  #lastKey = '';
  #isOver = false;

  /** `name` is what errors call the file. */
  constructor(name: string) {
    this.#name = name;
  }

  *push(bytes: Uint8Array): Generator<BackupPart> {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    if (this.#position === 0 && !this.#takePrefix()) return;
    for (;;) {
      const frame = this.#takeFrame();
      if (frame === null) return;
      yield this.#part(frame);
    }
  }

  /** To be called after the last byte: throws unless the file is whole. */
  finish(): void {
    if (this.#isOver && this.#pending.length === 0) return;
    throw this.damaged('it is cut short', this.#position + this.#pending.length);
  }

  damaged(what: string, position: number, cause?: unknown): RollcallError {
    const message = `${this.#name} is damaged at byte ${position}: ${what}`;
    return new RollcallError('dataDamaged', message, { cause });
  }

  #takePrefix(): boolean {
    const prefix = this.#pending.subarray(0, prefixLength);
    const name = Buffer.from(prefix.subarray(0, magic.length)).toString('latin1');
    if (!magic.startsWith(name)) throw this.damaged('it is no backup of Rollcall', 0);
    if (prefix.length < prefixLength) return false;
    expectVersion(prefix[magic.length] as number, version, 'backup file');
    this.#check = crc32(prefix, this.#check);
    this.#advance(prefixLength);
    return true;
  }

  /** Null while it is not there as a whole. */
  #takeFrame(): Frame | null {
    if (this.#isOver && this.#pending.length > 0) {
      throw this.damaged('something follows its end', this.#position);
    }
    if (this.#pending.length < headLength) return null;
    const head = new ByteReader(this.#pending);
    const kind = head.u8();
    const length = head.u32();
    const position = this.#position;
    if (length > payloadBytesMax) throw this.damaged('the length of a frame is wrong', position);
    const end = headLength + length;
    if (this.#pending.length < end + checkLength) return null;
    this.#check = crc32(this.#pending.subarray(0, end), this.#check);
    if (new ByteReader(this.#pending, end).u32() !== this.#check) {
      throw this.damaged(`the checksum of ${end} bytes, or of what comes before, fails`, position);
    }
    const payload = this.#pending.subarray(headLength, end);
    this.#advance(end + checkLength);
    return { kind, payload, position };
  }

  #part({ kind, payload, position }: Frame): BackupPart {
    const reader = new ByteReader(payload);
    const part = this.#sound(position, () => {
      const decoded = this.#decode(kind, reader, position);
      reader.end();
      return decoded;
    });
    if ((part.type === 'header') !== (this.#header === null)) {
      throw this.damaged('its header is not its beginning', position);
    }
    switch (part.type) {
      case 'header':
        this.#header = part.header;
        break;
      case 'records':
        this.#count(part.records, position);
        break;
      case 'end':
        this.#checkEnd(part.end, position);
    }
    return part;
  }

  #decode(kind: number, reader: ByteReader, position: number): BackupPart {
    switch (kind) {
      case kinds.header:
        return { type: 'header', header: decodeBackupHeader(reader) };
      case kinds.records:
        return { type: 'records', records: decodeBackupRecords(reader), position };
      case kinds.end:
        return { type: 'end', end: decodeBackupEnd(reader) };
      default:
        throw this.damaged(`there is a frame of the unknown kind ${kind}`, position);
    }
  }

  #count(records: readonly StoredRecord[], position: number): void {
    for (const [key, bytes] of records) {
      if (key <= this.#lastKey) throw this.damaged('its records are not in order', position);
      this.#lastKey = key;
      this.#recordBytes += key.length + bytes.length;
    }
    this.#recordCount += records.length;
  }

  #checkEnd({ recordCount, recordBytes, digest }: BackupEnd, position: number): void {
    this.#isOver = true;
    const isSame =
      recordCount === this.#recordCount &&
      recordBytes === this.#recordBytes &&
      this.#header !== null &&
      equalHash(digest, this.#header.state.digest);
    if (!isSame) throw this.damaged('its end does not belong to what comes before', position);
  }

  #sound<T>(position: number, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      if (!(error instanceof RollcallError) || error.code !== 'malformedFrame') throw error;
      throw this.damaged(error.message, position, error);
    }
  }

  #advance(count: number): void {
    this.#pending = this.#pending.subarray(count);
    this.#position += count;
  }
}

interface Frame {
  readonly kind: number;
  readonly payload: Uint8Array;
  readonly position: number;
}
