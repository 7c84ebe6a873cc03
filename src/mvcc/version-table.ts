/**
 * All versions of all keys of one space, by slot number, outside the garbage-collected heap: five
 * million versions are 240 MB of plain numbers, which the collector never walks. Slots of removed
 * versions are used again. Values are not here; they are read by (revision, sub).
 *
 *   doubles  revision, createRevision                    2 × 8 bytes
 *   words    key number, lease (2), value length,        8 × 4 bytes
 *            value hash (2), version, and from the lowest bit on
 *            tombstone 1, cause 2, sub 16, the version's highest 13
 */
import { assert } from '../base/assert.ts';
import { formatId } from '../base/bytes.ts';
import type { Hash64 } from '../base/hash.ts';
import type { ChangeCause, LeaseId, Revision } from './types.ts';

const chunkBits = 12;
const chunkSlots = 1 << chunkBits;
const slotMask = chunkSlots - 1;
const doublesPerSlot = 6;
const wordsPerSlot = 12;
const wordsStart = 4;

const causes: readonly ChangeCause[] = ['request', 'leaseExpired', 'leaseRevoked'];
const tombstoneFlag = 1;
const causeShift = 1;
const causeMask = 3;
const subShift = 3;
const subMax = 0xffff;
const highShift = 19;
const versionMax = 2 ** (32 + 32 - highShift) - 1;
const wordBase = 2 ** 32;

/** What is kept of one version. A tombstone has createRevision, version and value length 0. */
export interface Version {
  readonly revision: Revision;
  /** Tells apart the changes of one revision, in the order in which they were made. */
  readonly sub: number;
  readonly createRevision: Revision;
  readonly version: number;
  readonly leaseId: LeaseId | null;
  readonly tombstone: boolean;
  readonly cause: ChangeCause;
  readonly valueLength: number;
  readonly valueHash: Hash64;
}

interface Chunk {
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
}

export class VersionTable {
  readonly #chunks: Chunk[] = [];
  readonly #free: number[] = [];
  #used = 0;

  /** Stores a version of the key with this number and returns its slot. */
  add(keyNumber: number, version: Version): number {
    assert(version.sub <= subMax, () => `Sub-revision ${version.sub} out of range`);
    assert(version.version <= versionMax, () => `Version ${version.version} out of range`);
    const slot = this.#free.pop() ?? this.#extend();
    const chunk = this.#chunk(slot);
    const double = (slot & slotMask) * doublesPerSlot;
    chunk.doubles[double] = version.revision;
    chunk.doubles[double + 1] = version.createRevision;
    const { words } = chunk;
    const word = (slot & slotMask) * wordsPerSlot + wordsStart;
    words[word] = keyNumber;
    const { leaseId } = version;
    words[word + 1] = leaseId === null ? 0 : Number.parseInt(leaseId.slice(0, 8), 16);
    words[word + 2] = leaseId === null ? 0 : Number.parseInt(leaseId.slice(8), 16);
    words[word + 3] = version.valueLength;
    words[word + 4] = version.valueHash.high;
    words[word + 5] = version.valueHash.low;
    words[word + 6] = version.version;
    words[word + 7] =
      (Math.floor(version.version / wordBase) << highShift) |
      (version.sub << subShift) |
      (causes.indexOf(version.cause) << causeShift) |
      (version.tombstone ? tombstoneFlag : 0);
    return slot;
  }

  /** The slot may be given to another version at once. */
  remove(slot: number): void {
    this.#free.push(slot);
  }

  /** All that is kept of the slot's version. */
  get(slot: number): Version {
    return {
      revision: this.revision(slot),
      sub: this.sub(slot),
      createRevision: this.createRevision(slot),
      version: this.version(slot),
      leaseId: this.leaseId(slot),
      tombstone: this.isTombstone(slot),
      cause: this.cause(slot),
      valueLength: this.valueLength(slot),
      valueHash: this.valueHash(slot),
    };
  }

  revision(slot: number): Revision {
    return this.#double(slot, 0);
  }

  createRevision(slot: number): Revision {
    return this.#double(slot, 1);
  }

  version(slot: number): number {
    return this.#word(slot, 6) + (this.#word(slot, 7) >>> highShift) * wordBase;
  }

  keyNumber(slot: number): number {
    return this.#word(slot, 0);
  }

  leaseId(slot: number): LeaseId | null {
    const high = this.#word(slot, 1);
    const low = this.#word(slot, 2);
    return high === 0 && low === 0 ? null : formatId(high, low);
  }

  valueLength(slot: number): number {
    return this.#word(slot, 3);
  }

  valueHash(slot: number): Hash64 {
    return { high: this.#word(slot, 4), low: this.#word(slot, 5) };
  }

  isTombstone(slot: number): boolean {
    return (this.#word(slot, 7) & tombstoneFlag) !== 0;
  }

  cause(slot: number): ChangeCause {
    return causes[(this.#word(slot, 7) >> causeShift) & causeMask] ?? 'request';
  }

  sub(slot: number): number {
    return (this.#word(slot, 7) >>> subShift) & subMax;
  }

  #extend(): number {
    if (this.#used === this.#chunks.length << chunkBits) {
      const buffer = new ArrayBuffer(chunkSlots * doublesPerSlot * 8);
      this.#chunks.push({ doubles: new Float64Array(buffer), words: new Uint32Array(buffer) });
    }
    return this.#used++;
  }

  #chunk(slot: number): Chunk {
    return this.#chunks[slot >>> chunkBits] as Chunk;
  }

  #double(slot: number, field: number): number {
    return this.#chunk(slot).doubles[(slot & slotMask) * doublesPerSlot + field] as number;
  }

  #word(slot: number, field: number): number {
    const at = (slot & slotMask) * wordsPerSlot + wordsStart + field;
    return this.#chunk(slot).words[at] as number;
  }
}
