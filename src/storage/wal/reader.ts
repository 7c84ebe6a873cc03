/**
 * Reads entries back from the segments, for followers that are behind what is in memory. The groups
 * of one segment, the last one read from, are indexed by a scan.
 */
import { crc32 } from 'node:zlib';
import { ByteReader } from '../../base/bytes.ts';
import { RollcallError } from '../../base/errors.ts';
import { entryBytes } from '../../format/entry.ts';
import type { Entry, Index } from '../../format/types.ts';
import { damaged } from '../damage.ts';
import type { File, Files, LogSlice } from '../types.ts';
import { decodeGroupEntries, decodeGroupSummary, groupHeaderBytes } from './group.ts';
import type { LogMap, SegmentRange } from './log-map.ts';
import { scanGroups } from './scan.ts';
import { type Place, type Segment, segmentPath } from './segment.ts';

/** Where the groups with entries stand in one segment, without those that were replaced whole. */
interface GroupIndex {
  readonly segment: Segment;
  readonly file: File;
  readonly firsts: Index[];
  readonly positions: number[];
  readonly lengths: number[];
  /** How far the segment was scanned. */
  scanned: Place;
  /** Nothing is appended to it any more. */
  isComplete: boolean;
}

export class WalReader {
  readonly #files: Files;
  readonly #map: LogMap;
  readonly #end: () => { readonly segment: Segment; readonly place: Place };
  #index: GroupIndex | null = null;
  /** Reads wait for each other: they share the index. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(
    files: Files,
    map: LogMap,
    end: () => { readonly segment: Segment; readonly place: Place },
  ) {
    this.#files = files;
    this.#map = map;
    this.#end = end;
  }

  /** As `readLog` of the storage. */
  read(from: Index, bytesMax: number): Promise<LogSlice> {
    const result = this.#queue.then(() => this.#readStable(from, bytesMax));
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    await this.#queue;
    await this.#forget();
  }

  /** Reads again when entries were cut off or given up meanwhile: what was read may have been replaced. */
  async #readStable(from: Index, bytesMax: number): Promise<LogSlice> {
    for (;;) {
      if (from < 1 || from > this.#map.last.index) {
        throw new RollcallError('invalidArgument', `The log has no entry ${from}`);
      }
      if (from <= this.#map.base.index) return { prev: null, entries: [] };
      const { changes } = this.#map;
      let entries: readonly Entry[];
      try {
        entries = await this.#readFrom(from, bytesMax);
      } catch (error) {
        if (changes === this.#map.changes) throw error;
        continue;
      }
      if (changes !== this.#map.changes) continue;
      const prev = { term: this.#map.termAt(from - 1), index: from - 1 };
      return { prev, entries };
    }
  }

  async #readFrom(from: Index, bytesMax: number): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    let bytes = 0;
    while (
      from + entries.length <= this.#map.last.index &&
      (entries.length === 0 || bytes < bytesMax)
    ) {
      const range = this.#map.rangeOf(from + entries.length);
      for (const entry of await this.#readGroup(range, from + entries.length)) {
        if (entries.length > 0 && bytes + entryBytes(entry) > bytesMax) return entries;
        entries.push(entry);
        bytes += entryBytes(entry);
      }
    }
    return entries;
  }

  /** The entries from `from` on in the group that holds it. */
  async #readGroup(range: SegmentRange, from: Index): Promise<readonly Entry[]> {
    const index = await this.#indexOf(range.segment);
    const at = lastAtOrBelow(index.firsts, from);
    const path = segmentPath(range.segment.number);
    if (at < 0) throw damaged('log', path, index.scanned.position, `entry ${from} cannot be read`);
    const position = index.positions[at] as number;
    const next = Math.min(index.firsts[at + 1] ?? range.last + 1, range.last + 1);
    const group = await index.file.read(position, index.lengths[at] as number);
    const entries = decodeGroup(group, range.segment.salt, path, position);
    const wanted = entries.filter((entry) => entry.index >= from && entry.index < next);
    if (wanted.length === 0) throw damaged('log', path, position, `entry ${from} cannot be read`);
    return wanted;
  }

  async #indexOf(segment: Segment): Promise<GroupIndex> {
    if (this.#index?.segment.number !== segment.number) {
      await this.#forget();
      const path = segmentPath(segment.number);
      const file = await this.#files.open(path, { create: false });
      if (file === null) throw damaged('log', path, 0, 'the segment is missing');
      const scanned = segment.begin;
      const groups = { firsts: [], positions: [], lengths: [] };
      this.#index = { segment, file, ...groups, scanned, isComplete: false };
    }
    const index = this.#index;
    if (index.isComplete) return index;
    const newest = this.#end();
    // Older segments end by themselves; the newest one may be in the middle of an append.
    const isOlder = newest.segment.number !== segment.number;
    const end = isOlder ? await index.file.size() : newest.place.position;
    index.scanned = await scanGroups(index.file, segment.salt, index.scanned, end, (body, at) => {
      addGroup(index, body, at);
    });
    index.isComplete = isOlder;
    return index;
  }

  async #forget(): Promise<void> {
    const index = this.#index;
    this.#index = null;
    await index?.file.close();
  }
}

function addGroup(index: GroupIndex, body: Uint8Array, position: number): void {
  const { count, first } = decodeGroupSummary(new ByteReader(body));
  if (count === 0) return;
  while ((index.firsts.at(-1) ?? 0) >= first) {
    index.firsts.pop();
    index.positions.pop();
    index.lengths.pop();
  }
  index.firsts.push(first);
  index.positions.push(position);
  index.lengths.push(groupHeaderBytes + body.length);
}

function decodeGroup(group: Uint8Array, salt: number, path: string, position: number): Entry[] {
  const body = group.subarray(groupHeaderBytes);
  const stored = new DataView(group.buffer, group.byteOffset, group.length).getUint32(24, true);
  if (stored !== crc32(body, salt))
    throw damaged('log', path, position, 'a group fails its checksum');
  const reader = new ByteReader(body);
  return decodeGroupEntries(reader, decodeGroupSummary(reader).count);
}

/** The last position whose number is at most `index`, or −1. */
function lastAtOrBelow(numbers: readonly Index[], index: Index): number {
  let low = -1;
  let high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if ((numbers[middle] as Index) <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}
