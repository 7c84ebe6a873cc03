/**
 * A model of Level: a sorted map whose batches are there entirely or not at all. Damage to it shows as
 * LevelDB shows it: records that are others or cannot be read, batches that are forgotten at an opening
 * without a word, a database that cannot be opened.
 */
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
  /** Called before records are read; may throw to make that fail. */
  readonly beforeRead?: () => void;
  readonly pageRecords?: number;
}

/** A batch that stands in LevelDB's log, and what it has replaced. */
interface Journaled {
  readonly changes: readonly LevelChange[];
  readonly before: readonly LevelChange[];
}

/** So many batches LevelDB keeps in its log; older ones are in tables. */
const journalMax = 8;

/** One database on a simulated disk; `open` gives it out, `cut` says what a power cut leaves of it. */
export class SimulatedLevelStore {
  readonly #records: Map<string, Uint8Array>;
  readonly #options: SimulatedLevelOptions;
  readonly #power: Power;
  /** The newest batches, oldest first. */
  #journal: Journaled[] = [];
  /** Keys whose block fails its checksum. */
  readonly #unreadable = new Set<string>();
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
    return new SimulatedLevel(this, path);
  };

  get keys(): readonly string[] {
    return [...this.#records.keys()];
  }

  /** How many batches could be forgotten. */
  get journaled(): number {
    return this.#journal.length;
  }

  /** What stands there, as it would be read if nothing failed. */
  peek(key: string): Uint8Array | null {
    return this.#records.get(key) ?? null;
  }

  isUnreadable(key: string): boolean {
    return this.#unreadable.has(key);
  }

  /** Some of its files are gone: it cannot be opened any more. */
  lose(): void {
    this.#isLost = true;
  }

  /** All of its files are gone: it opens as a new one. */
  clear(): void {
    this.#records.clear();
    this.#journal = [];
  }

  /** Other bytes stand there than were written, and LevelDB does not see it. */
  corrupt(key: string, bytes: Uint8Array): void {
    this.#records.set(key, bytes);
  }

  /** LevelDB sees that the bytes are others than were written. */
  garble(key: string): void {
    this.#unreadable.add(key);
  }

  /** The log has lost `count` of its batches, `first` of which is the oldest that went. */
  forget(first: number, count: number): void {
    const kept = this.#journal.filter((_, at) => at < first || at >= first + count);
    for (const { before } of this.#journal.toReversed()) this.#set(before.toReversed());
    this.#journal = [];
    for (const { changes } of kept) this.#apply(changes);
  }

  /** As it is now, to be put back later in the place of what is there then. */
  copy(options: SimulatedLevelOptions = this.#options): SimulatedLevelStore {
    const power = options === this.#options ? this.#power : (options.power ?? new Power());
    const copy = new SimulatedLevelStore({ ...options, power }, new Map(this.#records));
    copy.#journal = [...this.#journal];
    for (const key of this.#unreadable) copy.#unreadable.add(key);
    copy.#isLost = this.#isLost;
    return copy;
  }

  cut(random: Random, options: SimulatedLevelOptions = {}): SimulatedLevelStore {
    this.#power.off();
    if (this.#batchOut !== null && random() < 0.5) this.#apply(this.#batchOut);
    return this.copy(options);
  }

  get(key: string, path: string): Uint8Array | null {
    this.#power.check();
    this.#beforeRead();
    this.#refuseUnreadable(key, path);
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

  async *pages(from: string, to: string, path: string): AsyncIterable<readonly StoredRecord[]> {
    const keys = [...this.#records.keys()].filter((key) => key >= from && key < to).sort();
    const values = new Map(this.#records);
    const size = this.#options.pageRecords ?? 1000;
    for (let at = 0; at < keys.length; at += size) {
      this.#power.check();
      this.#beforeRead();
      const page = keys.slice(at, at + size);
      for (const key of page) this.#refuseUnreadable(key, path);
      yield page.map((key): StoredRecord => [key, values.get(key) as Uint8Array]);
    }
  }

  #beforeRead(): void {
    try {
      this.#options.beforeRead?.();
    } catch (cause) {
      throw diskError('read', 'the database', cause);
    }
  }

  #refuseUnreadable(key: string, path: string): void {
    if (!this.#unreadable.has(key)) return;
    throw damaged('state', path, 0, 'the database cannot be read');
  }

  #apply(changes: readonly LevelChange[]): void {
    const before = changes.map(([key]): LevelChange => [key, this.#records.get(key) ?? null]);
    this.#journal = [...this.#journal, { changes, before }].slice(-journalMax);
    this.#set(changes);
  }

  #set(changes: readonly LevelChange[]): void {
    for (const [key, bytes] of changes) {
      this.#unreadable.delete(key);
      if (bytes === null) this.#records.delete(key);
      else this.#records.set(key, bytes);
    }
  }
}

class SimulatedLevel implements Level {
  readonly #store: SimulatedLevelStore;
  readonly #path: string;
  #isClosed = false;

  constructor(store: SimulatedLevelStore, path: string) {
    this.#store = store;
    this.#path = path;
  }

  get(key: string): Uint8Array | null {
    this.#checkOpen();
    return this.#store.get(key, this.#path);
  }

  async write(changes: Iterable<LevelChange>): Promise<void> {
    this.#checkOpen();
    await this.#store.write(changes);
  }

  pages(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    this.#checkOpen();
    return this.#store.pages(from, to, this.#path);
  }

  snapshot(): LevelReading {
    this.#checkOpen();
    return new SimulatedLevel(this.#store.copy(), this.#path);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new RollcallError('storageFailed', 'The database is closed');
  }
}
