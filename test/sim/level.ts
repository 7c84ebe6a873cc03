/** A model of Level: a sorted map whose batches are there entirely or not at all. */
import { RollcallError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/prng.ts';
import { damaged } from '../../src/storage/damage.ts';
import { diskError } from '../../src/storage/disk-error.ts';
import type { Level, LevelChange, LevelReading, StoredRecord } from '../../src/storage/types.ts';
import { Power, powerCut } from './power.ts';

export interface SimulatedLevelOptions {
  readonly power?: Power;
  /** Called before a batch is written. It may wait, and may throw to make the write fail. */
  readonly beforeWrite?: () => void | Promise<void>;
  readonly pageRecords?: number;
}

/** One database on a simulated disk; `open` gives it out, `cut` says what a power cut leaves of it. */
export class SimulatedLevelStore {
  readonly #records: Map<string, Uint8Array>;
  readonly #options: SimulatedLevelOptions;
  readonly #power: Power;
  #isLost = false;
  #batchOut: readonly LevelChange[] | null = null;

  constructor(options: SimulatedLevelOptions = {}, records = new Map<string, Uint8Array>()) {
    this.#options = options;
    this.#power = options.power ?? new Power();
    this.#records = records;
  }

  readonly open = async (path = 'the database'): Promise<Level> => {
    this.#power.check();
    if (this.#isLost) throw damaged('state', path, 0, 'it cannot be opened');
    return new SimulatedLevel(this);
  };

  /** Some of its files are gone: it cannot be opened any more. */
  lose(): void {
    this.#isLost = true;
  }

  /** All of its files are gone: it opens as a new one. */
  clear(): void {
    this.#records.clear();
  }

  cut(random: Random, options: SimulatedLevelOptions = {}): SimulatedLevelStore {
    this.#power.off();
    if (this.#batchOut !== null && random() < 0.5) this.#apply(this.#batchOut);
    const left = new SimulatedLevelStore(options, new Map(this.#records));
    left.#isLost = this.#isLost;
    return left;
  }

  /** Everything as it is now, whatever is written later. */
  copy(): SimulatedLevelStore {
    return new SimulatedLevelStore(
      { ...this.#options, power: this.#power },
      new Map(this.#records),
    );
  }

  get(key: string): Uint8Array | null {
    this.#power.check();
    return this.#records.get(key) ?? null;
  }

  async write(changes: Iterable<LevelChange>): Promise<void> {
    this.#power.check();
    const batch = [...changes].map(([key, bytes]): LevelChange => [key, bytes?.slice() ?? null]);
    this.#batchOut = batch;
    try {
      await this.#options.beforeWrite?.();
    } catch (cause) {
      throw diskError('write', 'the database', cause);
    }
    if (this.#power.change()) throw powerCut();
    this.#apply(batch);
    this.#batchOut = null;
  }

  async *pages(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    const keys = [...this.#records.keys()].filter((key) => key >= from && key < to).sort();
    const values = new Map(this.#records);
    const size = this.#options.pageRecords ?? 1000;
    for (let at = 0; at < keys.length; at += size) {
      this.#power.check();
      yield keys
        .slice(at, at + size)
        .map((key): StoredRecord => [key, values.get(key) as Uint8Array]);
    }
  }

  #apply(batch: readonly LevelChange[]): void {
    for (const [key, bytes] of batch) {
      if (bytes === null) this.#records.delete(key);
      else this.#records.set(key, bytes);
    }
  }
}

class SimulatedLevel implements Level {
  readonly #store: SimulatedLevelStore;
  #isClosed = false;

  constructor(store: SimulatedLevelStore) {
    this.#store = store;
  }

  get(key: string): Uint8Array | null {
    this.#checkOpen();
    return this.#store.get(key);
  }

  async write(changes: Iterable<LevelChange>): Promise<void> {
    this.#checkOpen();
    await this.#store.write(changes);
  }

  pages(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    this.#checkOpen();
    return this.#store.pages(from, to);
  }

  snapshot(): LevelReading {
    this.#checkOpen();
    return new SimulatedLevel(this.#store.copy());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RollcallError('storageFailed', 'The database is closed');
  }
}
