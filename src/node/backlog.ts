/**
 * Committed entries that wait to be applied. Applying can stand still for long, while a state is on its
 * way or the disk is behind, and the log goes on all the same: so only the first of them are held in
 * memory, up to a bound, and the rest is read again from the stored log, which keeps what is not in the
 * state.
 *
 *      applied        heldThrough                         through
 *     ───●────────────────●──────────────────────────────────●
 *          held: next()       in the stored log: refill()
 */
import { entryBytes } from '../format/entry.ts';
import type { Entry, Index } from '../raft/types.ts';
import type { Storage } from '../storage/types.ts';

export interface BacklogOptions {
  readonly storage: Pick<Storage, 'readLog'>;
  /** The newest applied entry. */
  readonly applied: Index;
  /** With so much in memory no more is taken. */
  readonly bytesMax: number;
  /** Entries that were read are here. */
  readonly refilled: () => void;
  readonly failed: (error: unknown) => void;
}

interface Batch {
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

/** What is being read from the log, and what came meanwhile. */
interface Reading {
  readonly through: Index;
  readonly arrived: Batch[];
}

/** Of the memory that there is, one read takes this share. */
const readShare = 1 / 16;

export class Backlog {
  readonly #options: BacklogOptions;
  /** Contiguous, the last of them at heldThrough. */
  #held: Batch[] = [];
  /** The next entry is `#held[0].entries[#at]`. */
  #at = 0;
  /** Of what is held and what has arrived behind a read; a batch counts until its last entry is taken. */
  #bytes = 0;
  #heldThrough: Index;
  /** What the core has handed out. Invariant: heldThrough ≤ through; all of it is in the stored log. */
  #through: Index;
  #reading: Reading | null = null;

  constructor(options: BacklogOptions) {
    this.#options = options;
    this.#heldThrough = options.applied;
    this.#through = options.applied;
  }

  /** Whether no entry is in memory. */
  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** Bytes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Entries that the core hands out, contiguous. */
  push(entries: readonly Entry[]): void {
    // A state may have brought more than the core knew to be on the disk.
    const isKnown = (entries[0]?.index ?? 0) <= this.#through;
    const fresh = isKnown ? entries.filter(({ index }) => index > this.#through) : entries;
    const first = fresh[0]?.index;
    if (first === undefined) return;
    const isContiguous = first === this.#through + 1;
    const isNext = isContiguous && this.#heldThrough === this.#through;
    this.#through = first + fresh.length - 1;
    if (this.#bytes >= this.#options.bytesMax) return;
    if (isNext) this.#hold(batchOf(fresh));
    else if (this.#reading !== null) this.#arrive(batchOf(fresh), this.#reading);
  }

  /** The next entry; there is one in memory. */
  next(): Entry {
    const { entries, bytes } = this.#held[0] as Batch;
    const entry = entries[this.#at++] as Entry;
    if (this.#at === entries.length) {
      this.#held.shift();
      this.#bytes -= bytes;
      this.#at = 0;
    }
    return entry;
  }

  /** Reads more from the log when little of what waits is in memory. At most one read is out. */
  refill(): void {
    const readBytesMax = Math.ceil(this.#options.bytesMax * readShare);
    const isNeeded = this.#heldThrough < this.#through && this.#bytes < readBytesMax;
    if (!isNeeded || this.#reading !== null) return;
    const reading: Reading = { through: this.#through, arrived: [] };
    this.#reading = reading;
    this.#options.storage.readLog(this.#heldThrough + 1, readBytesMax).then(
      ({ entries }) => {
        if (this.#reading === reading) this.#read(entries, reading);
      },
      (error: unknown) => this.#options.failed(error),
    );
  }

  /** A state as of `index` takes the place of what was applied: only what follows it still waits. */
  restore(index: Index): void {
    const waiting = this.#held.flatMap(({ entries }) => entries).slice(this.#at);
    const later = waiting.filter((entry) => entry.index > index);
    this.#held = [];
    this.#at = 0;
    this.#bytes = 0;
    this.#reading = null;
    this.#heldThrough = index;
    this.#through = Math.max(this.#through, index);
    if (later[0]?.index === index + 1) this.#hold(batchOf(later));
  }

  /** None where the log begins later: then a state is about to take the place of all this. */
  #read(stored: readonly Entry[], { through, arrived }: Reading): void {
    this.#reading = null;
    for (const { bytes } of arrived) this.#bytes -= bytes;
    // What follows in the log is not known to be committed.
    const entries = stored.filter(({ index }) => index <= through);
    if (entries.length === 0) return;
    this.#hold(batchOf(entries));
    if (this.#heldThrough === through) for (const batch of arrived) this.#hold(batch);
    this.#options.refilled();
  }

  /** Keeps what can follow the entries that are being read, so that reading comes to an end. */
  #arrive(batch: Batch, { through, arrived }: Reading): void {
    const last = arrived.at(-1)?.entries.at(-1)?.index ?? through;
    if (batch.entries[0]?.index !== last + 1) return;
    arrived.push(batch);
    this.#bytes += batch.bytes;
  }

  #hold(batch: Batch): void {
    this.#held.push(batch);
    this.#bytes += batch.bytes;
    this.#heldThrough += batch.entries.length;
  }
}

function batchOf(entries: readonly Entry[]): Batch {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return { entries, bytes };
}
