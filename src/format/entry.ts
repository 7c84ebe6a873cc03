/** Canonical bytes of a log entry: the same in the write-ahead log and on the way to a follower. */
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import { RollcallError } from '../base/errors.ts';
import { decodeConfiguration, encodeConfiguration, expectVersion } from './configuration.ts';
import type { Entry, EntryId } from './types.ts';

const version = 1;

// The numbers are on disk: they never change their meaning.
const noop = 0;
const command = 1;
const configuration = 2;

export function encodeEntry(writer: ByteWriter, entry: Entry): void {
  writer.u8(version);
  encodeEntryId(writer, entry);
  switch (entry.type) {
    case 'noop':
      writer.u8(noop);
      return;
    case 'command':
      writer.u8(command).blob(entry.command);
      return;
    case 'configuration':
      writer.u8(configuration);
      encodeConfiguration(writer, entry.configuration);
      return;
  }
}

/** A command's bytes are a view into the reader's input, not a copy. */
export function decodeEntry(reader: ByteReader): Entry {
  expectVersion(reader.u8(), version, 'log entry');
  const { term, index } = decodeEntryId(reader);
  const kind = reader.u8();
  switch (kind) {
    case noop:
      return { type: 'noop', term, index };
    case command:
      return { type: 'command', term, index, command: reader.blob() };
    case configuration:
      return { type: 'configuration', term, index, configuration: decodeConfiguration(reader) };
    default:
      throw new RollcallError('formatTooNew', `Entry ${index} has the unknown kind ${kind}`);
  }
}

export function encodeEntryId(writer: ByteWriter, id: EntryId): void {
  writer.varint(id.term).varint(id.index);
}

export function decodeEntryId(reader: ByteReader): EntryId {
  const term = reader.varint();
  return { term, index: reader.varint() };
}

/** About how many bytes the entry takes, for bounds on frames and batches. */
export function entryBytes(entry: Entry): number {
  return entry.type === 'command' ? entry.command.length + 16 : 512;
}
