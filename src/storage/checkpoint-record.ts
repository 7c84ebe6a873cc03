/**
 * What stands in Level beside the records of a state, behind them all: the header that describes it,
 * and a mark of how far the log had got. The mark catches a log that is older than the state.
 */
import type { ByteReader } from '../base/bytes.ts';
import {
  type CheckpointHeader,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
} from '../format/checkpoint.ts';
import { damaged } from './damage.ts';
import { seal, unseal } from './sealed.ts';
import type { LevelChange, LevelReading } from './types.ts';

/** Keys of records are below it. */
export const recordsEnd = '\xff';
const headerKey = '\xffcheckpoint';
const markKey = '\xfflog';

export interface StoredCheckpoint {
  readonly header: CheckpointHeader;
  /** All groups of the log before this sequence were durable when the header was written. */
  readonly sequence: number;
}

export function checkpointChanges({ header, sequence }: StoredCheckpoint): readonly LevelChange[] {
  return [
    [headerKey, seal((writer) => encodeCheckpointHeader(writer, header))],
    [markKey, seal((writer) => writer.varint(sequence))],
  ];
}

/** Null for an empty Level. Throws `dataDamaged` for records without a header, or a bad one. */
export async function readCheckpoint(
  path: string,
  level: LevelReading,
): Promise<StoredCheckpoint | null> {
  const isEmpty =
    level.get(headerKey) === null && level.get(markKey) === null && (await holdsNothing(level));
  if (isEmpty) return null;
  const sequence = read(path, level, markKey, (reader) => reader.varint());
  return { header: readHeader(path, level), sequence };
}

/** Of a Level that is not empty. */
export function readHeader(path: string, level: LevelReading): CheckpointHeader {
  return read(path, level, headerKey, decodeCheckpointHeader);
}

function read<T>(
  path: string,
  level: LevelReading,
  key: string,
  decode: (reader: ByteReader) => T,
): T {
  const bytes = level.get(key);
  if (bytes !== null) return unseal('state', path, bytes, decode);
  throw damaged('state', path, 0, 'there are records, but not the header that describes them');
}

async function holdsNothing(level: LevelReading): Promise<boolean> {
  for await (const page of level.pages('', recordsEnd)) if (page.length > 0) return false;
  return true;
}
