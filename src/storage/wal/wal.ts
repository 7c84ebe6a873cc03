/** The write-ahead log of one member: opened whole or not at all, appended to, read back, released. */
import type { Clock } from '../../base/clock.ts';
import type { Append, EntryId, Index } from '../../format/types.ts';
import { damaged } from '../damage.ts';
import type { ReachFailpoint } from '../failpoints.ts';
import type { Space } from '../space.ts';
import type { Files, LogSlice } from '../types.ts';
import { type PrepareOptions, prepareSegment } from './prepare.ts';
import { WalReader } from './reader.ts';
import { type RecoveredLog, sealTail } from './recovery.ts';
import { scanGroups } from './scan.ts';
import {
  encodeSegmentHeader,
  readSegmentHeader,
  type SegmentHeader,
  segmentPath,
  walDirectory,
} from './segment.ts';
import { listSegments } from './segments.ts';
import { WalWriter } from './writer.ts';

/** The first segment is small, so that a new member need not wait for a big one to be filled. */
const firstSegmentBytes = 4 * 1024 * 1024;

export interface WalOptions {
  readonly files: Files;
  readonly clock: Clock;
  readonly memberId: string;
  readonly clusterId: string;
  readonly segmentBytes: number;
  readonly space: Space;
  readonly failpoint: ReachFailpoint;
  /** Called when a write in the background fails. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Makes a new member's first segment, with no group yet, durable when it resolves. Fails when the disk
 * is full. Wipes one that was left unfinished, but never one with a group: then the identity is older
 * than the log.
 */
export async function beginWal(
  options: PrepareOptions & { readonly segmentBytes: number },
  header: SegmentHeader,
): Promise<void> {
  const { files } = options;
  await files.makeDirectory(walDirectory);
  await files.syncDirectory('');
  await refuseBegun(files);
  const bytes = Math.min(options.segmentBytes, firstSegmentBytes);
  const { space: _, ...impatient } = options;
  const file = await prepareSegment(impatient, header.number, bytes);
  const encoded = encodeSegmentHeader(header);
  await file.writeDurably(encoded.position, encoded.bytes);
  await file.close();
}

/** Goes on with the recovered log. */
export async function openWal(options: WalOptions, recovered: RecoveredLog): Promise<Wal> {
  const { hardState, map, active } = recovered;
  await sealTail(active);
  const writer = new WalWriter({ ...options, map, hardState, active }, await active.file.size());
  return new Wal(options, recovered, writer);
}

export class Wal {
  readonly #options: WalOptions;
  readonly #map: RecoveredLog['map'];
  readonly #writer: WalWriter;
  readonly #reader: WalReader;
  /** Left over from an earlier life. */
  #dead: readonly number[];
  /** Removals wait for each other, so that what is left has no gap. */
  #removals: Promise<void> = Promise.resolve();

  constructor(options: WalOptions, { map, dead }: RecoveredLog, writer: WalWriter) {
    this.#options = options;
    this.#map = map;
    this.#dead = dead;
    this.#writer = writer;
    this.#reader = new WalReader(options.files, map, () => writer.end);
  }

  /** The entry before the first one that can be read. */
  get base(): EntryId {
    return this.#map.base;
  }

  get bytes(): number {
    return this.#map.bytes;
  }

  /** The number that the next group gets: all before it are durable. */
  get sequence(): number {
    return this.#writer.end.place.sequence;
  }

  holds(id: EntryId): boolean {
    return this.#map.holds(id);
  }

  /** `state` is the number of the directory that becomes current with the append's snapshot. */
  append(append: Append, state: number | null): Promise<void> {
    return this.#writer.append(append, state);
  }

  readLog(from: Index, bytesMax: number): Promise<LogSlice> {
    return this.#reader.read(from, bytesMax);
  }

  /**
   * Removes whole segments up to `limit`, which is applied for good. A crash leaves segments without
   * a gap; those of them that the log cannot begin with are removed at the next start.
   */
  release(limit: Index): Promise<void> {
    const gone = [...this.#dead, ...this.#map.release(limit)];
    this.#dead = [];
    const removal = this.#removals.then(() => this.#remove(gone));
    this.#removals = removal.catch(() => undefined);
    return removal;
  }

  async close(failed: boolean): Promise<void> {
    await this.#removals;
    await this.#reader.close();
    await this.#writer.close(failed);
  }

  /** One after the other, each for good before the next: otherwise a power cut could leave a gap. */
  async #remove(segments: readonly number[]): Promise<void> {
    const { files, failpoint } = this.#options;
    for (const number of segments) {
      await failpoint('release.begin');
      await files.remove(segmentPath(number));
      await failpoint('release.removed');
      await files.syncDirectory(walDirectory);
      await failpoint('release.durable');
    }
  }
}

/** The identity says that nothing was appended yet; a log that says otherwise makes it an older copy. */
async function refuseBegun(files: Files): Promise<void> {
  const numbers = await listSegments(files);
  if (numbers.length === 0) return;
  const path = segmentPath(1);
  const file = await files.open(path, { create: false });
  if (file === null) throw damaged('identity', 'identity', 0, 'it does not know of the log');
  try {
    const found = await readSegmentHeader(file, 1);
    if (found === null && numbers.length === 1) return;
    const begin = found?.segment.begin;
    const end =
      begin && (await scanGroups(file, found.segment.salt, begin, await file.size(), () => {}));
    if (numbers.length === 1 && end?.position === begin?.position) return;
    throw damaged('identity', 'identity', 0, `it does not know that ${path} has begun`);
  } finally {
    await file.close();
  }
}
