import { ByteWriter } from '../base/bytes.ts';
import { addHash, type Hash64, hash64, subtractHash, zeroHash } from '../base/hash.ts';
import type { LeaseState } from '../lease/lessor.ts';
import type { Change } from '../mvcc/key-space.ts';
import type { Key, LeaseId, Revision } from '../mvcc/types.ts';
import type { Version } from '../mvcc/version-table.ts';
import {
  decodeValueRecord,
  indexKey,
  leaseKey,
  valueKey,
  writeIndexRecord,
  writeLeaseRecord,
  writeValueRecord,
} from './record-codec.ts';
import type { Records } from './types.ts';

const recordSeed = 0x7265636f;

/**
 * Writes the state's records and keeps their digest: the sum of the hashes of (key, bytes) of every
 * record but the values, so that it does not depend on the order in which they came.
 */
export class RecordStore {
  readonly #records: Records;
  readonly #writer = new ByteWriter(8192);
  #digest: Hash64 = zeroHash;

  constructor(records: Records) {
    this.#records = records;
  }

  get digest(): Hash64 {
    return this.#digest;
  }

  readValue(space: number, revision: Revision, sub: number, keep: boolean): Uint8Array | null {
    const bytes = this.#records.read(valueKey(space, revision, sub), keep);
    return bytes === null ? null : decodeValueRecord(bytes);
  }

  writeChange(space: number, { event, sub, valueHash }: Change): void {
    const { pair } = event;
    const tombstone = event.type === 'delete';
    const key = indexKey(space, pair.modRevision, sub);
    this.#writer.rawBinary(key);
    writeIndexRecord(this.#writer, pair.key, {
      revision: pair.modRevision,
      createRevision: pair.createRevision,
      version: pair.version,
      leaseId: pair.leaseId,
      tombstone,
      cause: event.cause,
      valueLength: pair.value.length,
      valueHash,
    });
    this.#write(key);
    if (tombstone) return;
    writeValueRecord(this.#writer, pair.value);
    this.#records.write(valueKey(space, pair.modRevision, sub), this.#writer.finishView());
  }

  /** Removes a version with its value. */
  removeVersion(space: number, key: Key, version: Version): void {
    const { revision, sub, tombstone } = version;
    const recordKey = indexKey(space, revision, sub);
    this.#writer.rawBinary(recordKey);
    writeIndexRecord(this.#writer, key, version);
    this.#digest = subtractHash(this.#digest, hash64(this.#writer.finishView(), recordSeed));
    this.#records.write(recordKey, null);
    if (!tombstone) this.#records.write(valueKey(space, revision, sub), null);
  }

  /** `before` and `after` are the lease's stored states; null means that there is none. */
  writeLease(leaseId: LeaseId, before: LeaseState | null, after: LeaseState | null): void {
    const key = leaseKey(leaseId);
    if (before !== null) {
      this.#writer.rawBinary(key);
      writeLeaseRecord(this.#writer, before);
      this.#digest = subtractHash(this.#digest, hash64(this.#writer.finishView(), recordSeed));
    }
    if (after === null) {
      this.#records.write(key, null);
      return;
    }
    this.#writer.rawBinary(key);
    writeLeaseRecord(this.#writer, after);
    this.#write(key);
  }

  /**
   * Writes a record and returns its hash, by which it can be taken out of the digest again. Whoever
   * writes it anew calls `forget` with the hash that it had.
   */
  write(key: string, fill: (writer: ByteWriter) => void): Hash64 {
    this.#writer.rawBinary(key);
    fill(this.#writer);
    return this.#write(key);
  }

  /** Takes a record out of the digest that was written anew. */
  forget(hash: Hash64): void {
    this.#digest = subtractHash(this.#digest, hash);
  }

  delete(key: string, hash: Hash64): void {
    this.forget(hash);
    this.#records.write(key, null);
  }

  /** Counts a stored record that was loaded. */
  loaded(key: string, bytes: Uint8Array): Hash64 {
    const hashed = this.#writer.rawBinary(key).raw(bytes).finishView();
    const hash = hash64(hashed, recordSeed);
    this.#digest = addHash(this.#digest, hash);
    return hash;
  }

  /** Stores what the writer holds behind the key itself. */
  #write(key: string): Hash64 {
    const hashed = this.#writer.finishView();
    const hash = hash64(hashed, recordSeed);
    this.#digest = addHash(this.#digest, hash);
    this.#records.write(key, hashed.subarray(key.length));
    return hash;
  }
}
