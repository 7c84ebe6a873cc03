import { ByteWriter } from '../base/bytes.ts';
import { damagedState } from '../base/damage.ts';
import { addHash, equalHash, type Hash64, hash64, zeroHash } from '../base/hash.ts';
import { valueSeed } from '../mvcc/key-space.ts';
import { damagedStateIfNewer } from './damage.ts';
import { decodeRecord, decodeValueRecord, valueKey, valuePlace } from './record-codec.ts';
import { RecordStore } from './record-store.ts';
import { numberOf, type StateHeader } from './state.ts';

const sumSeed = 0x76616c73;

/**
 * Checks a whole state, of a feature level that is known, while it passes by, and keeps nothing of it. The digest of the header covers all
 * records but the values; of those the index says where they are and what their hashes are, so what the
 * index expects and what comes have to have the same sum.
 */
export class PassingCheck {
  readonly #records = new RecordStore({ read: () => null, write: () => {} });
  readonly #writer = new ByteWriter(64);
  #expected: Hash64 = zeroHash;
  #found: Hash64 = zeroHash;

  /** Each record once. Throws `dataDamaged` when it cannot be read. */
  take(key: string, bytes: Uint8Array): void {
    const place = valuePlace(key);
    if (place !== null) {
      this.#found = this.#add(this.#found, key, hash64(decodeValueRecord(bytes), valueSeed));
      return;
    }
    this.#records.loaded(key, bytes);
    const record = damagedStateIfNewer(() => decodeRecord(key, bytes));
    if (record?.type !== 'index' || record.version.tombstone) return;
    const { revision, sub, valueHash } = record.version;
    const expected = valueKey(numberOf(record.space), revision, sub);
    this.#expected = this.#add(this.#expected, expected, valueHash);
  }

  /** Throws `dataDamaged` unless what was taken is all of the header's state. */
  finish({ digest }: Pick<StateHeader, 'digest'>): void {
    if (!equalHash(this.#records.digest, digest)) {
      throw damagedState('The stored state does not have the digest that its header says');
    }
    if (equalHash(this.#expected, this.#found)) return;
    throw damagedState('The stored values are not those of which the index speaks');
  }

  #add(sum: Hash64, key: string, { high, low }: Hash64): Hash64 {
    return addHash(
      sum,
      hash64(this.#writer.rawBinary(key).u32(high).u32(low).finishView(), sumSeed),
    );
  }
}
