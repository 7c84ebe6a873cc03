/**
 * Reads the write-ahead log back. Segments are read in order and everything is checked before
 * anything is changed. The first byte that does not belong is
 *
 *   damage       when a slot, a later group or a later segment proves that it had been durable;
 *   a torn tail  otherwise: it belongs to the one append that was out, which nobody was told of.
 *
 * A torn tail is overwritten with zeros, and what stands before it is synced, since a process that was
 * killed may have left it to the operating system; only then is anything of it used.
 */
import { ByteReader } from '../../base/bytes.ts';
import { RollcallError } from '../../base/errors.ts';
import { equalHash } from '../../base/hash.ts';
import type { Configuration, Entry, EntryId, HardState, NodeId } from '../../format/types.ts';
import { damaged } from '../damage.ts';
import type { File, Files } from '../types.ts';
import { decodeGroupEntries, decodeGroupSummary, type GroupSummary } from './group.ts';
import { LogMap } from './log-map.ts';
import { findLaterGroup, scanGroups, zeroRange } from './scan.ts';
import {
  groupSalt,
  type Place,
  pageBytes,
  readSegmentHeader,
  type Segment,
  type SegmentHeader,
  segmentNumber,
  segmentPath,
  walDirectory,
} from './segment.ts';
import { readSlots } from './slot.ts';

/** Who the log belongs to, and the state that it continues. */
export interface LogBase {
  readonly memberId: NodeId;
  readonly clusterId: string;
  /** The last entry that the state has applied. */
  readonly applied: EntryId;
  /** In force at that entry. */
  readonly configuration: Configuration;
}

/** The segment that takes the next group. */
export interface ActiveSegment {
  readonly segment: Segment;
  readonly file: File;
  readonly end: Place;
  readonly slotCount: number;
}

export interface RecoveredLog {
  readonly hardState: HardState;
  /** What follows the applied entry. */
  readonly entries: readonly Entry[];
  readonly map: LogMap;
  readonly active: ActiveSegment;
}

export async function recoverLog(files: Files, base: LogBase): Promise<RecoveredLog> {
  const recovery = new Recovery(files, base);
  try {
    return await recovery.run();
  } catch (error) {
    await recovery.abandon();
    throw error;
  }
}

/** The numbers of the segments, which must be whole from 1 on; empty when there are none. */
export async function listSegments(files: Files): Promise<readonly number[]> {
  const numbers = (await files.list(walDirectory))
    .map(segmentNumber)
    .filter((name) => name !== null);
  for (const [at, number] of numbers.entries()) {
    if (number === at + 1) continue;
    throw damaged(segmentPath(at + 1), 0, 'the segment is missing, while later ones exist');
  }
  return numbers;
}

class Recovery {
  readonly #files: Files;
  readonly #base: LogBase;
  readonly #map: LogMap;
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  readonly #entries: Entry[] = [];
  #active: ActiveSegment | null = null;

  constructor(files: Files, base: LogBase) {
    this.#files = files;
    this.#base = base;
    this.#map = new LogMap(base.applied.index, base.configuration);
  }

  async run(): Promise<RecoveredLog> {
    const numbers = await listSegments(this.#files);
    for (const number of numbers) await this.#readSegment(number, number === numbers.length);
    const active = this.#active;
    if (active === null) throw damaged(segmentPath(1), 0, 'the log has no first segment');
    this.#checkApplied();
    await zeroRange(active.file, active.end.position, await active.file.size());
    return { hardState: this.#hardState, entries: this.#entries, map: this.#map, active };
  }

  async abandon(): Promise<void> {
    await this.#active?.file.close();
  }

  async #readSegment(number: number, isLast: boolean): Promise<void> {
    const path = segmentPath(number);
    const file = await this.#files.open(path, { create: false });
    if (file === null) throw damaged(path, 0, 'the segment is missing');
    const before = this.#active;
    try {
      if ((await file.size()) < 3 * pageBytes) throw damaged(path, 0, 'the segment is cut short');
      const found = await readSegmentHeader(file, number);
      if (found === null) {
        await this.#expectUnused(file, number, isLast);
        await file.close();
        return;
      }
      this.#checkHeader(found.header);
      this.#active = await this.#readGroups(file, found.segment, isLast);
    } catch (error) {
      await file.close();
      throw error;
    }
    await before?.file.close();
  }

  async #readGroups(file: File, segment: Segment, isLast: boolean): Promise<ActiveSegment> {
    const path = segmentPath(segment.number);
    const slot = await readSlots(file, segment.number);
    const size = await file.size();
    const end = await scanGroups(file, segment.salt, segment.begin, size, (body, position) => {
      this.#readGroup(body, segment, position);
    });
    if (slot !== null && slot.place.position > end.position) {
      throw damaged(path, end.position, `the log was durable up to byte ${slot.place.position}`);
    }
    // The next segment's header checks the end of any other one.
    if (isLast) await this.#expectTornTail(file, segment, end);
    return { segment, file, end, slotCount: slot?.count ?? 0 };
  }

