import { assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import type { CheckpointHeader } from '../format/checkpoint.ts';
import { recordsEnd } from './checkpoint-record.ts';
import type { LevelReading, StateSnapshot, StoredRecord } from './types.ts';

/** Reads a pinned Level from front to back, in answers of any size. */
export class PinnedState implements StateSnapshot {
  readonly header: CheckpointHeader;
  readonly #level: LevelReading;
  readonly #onClose: () => void;
  #pages: AsyncIterator<readonly StoredRecord[]> | null = null;
  /** What is left of the page that was read last; the next record is `#page[#at]`. */
  #page: readonly StoredRecord[] = [];
  #at = 0;
  /** The last key that was given out, which the next record follows. */
  #after: string | null = null;
  #isReading = false;
  #closing: Promise<void> | null = null;

  constructor(header: CheckpointHeader, level: LevelReading, onClose: () => void) {
    this.header = header;
    this.#level = level;
    this.#onClose = onClose;
  }

  async read(
    after: string | null,
    bytesMax: number,
  ): Promise<{ readonly records: readonly StoredRecord[]; readonly done: boolean }> {
    assert(!this.#isReading, 'Two reads of one snapshot at once');
    this.#isReading = true;
    try {
      if (this.#pages === null || after !== this.#after) await this.#seek(after);
      return await this.#readOn(bytesMax);
    } finally {
      this.#isReading = false;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#onClose();
    await this.#pages?.return?.();
    await this.#level.close();
  }

  async #seek(after: string | null): Promise<void> {
    await this.#pages?.return?.();
    this.#refuseClosed();
    // The first key that could follow.
    const from = after === null ? '' : `${after}\0`;
    this.#pages = this.#level.pages(from, recordsEnd)[Symbol.asyncIterator]();
    this.#after = after;
    this.#page = [];
    this.#at = 0;
  }

  async #readOn(
    bytesMax: number,
  ): Promise<{ readonly records: readonly StoredRecord[]; readonly done: boolean }> {
    const records: StoredRecord[] = [];
    let bytes = 0;
    for (;;) {
      const record = await this.#peek();
      if (record === null) return { records, done: true };
      bytes += record[0].length + record[1].length;
      if (records.length > 0 && bytes > bytesMax) return { records, done: false };
      records.push(record);
      this.#after = record[0];
      this.#at++;
    }
  }

  async #peek(): Promise<StoredRecord | null> {
    for (;;) {
      this.#refuseClosed();
      const record = this.#page[this.#at];
      if (record !== undefined) return record;
      const next = await this.#nextPage();
      if (next === null) return null;
      this.#page = next;
      this.#at = 0;
    }
  }

  async #nextPage(): Promise<readonly StoredRecord[] | null> {
    try {
      const next = await this.#pages?.next();
      return next === undefined || next.done === true ? null : next.value;
    } catch (error) {
      this.#refuseClosed();
      throw error;
    }
  }

  #refuseClosed(): void {
    if (this.#closing === null) return;
    throw new RollcallError('closed', 'The snapshot was closed, or its state replaced');
  }
}
