/**
 * Bytes, written and read. Integers are little-endian; a `varint` is an unsigned LEB128 of at most
 * 2^53 − 1. Keys travel through the program as **binary strings**: one character (0–255) per byte,
 * so that comparing strings compares bytes and a Map finds them natively.
 */
import { assert } from './assert.ts';
import { RollcallError } from './errors.ts';

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

const digits = textEncoder.encode('0123456789abcdef');

export const emptyBytes = new Uint8Array(0);

export function utf8Encode(text: string): Uint8Array {
  return textEncoder.encode(text);
}

export function utf8Decode(bytes: Uint8Array): string {
  return textDecoder.decode(bytes);
}

/** The binary string of `bytes`. */
export function binaryFromBytes(bytes: Uint8Array): string {
  let text = '';
  // Chunks stay far below the engine's limit on the number of arguments.
  for (let start = 0; start < bytes.length; start += 4096) {
    const chunk = bytes.length <= 4096 ? bytes : bytes.subarray(start, start + 4096);
    // Not by spreading, which steps through an iterator: three times as slow.
    text += String.fromCharCode.apply(null, chunk as unknown as number[]);
  }
  return text;
}

export function bytesFromBinary(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

export function binaryFromUtf8(text: string): string {
  return binaryFromBytes(utf8Encode(text));
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return compareBytes(left, right) === 0;
}

/** Lexicographic by unsigned byte, shorter first: the order of etcd's keys and values. */
export function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const shared = Math.min(left.length, right.length);
  for (let at = 0; at < shared; at++) {
    const difference = (left[at] as number) - (right[at] as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** A growing buffer. `finish()` hands out an exact copy and starts anew, so one writer serves many records. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }

  varint(value: number): this {
    assert(Number.isSafeInteger(value) && value >= 0, () => `Not a varint: ${value}`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
    return this;
  }

  /** Length first, then the bytes. */
  blob(bytes: Uint8Array): this {
    this.varint(bytes.length);
    return this.raw(bytes);
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** A binary string: length first, then one byte per character. */
  binary(text: string): this {
    this.varint(text.length);
    return this.rawBinary(text);
  }

  rawBinary(text: string): this {
    this.#reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.#length = at;
    return this;
  }

  /** Text as UTF-8, length first. */
  text(text: string): this {
    return this.blob(utf8Encode(text));
  }

  /** A 64-bit id, given as 16 hexadecimal digits: 8 bytes, most significant first. */
  id(hex: string): this {
    assert(hex.length === 16, () => `Not a 64-bit id: ${hex}`);
    this.#reserve(8);
    this.#view.setUint32(this.#length, Number.parseInt(hex.slice(0, 8), 16), false);
    this.#view.setUint32(this.#length + 4, Number.parseInt(hex.slice(8), 16), false);
    this.#length += 8;
    return this;
  }

  boolean(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** What was written so far, as an exact copy; the writer is empty afterwards. */
  finish(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  /** The same as a view that is good until the writer is written to again: for what is copied at once. */
  finishView(): Uint8Array {
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/**
 * Reads what a ByteWriter wrote. Every length is checked against what is left before anything is
 * allocated; a short or malformed input throws `malformedFrame`, which the caller turns into its own error.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    this.#need(1);
    return this.#bytes[this.#at++] as number;
  }

  u32(): number {
    this.#need(4);
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 0x80;
    }
    throw new RollcallError('malformedFrame', `Varint too large at byte ${this.#at}`);
  }

  /** A view into the input, not a copy. */
  blob(): Uint8Array {
    return this.raw(this.varint());
  }

  /** A view into the input, not a copy. */
  raw(length: number): Uint8Array {
    this.#need(length);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  binary(): string {
    return this.rawBinary(this.varint());
  }

  rawBinary(length: number): string {
    return binaryFromBytes(this.raw(length));
  }

  text(): string {
    return utf8Decode(this.blob());
  }

  id(): string {
    this.#need(8);
    const high = this.#view.getUint32(this.#at, false);
    const low = this.#view.getUint32(this.#at + 4, false);
    this.#at += 8;
    return formatId(high, low);
  }

  boolean(): boolean {
    const value = this.u8();
    if (value > 1) throw new RollcallError('malformedFrame', `Not a boolean: ${value}`);
    return value === 1;
  }

  /** Says that nothing may follow. */
  end(): void {
    if (this.remaining === 0) return;
    throw new RollcallError('malformedFrame', `${this.remaining} bytes too many at ${this.#at}`);
  }

  #need(count: number): void {
    if (count <= this.remaining) return;
    throw new RollcallError(
      'malformedFrame',
      `Input ends at byte ${this.#bytes.length}, ${count} wanted at ${this.#at}`,
    );
  }
}

/** A 64-bit id of two unsigned halves, as 16 lowercase hexadecimal digits: exact in every number path. */
export function formatId(high: number, low: number): string {
  // Ids are in every message, and this is eight times as fast as by `toString`.
  return String.fromCharCode(
    digit(high, 28),
    digit(high, 24),
    digit(high, 20),
    digit(high, 16),
    digit(high, 12),
    digit(high, 8),
    digit(high, 4),
    digit(high, 0),
    digit(low, 28),
    digit(low, 24),
    digit(low, 20),
    digit(low, 16),
    digit(low, 12),
    digit(low, 8),
    digit(low, 4),
    digit(low, 0),
  );
}

/** The character code of the hexadecimal digit of these four bits. */
function digit(word: number, shift: number): number {
  return digits[(word >>> shift) & 15] as number;
}

export function isId(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text);
}