  async #expectTornTail(file: File, segment: Segment, end: Place): Promise<void> {
    const later = await findLaterGroup(file, segment.salt, end.position, end.sequence);
    if (later === null) return;
    const path = segmentPath(segment.number);
    throw damaged(path, end.position, `a later group stands at byte ${later}`);
  }

  #checkHeader(header: SegmentHeader): void {
    const path = segmentPath(header.number);
    const { memberId, clusterId } = this.#base;
    if (header.memberId !== memberId || header.clusterId !== clusterId) {
      const owner = `member ${header.memberId} of cluster ${header.clusterId}`;
      throw damaged(path, 2 * pageBytes, `it belongs to ${owner}`);
    }
    const end = this.#active?.end;
    if (end === undefined) return;
    const previous = segmentPath(header.number - 1);
    if (header.sequence !== end.sequence || !equalHash(header.chain, end.chain)) {
      throw damaged(
        previous,
        end.position,
        `segment ${header.number} continues from another place`,
      );
    }
    const last = this.#map.last;
    if (header.last.index !== last.index || header.last.term !== last.term) {
      throw damaged(path, 2 * pageBytes, 'it continues another log');
    }
  }

  /** A segment without a header is one that was made ready, or was to be begun by a torn append. */
  async #expectUnused(file: File, number: number, isLast: boolean): Promise<void> {
    const path = segmentPath(number);
    const end = this.#active?.end;
    if (!isLast || end === undefined || (await readSlots(file, number)) !== null) {
      throw damaged(path, 2 * pageBytes, 'the header is unreadable');
    }
    const salt = groupSalt(number, end.chain);
    const later = await findLaterGroup(file, salt, 2 * pageBytes, end.sequence);
    if (later !== null) {
      throw damaged(
        path,
        2 * pageBytes,
        `the header is unreadable before a group at byte ${later}`,
      );
    }
    const active = this.#active;
    if (active !== null) await this.#expectTornTail(active.file, active.segment, end);
  }

  #readGroup(body: Uint8Array, segment: Segment, position: number): void {
    const reader = new ByteReader(body);
    try {
      const summary = decodeGroupSummary(reader);
      if (summary.hardState !== null) this.#hardState = summary.hardState;
      if (summary.count === 0) return;
      if (summary.first > this.#map.last.index + 1) {
        throw new RollcallError('malformedFrame', `Entry ${summary.first} leaves a gap`);
      }
      this.#map.append(segment, summary.first, summary.count, summary.terms);
      this.#keepEntries(reader, summary);
    } catch (error) {
      if (error instanceof RollcallError && error.code === 'malformedFrame') {
        throw damaged(segmentPath(segment.number), position, 'a group is malformed', error);
      }
      throw error;
    }
  }

  #keepEntries(reader: ByteReader, summary: GroupSummary): void {
    const applied = this.#base.applied.index;
    if (summary.first <= this.#lastKept()) {
      this.#entries.length = Math.max(0, summary.first - applied - 1);
    }
    if (summary.first + summary.count - 1 <= applied) return;
    for (const entry of decodeGroupEntries(reader, summary.count)) {
      if (entry.index <= applied) continue;
      this.#entries.push(entry);
      if (entry.type === 'configuration') this.#map.configure(entry.index, entry.configuration);
    }
  }

  #lastKept(): number {
    return this.#base.applied.index + this.#entries.length;
  }

  #checkApplied(): void {
    const { applied } = this.#base;
    const { last } = this.#map;
    const name = `the state has applied entry ${applied.index} of term ${applied.term}`;
    const path = segmentPath(this.#active?.segment.number ?? 1);
    const position = this.#active?.end.position ?? 0;
    if (applied.index > last.index) {
      throw damaged(path, position, `the log ends at entry ${last.index}, but ${name}`);
    }
    const term = this.#map.termAt(applied.index);
    if (term !== applied.term) {
      throw damaged(path, position, `the log has term ${term} where ${name}`);
    }
  }
}
