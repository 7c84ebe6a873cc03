/**
 * Reads the write-ahead log back. Segments are read in order and everything is checked; nothing is
 * changed. The first byte that does not belong is
 *
 *   damage       when a slot, a later group or a later segment proves that it had been durable;
 *   a torn tail  otherwise: it belongs to the one append that was out, which nobody was told of.
 *
 * Before anything of the log is used, `sealTail` overwrites a torn tail with zeros, and writes the last
 * group again unless a slot names it: a process that was killed may have left it to the operating system,
 * or ended because its sync had failed. Then it can be read, and no later sync would make it durable,
 * since the system takes its pages for written (Rebello et al., ATC 2020).
 *
 * The work is one sequential read of all segments that are kept, whose chain of hashes is checked from
 * the first one's header on; entries are decoded only from where the state stands. So what bounds it
 * is how much log is kept for slow followers (`releaseLog`), not how much was ever written.
 */
import { ByteReader } from '../../base/bytes.ts';
import { RollcallError } from '../../base/errors.ts';
import { equalHash } from '../../base/hash.ts';
import type {
  Configuration,
  Entry,
  EntryId,
  HardState,
  NodeId,
  SnapshotMetadata,
} from '../../format/types.ts';
import { damaged } from '../damage.ts';
import type { File, Files } from '../types.ts';
import { decodeGroupEntries, decodeGroupSummary, type GroupSummary } from './group.ts';
import { LogMap } from './log-map.ts';
import { findLaterGroup, scanGroups, zeroRange } from './scan.ts';
import {
  groupSalt,
  headerAt,
  type Place,
  pageBytes,
  type Segment,
  type SegmentHeader,
  segmentPath,
} from './segment.ts';
import { listSegments, readBegunSegment } from './segments.ts';
import { readSlots } from './slot.ts';
import { LogTail } from './tail.ts';

/** Who the log belongs to, and the state that it continues. */
export interface LogBase {
  readonly memberId: NodeId;
  readonly clusterId: string;
  /** The last entry that the state has applied; null when there is no state. */
  readonly applied: EntryId | null;
  /** In force at that entry, or at the beginning. */
  readonly configuration: Configuration;
}

/** The log as far as it was read. */
interface ReadLog {
  readonly map: LogMap;
  readonly tail: LogTail;
}

/** The segment that takes the next group. */
export interface ActiveSegment {
  readonly segment: Segment;
  readonly file: File;
  readonly end: Place;
  /** Everything before this byte is proven to be durable, by a later group or a slot. */
  readonly provenTo: number;
  readonly slotCount: number;
  /** The number of the current state directory. */
  readonly state: number;
}

export interface RecoveredLog {
  readonly hardState: HardState;
  /** Where the core goes on: at the state or, without one, where the log is known to be committed. */
  readonly start: SnapshotMetadata;
  /** What follows the start. */
  readonly entries: readonly Entry[];
  readonly map: LogMap;
  readonly active: ActiveSegment;
  /** Segments before the first one of the log: an earlier release did not come to its end. */
  readonly dead: readonly number[];
}

/**
 * Throws `dataDamaged` when the log is. A state that is older than the beginning of the log counts as
 * none; the caller sees it by the map's base.
 */
export async function recoverLog(files: Files, base: LogBase): Promise<RecoveredLog> {
  const recovery = new Recovery(files, base);
  try {
    return await recovery.run();
  } catch (error) {
    await recovery.abandon();
    throw error;
  }
}

/** Makes the recovered log durable as it was read, and empty behind its end. */
export async function sealTail({ file, provenTo, end }: ActiveSegment): Promise<void> {
  const unproven = end.position - provenTo;
  if (unproven > 0) await file.write(provenTo, await file.read(provenTo, unproven));
  await zeroRange(file, end.position, await file.size());
}

class Recovery {
  readonly #files: Files;
  readonly #base: LogBase;
  /** Null before the first segment that the log can begin with. */
  #log: ReadLog | null = null;
  readonly #dead: number[] = [];
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #active: ActiveSegment | null = null;

