/** Backup files as they lie on a disk: reading them, and checking them without a cluster. */
import { open } from 'node:fs/promises';
import { RollcallError } from '../base/errors.ts';
import { formatHash } from '../base/hash.ts';
import { expectFeatureLevel, featureLevel } from '../format/feature-level.ts';
import { type CheckedState, StateCheck } from '../state-machine/state-check.ts';
import {
  type BackupEnd,
  type BackupHeader,
  type BackupPart,
  BackupReader,
} from '../storage/backup-file.ts';
import type { StoredRecord } from '../storage/types.ts';

const readBytes = 256 * 1024;

/** What a backup says of itself. */
export interface BackupDescription {
  readonly clusterId: string;
  readonly incarnation: string;
  readonly featureLevel: number;
  readonly revision: number;
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly digest: string;
  readonly savedAt: string;
  readonly savedFrom: string;
  /** Names. */
  readonly members: readonly string[];
}

export interface BackupReport extends BackupDescription, CheckedState {
  readonly records: number;
  /** Of the file. */
  readonly bytes: number;
}

export function describeBackup({ savedAtMs, savedFrom, state }: BackupHeader): BackupDescription {
  return {
    clusterId: state.clusterId,
    incarnation: state.incarnation,
    featureLevel: state.featureLevel,
    revision: state.revision,
    appliedIndex: state.applied.index,
    appliedTerm: state.applied.term,
    digest: formatHash(state.digest),
    savedAt: new Date(savedAtMs).toISOString(),
    savedFrom,
    members: [...new Set(state.configuration.members.map(({ name }) => name))],
  };
}

/** The end of a file that was read; `bytes` is its length. */
interface BackupOutcome extends CheckedState {
  readonly header: BackupHeader;
  readonly end: BackupEnd;
  readonly bytes: number;
}

/** What to do with the parts of a backup as they are read and before all of them are checked. */
interface BackupVisitor {
  readonly header?: (header: BackupHeader) => Promise<void>;
  readonly records?: (records: readonly StoredRecord[]) => Promise<void>;
  /** Bytes read since the last call. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Reads a backup to its end and checks all of it: checksums, every value against the index, the digest.
 * Throws `dataDamaged` with the place, `formatTooNew`, or `invalidArgument` when there is no such file or it is a directory.
 */
export async function readBackup(
  path: string,
  visitor: BackupVisitor = {},
): Promise<BackupOutcome> {
  const reader = new BackupReader(path);
  const check = new StateCheck();
  let header: BackupHeader | null = null;
  let end: BackupEnd | null = null;
  let bytes = 0;
  for await (const piece of pieces(path)) {
    bytes += piece.length;
    visitor.progress?.(piece.length);
    for (const part of reader.push(piece)) {
      if (part.type === 'header') {
        header = part.header;
        expectFeatureLevel(header.state.featureLevel, featureLevel, 'The backup');
        await visitor.header?.(header);
      } else if (part.type === 'records') {
        take(check, part, reader);
        await visitor.records?.(part.records);
      } else {
        end = part.end;
      }
    }
  }
  reader.finish();
  if (header === null || end === null) throw reader.damaged('it is cut short', bytes);
  const { state } = header;
  return { header, end, bytes, ...locate(reader, bytes, () => check.finish(state)) };
}

export async function verifyBackup(
  path: string,
  progress?: (bytes: number) => void,
): Promise<BackupReport> {
  const visitor = progress === undefined ? {} : { progress };
  const { header, end, bytes, keys, instances, leases } = await readBackup(path, visitor);
  const records = end.recordCount;
  return { ...describeBackup(header), keys, instances, leases, records, bytes };
}

function take(
  check: StateCheck,
  { records, position }: Extract<BackupPart, { type: 'records' }>,
  reader: BackupReader,
): void {
  locate(reader, position, () => {
    for (const [key, bytes] of records) check.take(key, bytes);
  });
}

/** Adds the place to what the state machine says about damage. */
function locate<T>(reader: BackupReader, position: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RollcallError) || error.code !== 'dataDamaged') throw error;
    throw reader.damaged(error.message, position, error);
  }
}

async function* pieces(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RollcallError('invalidArgument', `${path} cannot be read: ${reason}`, { cause });
  });
  try {
    if ((await file.stat()).isDirectory()) {
      throw new RollcallError('invalidArgument', `${path} cannot be read: it is a directory`);
    }
    for (;;) {
      const buffer = Buffer.allocUnsafe(readBytes);
      const { bytesRead } = await file.read(buffer, 0, readBytes, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
