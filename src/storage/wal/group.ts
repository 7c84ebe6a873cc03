/**
 * A group is what one append wrote: a hard state, entries, or both; after an install perhaps neither.
 * Before its body stand 32 bytes:
 *
 *     0   magic
 *     4   length of the body
 *     8   sequence (low, high)
 *     16  chain: hash of the 32 bytes before the previous group's body
 *     24  CRC-32 of the body
 *     28  CRC-32 of the 28 bytes above
 *
 * A group is written only after the one before it was durable. So the 32 bytes of a later group prove
 * that everything before them had been durable once: what is bad there is damage, not a torn tail.
 */
import { crc32 } from 'node:zlib';
import type { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { type Hash64, hash64 } from '../../base/hash.ts';
import { decodeEntry, encodeEntry } from '../../format/entry.ts';
import type { Append, Entry, EntryId, HardState, Index } from '../../format/types.ts';

export const groupHeaderBytes = 32;

const magic = 0x50475252;
/** The magic as it stands in a file. */
export const groupMagic = Uint8Array.of(0x52, 0x52, 0x47, 0x50);
const headerRoom = new Uint8Array(groupHeaderBytes);

export interface GroupHeader {
  readonly length: number;
  readonly sequence: number;
  readonly chain: Hash64;
  readonly bodyCrc: number;
}

/** What a body says about itself before its entries, so that recovery need not decode them all. */
export interface GroupSummary {
  readonly hardState: HardState | null;
  readonly count: number;
  /** Index of the first entry; 0 without entries. */
  readonly first: Index;
  /** Where each term begins in this group. */
  readonly terms: readonly EntryId[];
}

/** The group of an append, its first 32 bytes still to be filled by `sealGroup`. */
export function encodeGroup(writer: ByteWriter, append: Append): Uint8Array {
  const { hardState, entries } = append;
  writer.raw(headerRoom).boolean(hardState !== null);
  if (hardState !== null) encodeHardState(writer, hardState);
  writer.varint(entries.length);
  const first = entries[0];
  if (first !== undefined) {
    const terms = termsOf(entries);
    writer.varint(first.index).varint(terms.length);
    for (const { term, index } of terms) writer.varint(term).varint(index);
    for (const entry of entries) encodeEntry(writer, entry);
  }
  return writer.finish();
}

/** Fills in the group's header. Returns the chain hash for the next group. */
export function sealGroup(
  group: Uint8Array,
  salt: number,
  place: { readonly sequence: number; readonly chain: Hash64 },
): Hash64 {
  const view = new DataView(group.buffer, group.byteOffset, groupHeaderBytes);
  view.setUint32(0, magic, true);
  view.setUint32(4, group.length - groupHeaderBytes, true);
  view.setUint32(8, place.sequence >>> 0, true);
  view.setUint32(12, Math.floor(place.sequence / 0x1_0000_0000), true);
  view.setUint32(16, place.chain.high, true);
  view.setUint32(20, place.chain.low, true);
  view.setUint32(24, crc32(group.subarray(groupHeaderBytes), salt), true);
  view.setUint32(28, crc32(group.subarray(0, 28), salt), true);
  return chainAfter(group, 0);
}

/** The header that begins at this byte, or null when there is no whole one. */
export function readGroupHeader(bytes: Uint8Array, at: number, salt: number): GroupHeader | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, groupHeaderBytes);
  if (view.getUint32(0, true) !== magic) return null;
  if (view.getUint32(28, true) !== crc32(bytes.subarray(at, at + 28), salt)) return null;
  return {
    length: view.getUint32(4, true),
    sequence: view.getUint32(8, true) + view.getUint32(12, true) * 0x1_0000_0000,
    chain: { high: view.getUint32(16, true), low: view.getUint32(20, true) },
    bodyCrc: view.getUint32(24, true),
  };
}

/** The chain hash after the group whose header begins at this byte. It covers the body by its CRC. */
export function chainAfter(bytes: Uint8Array, at: number): Hash64 {
  return hash64(bytes.subarray(at, at + groupHeaderBytes));
}

export function decodeGroupSummary(reader: ByteReader): GroupSummary {
  const hardState = reader.boolean() ? decodeHardState(reader) : null;
  const count = reader.varint();
  if (count === 0) return { hardState, count, first: 0, terms: [] };
  const first = reader.varint();
  const terms: EntryId[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const term = reader.varint();
    terms.push({ term, index: reader.varint() });
  }
  return { hardState, count, first, terms };
}

/** The entries after the summary. Commands are views into the reader's input. */
export function decodeGroupEntries(reader: ByteReader, count: number): Entry[] {
  const entries: Entry[] = [];
  for (let left = count; left > 0; left--) entries.push(decodeEntry(reader));
  reader.end();
  return entries;
}

export function encodeHardState(writer: ByteWriter, hardState: HardState): void {
  writer.varint(hardState.currentTerm).varint(hardState.commitIndex);
  writer.boolean(hardState.votedFor !== null);
  if (hardState.votedFor !== null) writer.id(hardState.votedFor);
}

export function decodeHardState(reader: ByteReader): HardState {
  const currentTerm = reader.varint();
  const commitIndex = reader.varint();
  return { currentTerm, commitIndex, votedFor: reader.boolean() ? reader.id() : null };
}

/** The first entry of each term among these, which follow each other. */
export function termsOf(entries: readonly Entry[]): EntryId[] {
  const terms: EntryId[] = [];
  let term = -1;
  for (const entry of entries) {
    if (entry.term === term) continue;
    term = entry.term;
    terms.push({ term, index: entry.index });
  }
  return terms;
}
