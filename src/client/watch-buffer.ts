/**
 * What a watch has taken and its consumer has not: in order, each revision once, and bounded.
 *
 * `position` is the revision up to which everything was taken. It makes the watch resumable (asking
 * again from the next revision misses nothing) and unique (whatever is at or below it was seen).
 * `handed` is the same for the consumer: where another watch may begin once this one is gone.
 * Invariant: both only grow, and `handed` is never above the position.
 */
import type { KeyValue } from './key-value.ts';

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** For a delete: the key and the revision of the deletion, with an empty value. */
  readonly pair: KeyValue;
  /** The pair before, where the watch asked for it and there was one. */
  readonly previous: KeyValue | null;
}

/**
 * Everything that one revision changed among the watched keys. Watches of a client that are told the same share
 * the pairs: their bytes are not to be changed. Without events it is a bookmark (`progress`):
 * nothing was changed up to this revision since the batch before.
 */
export interface WatchBatch {
  readonly revision: number;
  readonly events: readonly WatchEvent[];
  /** With `fragments`: the rest of this revision follows. */
  readonly more: boolean;
}

interface Buffered {
  readonly batch: WatchBatch;
  readonly bytes: number;
  /** What is handed out with it: everything up to this revision. */
  upTo: number;
}

/** What an event costs besides its keys and values, roughly. */
const eventBytes = 256;

export class WatchBuffer {
  readonly #bytesMax: number;
  #batches: Buffered[] = [];
  /** Only batches from here on are live; the array is cut when it has been read through. */
  #head = 0;
  #bytes = 0;
  #position: number | null;
  #handed: number | null;
  readonly #floor: number;

  /**
   * @param startRevision 0: from now on, where "now" is at least `floor`, the newest revision that the
   * client has seen elsewhere.
   */
  constructor(startRevision: number, floor: number, bytesMax: number) {
    this.#position = startRevision === 0 ? null : startRevision - 1;
    this.#handed = this.#position;
    this.#floor = floor;
    this.#bytesMax = bytesMax;
  }

  /** From where the watch is to be asked for, now or again. */
  get startRevision(): number {
    return this.#position === null ? 0 : this.#position + 1;
  }

  /** The consumer has had everything up to here; null before a watch "from now on" has begun. */
  get handed(): number | null {
    return this.#handed;
  }

  /** Too much is waiting: stop taking until `drained`. A single batch always fits. */
  get full(): boolean {
    return this.#bytes >= this.#bytesMax;
  }

  get drained(): boolean {
    return this.#bytes <= this.#bytesMax / 4;
  }

  /** The node began to watch after `revision`. Matters only the first time, and only for "from now on". */
  created(revision: number): void {
    this.#position ??= Math.max(revision, this.#floor);
    this.#handed ??= this.#position;
  }

  /** Whether a batch of `revision` is news; it is to be added then. */
  accepts(revision: number): boolean {
    return this.#position === null || revision > this.#position;
  }

  add(batch: WatchBatch): void {
    let bytes = batch.events.length === 0 ? eventBytes : 0;
    for (const { pair, previous } of batch.events) {
      bytes += eventBytes + pair.size + (previous?.size ?? 0);
    }
    const upTo = batch.more ? batch.revision - 1 : batch.revision;
    if (!batch.more) this.#position = batch.revision;
    this.#bytes += bytes;
    this.#batches.push({ batch, bytes, upTo });
  }

  /** Nothing more is to come up to this revision. */
  reached(revision: number): void {
    if (!this.accepts(revision)) return;
    this.#position = revision;
    const last = this.#batches.at(-1);
    if (last === undefined) this.#handed = revision;
    else last.upTo = revision;
  }

  take(): WatchBatch | null {
    const first = this.#batches[this.#head];
    if (first === undefined) return null;
    this.#head++;
    if (this.#head === this.#batches.length) {
      this.#batches = [];
      this.#head = 0;
    } else if (this.#head === 1024) {
      this.#batches = this.#batches.slice(this.#head);
      this.#head = 0;
    }
    this.#bytes -= first.bytes;
    this.#handed = first.upTo;
    return first.batch;
  }

  clear(): void {
    this.#batches = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}