  constructor(files: Files, base: LogBase) {
    this.#files = files;
    this.#base = base;
  }

  async run(): Promise<RecoveredLog> {
    const numbers = await listSegments(this.#files);
    for (const number of numbers) await this.#readSegment(number, number === numbers.at(-1));
    const active = this.#active;
    const log = this.#log;
    if (active === null || log === null) {
      const path = segmentPath(numbers.at(-1) ?? 1);
      throw damaged('log', path, 0, 'there is no segment that the log could begin with');
    }
    this.#checkApplied(log.map, active);
    const { start, entries } = log.tail;
    const { map } = log;
    return { hardState: this.#hardState, start, entries, map, active, dead: this.#dead };
  }

  async abandon(): Promise<void> {
    await this.#active?.file.close();
  }

  async #readSegment(number: number, isLast: boolean): Promise<void> {
    const path = segmentPath(number);
    const file = await this.#files.open(path, { create: false });
    if (file === null) throw damaged('log', path, 0, 'the segment is missing');
    const before = this.#active;
    try {
      if ((await file.size()) < 3 * pageBytes) {
        throw damaged('log', path, 0, 'the segment is cut short');
      }
      const found = await readBegunSegment(file, number);
      if (found === null) {
        await this.#expectUnused(file, number, isLast);
        await file.close();
        return;
      }
      this.#begin(found.header, found.segment);
      this.#active = await this.#readGroups(file, found.segment, found.header.state, isLast);
    } catch (error) {
      await file.close();
      throw error;
    }
    await before?.file.close();
  }

  async #readGroups(
    file: File,
    segment: Segment,
    state: number,
    isLast: boolean,
  ): Promise<ActiveSegment> {
    const path = segmentPath(segment.number);
    const slot = await readSlots(file, segment.number);
    const size = await file.size();
    // The header is written together with the first group.
    let lastAt = headerAt;
    const end = await scanGroups(file, segment.salt, segment.begin, size, (body, position) => {
      this.#readGroup(body, segment, position);
      if (position > segment.begin.position) lastAt = position;
    });
    if (slot !== null && slot.place.position > end.position) {
      const durable = `the log was durable up to byte ${slot.place.position}`;
      throw damaged('log', path, end.position, durable);
    }
    // The next segment's header checks the end of any other one.
    if (isLast) await this.#expectTornTail(file, segment, end);
    this.#log?.map.fill(end.position);
    const provenTo = Math.max(lastAt, slot?.place.position ?? 0);
    return { segment, file, end, provenTo, slotCount: slot?.count ?? 0, state };
  }

