/** The canonical bytes of an Instance, as they are stored under its key. */
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import type { Instance } from './types.ts';

const version = 1;

export function writeInstance(writer: ByteWriter, instance: Instance): void {
  writer.u8(version).text(instance.id).text(instance.address);
  writer.varint(instance.tags.length);
  for (const tag of instance.tags) writer.text(tag);
  writer.varint(instance.metadata.length);
  for (const [name, value] of instance.metadata) writer.text(name).text(value);
}

export function readInstance(reader: ByteReader): Instance {
  const found = reader.u8();
  if (found !== version) {
    throw new RollcallError('formatTooNew', `Instance of format ${found}, known is ${version}`);
  }
  const id = reader.text();
  const address = reader.text();
  const tags: string[] = [];
  for (let left = reader.varint(); left > 0; left--) tags.push(reader.text());
  const metadata: [string, string][] = [];
  for (let left = reader.varint(); left > 0; left--) metadata.push([reader.text(), reader.text()]);
  return { id, address, tags, metadata };
}

export function encodeInstance(instance: Instance): Uint8Array {
  const writer = new ByteWriter();
  writeInstance(writer, instance);
  return writer.finish();
}

export function decodeInstance(bytes: Uint8Array): Instance {
  const reader = new ByteReader(bytes);
  const instance = readInstance(reader);
  reader.end();
  return instance;
}
