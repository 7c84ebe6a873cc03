/**
 * A walk over raw msgpack that builds nothing: it says whether decoding the bytes is cheap and safe.
 * Bytes cost a sender nothing but their number, while each decoded item costs us an allocation, so
 * a frame of two million empty maps has to be refused before it is decoded. Once a frame has passed:
 * - it is exactly one value, and every length in it lies within the frame;
 * - it has at most `itemsMax` items, nested at most `depthMax` deep;
 * - it has no extension types: nothing in it makes the decoder construct anything but plain values;
 * - its maps are small, and their keys are strings, each at most once.
 */
import { RollcallError } from '../base/errors.ts';

export interface ScanBounds {
  /** Values and keys together, containers included. */
  readonly itemsMax: number;
  /** Containers within containers; a value outside of any has depth 0. */
  readonly depthMax: number;
}

/** No message has a map with more fields; what is longer is an array of pairs. */
export const mapEntriesMax = 64;

/** What follows the token of nil, the booleans, floats and integers. The tokens missing here are extensions. */
const scalarBytes: ReadonlyMap<number, number> = new Map([
  [0xc0, 0],
  [0xc2, 0],
  [0xc3, 0],
  [0xca, 4],
  [0xcb, 8],
  [0xcc, 1],
  [0xcd, 2],
  [0xce, 4],
  [0xcf, 8],
  [0xd0, 1],
  [0xd1, 2],
  [0xd2, 4],
  [0xd3, 8],
]);

/** Throws `malformedFrame`, or `frameTooLarge` where only the number of items is wrong. */
export function scan(bytes: Uint8Array, bounds: ScanBounds): void {
  const scanner = new Scanner(bytes, bounds);
  scanner.value(0);
  scanner.end();
}

class Scanner {
  readonly #bytes: Uint8Array;
  readonly #bounds: ScanBounds;
  #at = 0;
  #items = 0;

  constructor(bytes: Uint8Array, bounds: ScanBounds) {
    this.#bytes = bytes;
    this.#bounds = bounds;
  }

  value(depth: number): void {
    this.#count();
    const token = this.#byte();
    if (token < 0x80 || token >= 0xe0) return;
    if (token < 0x90) this.#map(token & 0x0f, depth);
    else if (token < 0xa0) this.#array(token & 0x0f, depth);
    else if (token < 0xc0) this.#skip(token & 0x1f);
    else this.#long(token, depth);
  }

  end(): void {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw malformed(`${left} bytes follow the value`);
  }

  #long(token: number, depth: number): void {
    if (token >= 0xde) this.#map(this.#length(2 << (token - 0xde)), depth);
    else if (token >= 0xdc) this.#array(this.#length(2 << (token - 0xdc)), depth);
    else if (token >= 0xd9) this.#skip(this.#length(1 << (token - 0xd9)));
    else if (token >= 0xc4 && token <= 0xc6) this.#skip(this.#length(1 << (token - 0xc4)));
    else this.#skip(this.#scalarBytes(token));
  }

  #scalarBytes(token: number): number {
    const bytes = scalarBytes.get(token);
    if (bytes !== undefined) return bytes;
    throw malformed(`Extension type 0x${token.toString(16)} at byte ${this.#at - 1}`);
  }

  #array(length: number, depth: number): void {
    this.#enter(length, depth);
    for (let index = 0; index < length; index++) this.value(depth + 1);
  }

  #map(length: number, depth: number): void {
    this.#enter(length * 2, depth);
    if (length === 0) return;
    if (length > mapEntriesMax) {
      throw malformed(`A map of ${length} entries, at most ${mapEntriesMax} allowed`);
    }
    // Spans of the keys read so far, as start and end; small enough to compare each with each.
    const spans: number[] = [];
    for (let entry = 0; entry < length; entry++) {
      this.#key(spans);
      this.value(depth + 1);
    }
  }

  #key(spans: number[]): void {
    this.#count();
    const token = this.#byte();
    if (token >= 0xa0 && token < 0xc0) this.#skipKey(token & 0x1f, spans);
    else if (token === 0xd9) this.#skipKey(this.#length(1), spans);
    else throw malformed(`A map key at byte ${this.#at - 1} is no short string`);
  }

  #skipKey(length: number, spans: number[]): void {
    const start = this.#at;
    this.#skip(length);
    for (let known = 0; known < spans.length; known += 2) {
      const other = spans[known] as number;
      if ((spans[known + 1] as number) - other === length && this.#same(start, other, length)) {
        throw malformed(`A map key at byte ${start} appears twice`);
      }
    }
    spans.push(start, this.#at);
  }

  #same(left: number, right: number, length: number): boolean {
    for (let offset = 0; offset < length; offset++) {
      if (this.#bytes[left + offset] !== this.#bytes[right + offset]) return false;
    }
    return true;
  }

  #enter(itemsWithin: number, depth: number): void {
    if (depth >= this.#bounds.depthMax) {
      throw malformed(`Nested more than ${this.#bounds.depthMax} deep`);
    }
    // Every item takes at least one byte.
    if (itemsWithin > this.#bytes.length - this.#at) throw this.#short(itemsWithin);
  }

  #count(): void {
    if (++this.#items > this.#bounds.itemsMax) {
      throw new RollcallError(
        'frameTooLarge',
        `The frame has more than ${this.#bounds.itemsMax} items`,
      );
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw this.#short(1);
    return byte;
  }

  /** A big-endian length of `size` bytes. */
  #length(size: number): number {
    let length = 0;
    for (let count = 0; count < size; count++) length = length * 0x100 + this.#byte();
    return length;
  }

  #skip(count: number): void {
    if (count > this.#bytes.length - this.#at) throw this.#short(count);
    this.#at += count;
  }

  #short(wanted: number): RollcallError {
    return malformed(`The frame ends at byte ${this.#bytes.length}, ${wanted} more wanted`);
  }
}

function malformed(message: string): RollcallError {
  return new RollcallError('malformedFrame', message);
}
