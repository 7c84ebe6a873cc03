/** Room for some dozens of records; small enough that one of them may well keep it from being freed. */
const slabBytes = 8192;

/**
 * Gives out memory for records. Small ones share an allocation: two buffers of their own for each put
 * would cost more than all else that a put does.
 */
export class Slab {
  #bytes = new Uint8Array(0);
  #used = 0;

  /** Zeroed bytes that nobody else has. */
  allocate(length: number): Uint8Array {
    if (length > slabBytes >> 2) return new Uint8Array(length);
    if (this.#used + length > this.#bytes.length) {
      this.#bytes = new Uint8Array(slabBytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#bytes.subarray(start, this.#used);
  }
}
