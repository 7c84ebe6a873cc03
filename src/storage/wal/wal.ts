/** The write-ahead log of one member: opened whole or not at all, appended to, read back. */
import type { Clock } from '../../base/clock.ts';
import type { Append, Entry, EntryId, HardState, Index } from '../../format/types.ts';
import { damaged } from '../damage.ts';
import type { Files } from '../types.ts';
import { prepareSegment } from './prepare.ts';
import { WalReader } from './reader.ts';
import { type LogBase, listSegments, recoverLog } from './recovery.ts';
import { scanGroups } from './scan.ts';
import {
  encodeSegmentHeader,
  pageBytes,
  readSegmentHeader,
  segmentPath,
  walDirectory,
} from './segment.ts';
import { WalWriter } from './writer.ts';

/** The first segment is small, so that a new member need not wait for a big one to be filled. */
const firstSegmentBytes = 4 * 1024 * 1024;

export interface WalOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly base: LogBase;
  readonly segmentBytes: number;
  /** Called when a write in the background fails. */
  readonly onFailure: (error: unknown) => void;
}

/** Makes the first segment durable. Wipes one that was left unfinished, but never one with a group. */
export async function beginWal(options: WalOptions): Promise<void> {
  const { files, base } = options;
  await files.makeDirectory(walDirectory);
  await files.syncDirectory('');
  await refuseBegun(files);
  const bytes = Math.min(options.segmentBytes, firstSegmentBytes);
  const file = await prepareSegment(files, 1, bytes);
  const header = encodeSegmentHeader({
    number: 1,
    memberId: base.memberId,
    clusterId: base.clusterId,
    sequence: 1,
    chain: { high: 0, low: 0 },
    hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
    last: { term: 0, index: 0 },
    configuration: base.configuration,
  });
  await file.writeDurably(header.position, header.bytes);
  await file.close();
}

/** The log, and what it held beyond the applied entry. */
export interface OpenedWal {
  readonly wal: Wal;
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
}

export async function openWal(options: WalOptions): Promise<OpenedWal> {
  const { hardState, entries, map, active } = await recoverLog(options.files, options.base);
  const writer = new WalWriter({ ...options, map, hardState, active }, await active.file.size());
  const wal = new Wal(writer, new WalReader(options.files, map, () => writer.end));
  return { wal, hardState, entries };
}

export class Wal {
  readonly #writer: WalWriter;
  readonly #reader: WalReader;

  constructor(writer: WalWriter, reader: WalReader) {
    this.#writer = writer;
    this.#reader = reader;
  }

  append(append: Append): Promise<void> {
    return this.#writer.append(append);
  }

  readLog(
    from: Index,
    bytesMax: number,
  ): Promise<{ readonly prev: EntryId; readonly entries: readonly Entry[] }> {
    return this.#reader.read(from, bytesMax);
  }

  async close(failed: boolean): Promise<void> {
    await this.#reader.close();
    await this.#writer.close(failed);
  }
}

/** The identity says that nothing was appended yet; a log that says otherwise is not this member's. */
async function refuseBegun(files: Files): Promise<void> {
  const numbers = await listSegments(files);
  if (numbers.length === 0) return;
  const path = segmentPath(1);
  const file = await files.open(path, { create: false });
  if (file === null) return;
  try {
    const found = await readSegmentHeader(file, 1);
    if (found === null && numbers.length === 1) return;
    const begin = found?.segment.begin;
    const end =
      begin && (await scanGroups(file, found.segment.salt, begin, await file.size(), () => {}));
    if (numbers.length === 1 && end?.position === begin?.position) return;
    throw damaged(path, 2 * pageBytes, 'the log has begun, but the identity does not know of it');
  } finally {
    await file.close();
  }
}
