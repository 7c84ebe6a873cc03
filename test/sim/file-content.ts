/**
 * The bytes of one simulated file: what a reader sees, what would survive a power cut, and the
 * writes between the two.
 */
import { type Random, randomBelow } from '../../src/base/prng.ts';

/**
 * What the end of a machine leaves of the writes that were not synced. A `kill` ends only the process:
 * the system still has them, there to be read and not yet durable.
 */
export type CutMode = 'drop' | 'keep' | 'random' | 'kill';

interface Write {
  readonly position: number;
  readonly bytes: Uint8Array;
}

const pageBytes = 4096;

export class FileContent {
  #seen: Extent;
  readonly #durable: Extent;
  #pending: readonly Write[] = [];
  /** Writes that were given to the system and have not come back. */
  #begun: readonly Write[] = [];
  /** Writes whose sync has failed: still seen, and not made durable by any later sync. */
  #lost: readonly Write[] = [];

  constructor(durable: Extent = new Extent()) {
    this.#durable = durable;
    this.#seen = durable.copy();
  }

  get size(): number {
    return this.#seen.size;
  }

  read(position: number, length: number): Uint8Array {
    return this.#seen.read(position, length);
  }

  write(position: number, bytes: Uint8Array): Write {
    const write = { position, bytes: bytes.slice() };
    this.#seen.write(position, bytes);
    this.#pending = [...this.#pending, write];
    return write;
  }

  /** Notes a write that takes its time; the returned function ends that, whatever became of it. */
  begin(position: number, bytes: Uint8Array): () => void {
    const write = { position, bytes: bytes.slice() };
    this.#begun = [...this.#begun, write];
    return () => {
      this.#begun = this.#begun.filter((one) => one !== write);
    };
  }

  /** The writes that a sync which begins now is for. */
  unsynced(): readonly Write[] {
    return this.#pending;
  }

  makeDurable(writes: readonly Write[]): void {
    for (const { position, bytes } of writes) this.#durable.write(position, bytes);
    this.#pending = this.#pending.filter((write) => !writes.includes(write));
  }

  lose(writes: readonly Write[]): void {
    this.#pending = this.#pending.filter((write) => !writes.includes(write));
    this.#lost = [...this.#lost, ...writes];
  }

  /** As it is seen, and all of it durable. */
  copy(): FileContent {
    return new FileContent(this.#seen.copy());
  }

  /** Damages the medium itself. */
  corrupt(position: number, change: (byte: number) => number): void {
    for (const extent of [this.#seen, this.#durable]) {
      const byte = extent.read(position, 1)[0] ?? 0;
      extent.write(position, Uint8Array.of(change(byte)));
    }
  }

  /** Other bytes stand there, on the medium and wherever it is read. */
  overwrite(position: number, bytes: Uint8Array): void {
    for (const extent of [this.#seen, this.#durable]) extent.write(position, bytes);
  }

  truncate(size: number): void {
    this.#durable.truncate(size);
    this.#seen = this.#durable.copy();
    this.#pending = [];
  }

  /** The file after a power cut. What the old machine still tries to write does not reach it. */
  cut(mode: CutMode, random: Random): FileContent {
    if (mode === 'kill') return this.#afterKill(random);
    const unsynced = [...this.#lost, ...this.#pending, ...(mode === 'random' ? this.#begun : [])];
    if (mode !== 'drop') {
      for (const write of unsynced) {
        if (mode === 'keep') this.#durable.write(write.position, write.bytes);
        else tear(this.#durable, write, random);
      }
    }
    return new FileContent(this.#durable);
  }

  /** What was being written is there up to any page: a signal ends a long write between two of them. */
  #afterKill(random: Random): FileContent {
    const left = new FileContent(this.#durable);
    left.#seen = this.#seen.copy();
    left.#pending = this.#pending;
    left.#lost = this.#lost;
    for (const { position, bytes } of this.#begun) {
      const length = writtenBytes(position, bytes.length, random);
      if (length > 0) left.write(position, bytes.subarray(0, length));
    }
    return left;
  }
}

/** All of a write, nothing, or its first pages. */
function writtenBytes(position: number, length: number, random: Random): number {
  const fate = randomBelow(random, 3);
  if (fate === 0) return 0;
  if (fate === 1) return length;
  const pages = randomBelow(random, Math.ceil(length / pageBytes) + 1);
  return Math.min(length, Math.max(0, pages * pageBytes - (position % pageBytes)));
}

/**
 * Lets any part of a write reach the disk: all, nothing, a prefix, or each page by itself. Of a page that
 * extends the file, the length alone may have become durable: then there are zeros.
 */
function tear(extent: Extent, write: Write, random: Random): void {
  const { position, bytes } = write;
  switch (randomBelow(random, 4)) {
    case 0:
      return;
    case 1:
      extent.write(position, bytes);
      return;
    case 2:
      extent.write(position, bytes.subarray(0, randomBelow(random, bytes.length + 1)));
      return;
    default:
      for (let at = 0; at < bytes.length; ) {
        const length = Math.min(pageBytes - ((position + at) % pageBytes), bytes.length - at);
        const fate = randomBelow(random, 3);
        const page = bytes.subarray(at, at + length);
        if (fate === 0) extent.write(position + at, page);
        if (fate === 1) extent.grow(position + at + length);
        at += length;
      }
  }
}

class Extent {
  #bytes = new Uint8Array(0);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  read(position: number, length: number): Uint8Array {
    return this.#bytes.slice(position, Math.min(position + length, this.#size));
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, position);
    this.#size = Math.max(this.#size, end);
  }

  /** Zeros up to this size, if it is smaller. */
  grow(size: number): void {
    if (size > this.#size) this.write(this.#size, new Uint8Array(size - this.#size));
  }

  truncate(size: number): void {
    this.#bytes.fill(0, size);
    this.#size = Math.min(size, this.#size);
  }

  copy(): Extent {
    const copy = new Extent();
    copy.#bytes = this.#bytes.slice(0, this.#size);
    copy.#size = this.#size;
    return copy;
  }
}
