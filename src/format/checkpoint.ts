/** Canonical bytes of the header that stands in Level beside the state it describes. */
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { Hash64 } from '../base/hash.ts';
import { decodeConfiguration, encodeConfiguration, expectVersion } from './configuration.ts';
import { decodeEntryId, encodeEntryId } from './entry.ts';
import type { Configuration, EntryId } from './types.ts';

const version = 1;

/** Written with every generation, in the same atomic batch: Level is always exactly the state at one index. */
export interface CheckpointHeader {
  readonly applied: EntryId;
  readonly configuration: Configuration;
  readonly clusterId: string;
  readonly incarnation: string;
  readonly featureLevel: number;
  readonly revision: number;
  readonly logTimeMs: number;
  readonly wallTimeMs: number;
  /** One per key space, in the order of their ids. */
  readonly compactRevisions: readonly number[];
  readonly digest: Hash64;
}

export function encodeCheckpointHeader(writer: ByteWriter, header: CheckpointHeader): void {
  writer.u8(version);
  encodeEntryId(writer, header.applied);
  encodeConfiguration(writer, header.configuration);
  writer.id(header.clusterId).id(header.incarnation);
  writer.varint(header.featureLevel).varint(header.revision);
  writer.varint(header.logTimeMs).varint(header.wallTimeMs);
  writer.varint(header.compactRevisions.length);
  for (const revision of header.compactRevisions) writer.varint(revision);
  writer.u32(header.digest.high).u32(header.digest.low);
}

export function decodeCheckpointHeader(reader: ByteReader): CheckpointHeader {
  expectVersion(reader.u8(), version, 'checkpoint header');
  return {
    applied: decodeEntryId(reader),
    configuration: decodeConfiguration(reader),
    clusterId: reader.id(),
    incarnation: reader.id(),
    featureLevel: reader.varint(),
    revision: reader.varint(),
    logTimeMs: reader.varint(),
    wallTimeMs: reader.varint(),
    compactRevisions: decodeRevisions(reader),
    digest: { high: reader.u32(), low: reader.u32() },
  };
}

function decodeRevisions(reader: ByteReader): number[] {
  const revisions: number[] = [];
  for (let left = reader.varint(); left > 0; left--) revisions.push(reader.varint());
  return revisions;
}
