/** Small records that are written whole: their bytes and a CRC-32 of them. */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { type DamagedPart, damaged } from './damage.ts';

export function seal(encode: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  encode(writer);
  const bytes = writer.finish();
  return writer.raw(bytes).u32(crc32(bytes)).finish();
}

/** Throws `dataDamaged`, naming `path`, unless the bytes are what `seal` made. */
export function unseal<T>(
  part: DamagedPart,
  path: string,
  bytes: Uint8Array,
  decode: (reader: ByteReader) => T,
): T {
  const length = bytes.length - 4;
  if (length < 0) throw damaged(part, path, 0, 'it is cut short');
  const body = bytes.subarray(0, length);
  if (new ByteReader(bytes, length).u32() !== crc32(body)) {
    throw damaged(part, path, 0, 'it fails its checksum');
  }
  try {
    const reader = new ByteReader(body);
    const value = decode(reader);
    reader.end();
    return value;
  } catch (error) {
    if (!(error instanceof RollcallError) || error.code !== 'malformedFrame') throw error;
    throw damaged(part, path, 0, 'it is malformed', error);
  }
}
