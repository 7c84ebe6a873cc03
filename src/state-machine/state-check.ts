import { RollcallError } from '../base/errors.ts';
import { equalHash, hash64 } from '../base/hash.ts';
import { type StoredValue, valueSeed } from '../mvcc/key-space.ts';
import { decodeValueRecord, valuePlace } from './record-codec.ts';
import { State, type StateHeader } from './state.ts';

/** What a state that was checked holds now. */
export interface CheckedState {
  readonly keys: number;
  readonly instances: number;
  readonly leases: number;
}

/**
 * Checks a state that is not in use, record by record: every record is read, those of values have to
 * be exactly those that the index speaks of, with its hashes, and in the end the digest and the revisions
 * have to be those of the header. Takes the memory of an index, but of no values.
 */
export class StateCheck {
  readonly #state = new State({ read: () => null, write: () => {} });
  /** By the number of the space: the values that are still to come. */
  readonly #values: readonly Iterator<StoredValue, undefined>[];

  constructor() {
    this.#values = this.#state.spaces.map((space) => space.storedValues());
  }

  /** Records come in the order of their keys, all of them. Throws `dataDamaged` or `formatTooNew`. */
  take(key: string, bytes: Uint8Array): void {
    // The keys of a space's index come before those of its values.
    this.#state.load(key, bytes);
    const place = valuePlace(key);
    if (place === null) return;
    const { space, revision, sub } = place;
    const expected = this.#values[space]?.next().value;
    const isExpected = expected?.revision === revision && expected.sub === sub;
    if (!isExpected) throw damaged(`The values are not those of the index at ${revision}.${sub}`);
    const value = decodeValueRecord(bytes);
    if (value.length === expected.length && equalHash(hash64(value, valueSeed), expected.hash)) {
      return;
    }
    throw damaged(`The value of ${revision}.${sub} is not what was put`);
  }

  /** Throws `dataDamaged` unless the records that were taken are all of the header's state. */
  finish(header: StateHeader): CheckedState {
    for (const values of this.#values) {
      const missing = values.next().value;
      if (missing === undefined) continue;
      throw damaged(`The value of ${missing.revision}.${missing.sub} is missing`);
    }
    this.#state.loadHeader(header);
    const { spaces, lessor, revision } = this.#state;
    const newest = Math.max(...spaces.map(({ visibleRevision }) => visibleRevision));
    if (newest > revision) throw damaged(`Revision ${newest} is newer than the state, ${revision}`);
    const [keys = 0, instances = 0] = spaces.map(({ index }) =>
      index.countPresent({ from: '', to: null }),
    );
    return { keys, instances, leases: lessor.size };
  }
}

function damaged(message: string): RollcallError {
  return new RollcallError('dataDamaged', message);
}
