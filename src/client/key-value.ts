import { bytesFromBinary, utf8Decode } from '../base/bytes.ts';
import type { WirePair } from '../wire/results.ts';

/**
 * One key with its value at one revision. `key` and `value` are the exact bytes; `keyText` and
 * `valueText` read them as UTF-8, where bytes that are not UTF-8 become U+FFFD.
 */
export class KeyValue {
  /** The revision that created the key; 0 in the event of a deletion. */
  readonly createRevision: number;
  /** The revision of the last change. */
  readonly modRevision: number;
  /** How many puts there were since the key was created; 0 in the event of a deletion. */
  readonly version: number;
  /** The lease that the key goes with, or null. */
  readonly leaseId: string | null;
  readonly value: Uint8Array;
  readonly #binaryKey: string;

  constructor(pair: WirePair) {
    this.#binaryKey = pair.key;
    // A copy: a view would keep the whole frame alive that the value came in.
    this.value = new Uint8Array(pair.value);
    this.createRevision = pair.createRevision;
    this.modRevision = pair.modRevision;
    this.version = pair.version;
    this.leaseId = pair.leaseId;
  }

  get key(): Uint8Array {
    return bytesFromBinary(this.#binaryKey);
  }

  get keyText(): string {
    return utf8Decode(bytesFromBinary(this.#binaryKey));
  }

  get valueText(): string {
    return utf8Decode(this.value);
  }

  /** The bytes of key and value together. */
  get size(): number {
    return this.#binaryKey.length + this.value.length;
  }
}

export function keyValueOrNull(pair: WirePair | null): KeyValue | null {
  return pair === null ? null : new KeyValue(pair);
}
