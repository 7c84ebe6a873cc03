/**
 * Recently read values, bounded by bytes. Two halves instead of a list: what is used moves to the
 * young half, and when that is full the old half, untouched for as long, is dropped whole.
 */
export class ValueCache {
  readonly #halfBytesMax: number;
  #young = new Map<string, Uint8Array>();
  #old = new Map<string, Uint8Array>();
  #youngBytes = 0;

  constructor(bytesMax: number) {
    this.#halfBytesMax = bytesMax / 2;
  }

  get isEmpty(): boolean {
    return this.#young.size === 0 && this.#old.size === 0;
  }

  get(key: string): Uint8Array | null {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return null;
    this.#old.delete(key);
    this.set(key, old);
    return old;
  }

  set(key: string, bytes: Uint8Array): void {
    this.delete(key);
    this.#young.set(key, bytes);
    this.#youngBytes += recordBytes(key, bytes);
    if (this.#youngBytes <= this.#halfBytesMax) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  delete(key: string): void {
    const young = this.#young.get(key);
    if (young !== undefined) {
      this.#young.delete(key);
      this.#youngBytes -= recordBytes(key, young);
    }
    this.#old.delete(key);
  }
}

/** What a record takes in memory: its bytes, and about what the engine needs to hold them. */
export function recordBytes(key: string, bytes: Uint8Array | null): number {
  return 100 + key.length + (bytes === null ? 0 : bytes.length);
}