  async #expectTornTail(file: File, segment: Segment, end: Place): Promise<void> {
    const later = await findLaterGroup(file, segment.salt, end.position, end.sequence);
    if (later === null) return;
    const path = segmentPath(segment.number);
    throw damaged('log', path, end.position, `a later group stands at byte ${later}`);
  }

  #begin(header: SegmentHeader, segment: Segment): void {
    this.#checkOwner(header);
    this.#checkChain(header);
    if (this.#log === null) {
      this.#log = this.#firstLog(header);
      this.#hardState = header.hardState;
    } else {
      this.#continue(header, this.#log);
    }
    this.#log.map.begin(segment, header.last);
  }

  /** The log as the oldest segment finds it. */
  #firstLog({ last, configuration }: SegmentHeader): ReadLog {
    const { applied } = this.#base;
    const known = applied ?? { term: 0, index: 0 };
    if (known.index >= last.index) {
      const map = new LogMap(last, known.index, this.#base.configuration);
      const start = { last: known, configuration: this.#base.configuration };
      return { map, tail: new LogTail(start, false) };
    }
    const map = new LogMap(last, last.index, configuration);
    return { map, tail: new LogTail({ last, configuration }, true) };
  }

  #checkOwner(header: SegmentHeader): void {
    const { memberId, clusterId } = this.#base;
    if (header.memberId === memberId && header.clusterId === clusterId) return;
    const owner = `member ${header.memberId} of cluster ${header.clusterId}`;
    const path = segmentPath(header.number);
    throw damaged('log', path, headerAt, `it belongs to ${owner}`);
  }

  #checkChain(header: SegmentHeader): void {
    const end = this.#active?.end;
    if (end === undefined) return;
    if (header.sequence === end.sequence && equalHash(header.chain, end.chain)) return;
    const previous = segmentPath(header.number - 1);
    const elsewhere = `segment ${header.number} continues from another place`;
    throw damaged('log', previous, end.position, elsewhere);
  }

  /** Only an install may continue another log than the one that was read: then nothing of that is left. */
  #continue({ number, last, configuration, isInstall }: SegmentHeader, log: ReadLog): void {
    const { index, term } = log.map.last;
    if (last.index === index && last.term === term) return;
    if (!isInstall) {
      throw damaged('log', segmentPath(number), headerAt, 'it continues another log');
    }
    log.map.reset(last, configuration);
    log.tail.reset(last, configuration);
  }

  /** A segment that has not begun is one that was made ready, or was to be begun by a torn append. */
  async #expectUnused(file: File, number: number, isLast: boolean): Promise<void> {
    const path = segmentPath(number);
    const active = this.#active;
    if (!isLast || active === null || (await readSlots(file, number)) !== null) {
      throw damaged('log', path, headerAt, 'the header is unreadable');
    }
    const { end } = active;
    const salt = groupSalt(number, end.chain);
    const later = await findLaterGroup(file, salt, headerAt, end.sequence);
    if (later !== null) {
      const what = `the header is unreadable before a group at byte ${later}`;
      throw damaged('log', path, headerAt, what);
    }
    await this.#expectTornTail(active.file, active.segment, end);
  }

  #readGroup(body: Uint8Array, segment: Segment, position: number): void {
    const reader = new ByteReader(body);
    try {
      const summary = decodeGroupSummary(reader);
      if (summary.count > 0 && this.#log !== null) this.#readEntries(reader, summary, this.#log);
      if (summary.hardState !== null) this.#readHardState(summary.hardState);
    } catch (error) {
      if (error instanceof RollcallError && error.code === 'malformedFrame') {
        throw damaged('log', segmentPath(segment.number), position, 'a group is malformed', error);
      }
      throw error;
    }
  }

  #readHardState(hardState: HardState): void {
    this.#hardState = hardState;
    if (this.#log === null) return;
    const { map, tail } = this.#log;
    tail.commit(Math.min(hardState.commitIndex, map.last.index));
  }

  #readEntries(reader: ByteReader, { first, count, terms }: GroupSummary, log: ReadLog): void {
    const { map, tail } = log;
    if (first > map.last.index + 1) {
      throw new RollcallError('malformedFrame', `Entry ${first} after ${map.last.index}`);
    }
    if (first <= map.base.index) {
      // The log was never made to begin here: older segments are missing because all these were
      // to go as well.
      this.#dead.push(...map.numbers);
      this.#log = null;
      return;
    }
    map.append(first, count, terms);
    tail.cut(first);
    if (first + count - 1 <= tail.start.last.index) return;
    for (const entry of decodeGroupEntries(reader, count)) {
      tail.push(entry);
      if (entry.index > tail.start.last.index && entry.type === 'configuration') {
        map.configure(entry.index, entry.configuration);
      }
    }
  }

  #checkApplied(map: LogMap, { segment, end }: ActiveSegment): void {
    const { applied } = this.#base;
    if (applied === null || applied.index < map.base.index || map.holds(applied)) return;
    const name = `the state has applied entry ${applied.index} of term ${applied.term}`;
    const path = segmentPath(segment.number);
    const what =
      applied.index > map.last.index
        ? `the log ends at entry ${map.last.index}, but ${name}`
        : `the log has term ${map.termAt(applied.index)} where ${name}`;
    throw damaged('log', path, end.position, what);
  }
}
