/** Canonical bytes of the header that stands in Level beside the state it describes. */
import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { Hash64 } from '../base/hash.ts';
import { decodeConfiguration, encodeConfiguration, expectVersion } from './configuration.ts';
import { decodeEntryId, encodeEntryId } from './entry.ts';
import type { Configuration, EntryId } from './types.ts';

/** Of all states but those of which the second one tells more. */
const plainVersion = 1;
/** Of a state that was compacted, or remembers when its revisions were made. */
const compactedVersion = 2;

/** At this log time, `revision` was the newest. */
export interface TimeMark {
  readonly revision: number;
  readonly logTimeMs: number;
}

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
  /** One per key space: up to where what is compacted is removed as well. */
  readonly removedRevisions: readonly number[];
  /** In the order of revisions and times. */
  readonly timeMarks: readonly TimeMark[];
  readonly digest: Hash64;
}

export function encodeCheckpointHeader(writer: ByteWriter, header: CheckpointHeader): void {
  const { removedRevisions, timeMarks } = header;
  const isPlain = timeMarks.length === 0 && removedRevisions.every((revision) => revision === 0);
  writer.u8(isPlain ? plainVersion : compactedVersion);
  encodeEntryId(writer, header.applied);
  encodeConfiguration(writer, header.configuration);
  writer.id(header.clusterId).id(header.incarnation);
  writer.varint(header.featureLevel).varint(header.revision);
  writer.varint(header.logTimeMs).varint(header.wallTimeMs);
  writer.varint(header.compactRevisions.length);
  for (const revision of header.compactRevisions) writer.varint(revision);
  if (!isPlain) {
    for (const revision of removedRevisions) writer.varint(revision);
    writer.varint(timeMarks.length);
    for (const { revision, logTimeMs } of timeMarks) writer.varint(revision).varint(logTimeMs);
  }
  writer.u32(header.digest.high).u32(header.digest.low);
}

export function decodeCheckpointHeader(reader: ByteReader): CheckpointHeader {
  const version = reader.u8();
  const isPlain = version === plainVersion;
  if (!isPlain) expectVersion(version, compactedVersion, 'checkpoint header');
  const base = {
    applied: decodeEntryId(reader),
    configuration: decodeConfiguration(reader),
    clusterId: reader.id(),
    incarnation: reader.id(),
    featureLevel: reader.varint(),
    revision: reader.varint(),
    logTimeMs: reader.varint(),
    wallTimeMs: reader.varint(),
  };
  const compactRevisions = decodeRevisions(reader);
  const removedRevisions = compactRevisions.map(() => (isPlain ? 0 : reader.varint()));
  const timeMarks = isPlain ? [] : decodeTimeMarks(reader);
  const digest = { high: reader.u32(), low: reader.u32() };
  return { ...base, compactRevisions, removedRevisions, timeMarks, digest };
}

function decodeTimeMarks(reader: ByteReader): TimeMark[] {
  const marks: TimeMark[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    marks.push({ revision: reader.varint(), logTimeMs: reader.varint() });
  }
  return marks;
}

function decodeRevisions(reader: ByteReader): number[] {
  const revisions: number[] = [];
  for (let left = reader.varint(); left > 0; left--) revisions.push(reader.varint());
  return revisions;
}
