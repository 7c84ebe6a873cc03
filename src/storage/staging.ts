/**
 * Receives a state into a directory of its own. Batches are bounded and each is durable before the
 * next, and the header comes last: what a crash leaves is either whole or has no header, and in both
 * cases means nothing until the log names its directory.
 */
import { assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import type { CheckpointHeader } from '../format/checkpoint.ts';
import { checkpointChanges, recordsEnd } from './checkpoint-record.ts';
import { roomFor } from './checkpointer.ts';
import type { ReachFailpoint } from './failpoints.ts';
import { makeState, removeState, statePath } from './state-directory.ts';
import { findState, type StateOptions, StoredState } from './stored-state.ts';
import type { Level, LevelChange, StagedState, Staging, StoredRecord } from './types.ts';

const batchBytes = 1024 * 1024;

export interface StagingOptions extends StateOptions {
  /** Called when the staging has come to an end by `abort`. */
  readonly onAbort: () => void;
}

/** Makes the directory of this number, which does not exist. */
export async function beginStaging(
  options: StagingOptions,
  number: number,
  header: CheckpointHeader,
): Promise<StateStaging> {
  const { files, failpoint } = options;
  await failpoint('stage.begin');
  await makeState(files, number);
  await failpoint('stage.made');
  const { level } = await findState(options, number);
  return new StateStaging(options, number, header, level);
}

export class StateStaging implements Staging {
  readonly number: number;
  readonly #options: StagingOptions;
  readonly #header: CheckpointHeader;
  readonly #level: Level;
  #batch: LevelChange[] = [];
  #batchBytes = 0;
  #last = '';
  #finished: StoredState | null = null;
  #isOver = false;
  /** What is under way; an abort waits for it. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: StagingOptions, number: number, header: CheckpointHeader, level: Level) {
    this.#options = options;
    this.number = number;
    this.#header = header;
    this.#level = level;
  }

  /** Null until it is finished. */
  get finished(): StoredState | null {
    return this.#finished;
  }

  write(records: Iterable<StoredRecord>): Promise<void> {
    return this.#do(async () => {
      for (const [key, bytes] of records) {
        this.#add(key, bytes);
        if (this.#batchBytes >= batchBytes) await this.#writeBatch();
      }
    });
  }

  finish(): Promise<StagedState> {
    return this.#do(() => this.#finish());
  }

  async abort(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#work.catch(() => undefined);
    await this.#level.close();
    await removeState(this.#options.files, this.number);
    this.#options.onAbort();
  }

  /** It is installed: from now on it is the storage's. */
  handOver(): StoredState {
    assert(this.#finished !== null && !this.#isOver, 'Only a finished state is installed');
    this.#isOver = true;
    return this.#finished;
  }

  /** Closes it without removing anything: the next start does. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#work.catch(() => undefined);
    await this.#level.close();
  }

  #do<T>(work: () => Promise<T>): Promise<T> {
    assert(this.#finished === null, 'The staged state is finished already');
    const done = this.#work.then(() => {
      if (this.#isOver) throw new RollcallError('closed', 'The staging was given up');
      return work();
    });
    this.#work = done.catch(() => undefined);
    return done;
  }

  #add(key: string, bytes: Uint8Array): void {
    if (key <= this.#last || key >= recordsEnd) {
      throw new RollcallError('malformedFrame', 'The received records are not in order');
    }
    this.#last = key;
    this.#batch.push([key, bytes]);
    this.#batchBytes += key.length + bytes.length;
  }

  async #writeBatch(): Promise<void> {
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    if (batch.length === 0) return;
    await this.#options.space.demand(roomFor(bytes));
    await this.#reach('stage.batch');
    await this.#level.write(batch);
  }

  async #finish(): Promise<StagedState> {
    await this.#writeBatch();
    await this.#reach('stage.filled');
    const checkpoint = { header: this.#header, sequence: this.#options.sequence() };
    await this.#level.write(checkpointChanges(checkpoint));
    await this.#options.files.syncDirectory(statePath(this.number));
    const found = { number: this.number, level: this.#level, checkpoint };
    const state = new StoredState(this.#options, found);
    await this.#reach('stage.finished');
    this.#finished = state;
    return {
      header: this.#header,
      overlay: state.overlay,
      load: (from, to) => state.load(from, to),
    };
  }

  async #reach(name: Parameters<ReachFailpoint>[0]): Promise<void> {
    await this.#options.failpoint(name);
  }
}
