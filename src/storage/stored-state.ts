/** One state on the disk: Level in a directory of its own, and the overlay that is moved into it. */
import type { CheckpointHeader } from '../format/checkpoint.ts';
import { readCheckpoint, readHeader, type StoredCheckpoint } from './checkpoint-record.ts';
import { Checkpointer, type CheckpointOptions } from './checkpointer.ts';
import { damaged } from './damage.ts';
import { GenerationOverlay } from './overlay.ts';
import { listStates, removeState, statePath } from './state-directory.ts';
import { PinnedState } from './state-snapshot.ts';
import type { Files, Level, OpenLevel, StateSnapshot, StoredRecord } from './types.ts';

export interface StateOptions extends CheckpointOptions {
  readonly files: Files;
  readonly openLevel: OpenLevel;
  readonly valueCacheBytesMax: number;
}

/** The file of LevelDB that leads to all others. */
const entryPoint = 'CURRENT';

/** A state as it was found. */
export interface FoundState {
  readonly number: number;
  readonly level: Level;
  readonly checkpoint: StoredCheckpoint | null;
}

/** Opens the database in a directory that `makeState` has made. Throws `dataDamaged` when it is not as it was. */
export async function findState(
  options: Pick<StateOptions, 'files' | 'openLevel'>,
  number: number,
): Promise<FoundState> {
  const { files, openLevel } = options;
  const path = statePath(number);
  if (!(await listStates(files)).includes(number)) {
    throw damaged('state', path, 0, 'the directory is missing');
  }
  const names = await files.list(path);
  const isNew = !names.includes(entryPoint);
  // LevelDB would begin anew, and remove what is there.
  if (isNew && names.some((name) => /\.(log|ldb)$/.test(name))) {
    throw damaged('state', path, 0, `${entryPoint} is missing`);
  }
  const level = await openLevel(path);
  try {
    // LevelDB does not make the name of its entry point durable.
    if (isNew) await files.syncDirectory(path);
    return { number, level, checkpoint: await readCheckpoint(path, level) };
  } catch (error) {
    await level.close();
    throw error;
  }
}

export class StoredState {
  readonly number: number;
  readonly overlay: GenerationOverlay;
  readonly #options: StateOptions;
  readonly #level: Level;
  readonly #checkpointer: Checkpointer;
  readonly #snapshots = new Set<PinnedState>();

  constructor(options: StateOptions, { number, level, checkpoint }: FoundState) {
    this.number = number;
    this.#options = options;
    this.#level = level;
    this.overlay = new GenerationOverlay(level, options.valueCacheBytesMax);
    const durable = checkpoint?.header ?? null;
    this.#checkpointer = new Checkpointer(options, level, this.overlay, durable);
  }

  /** Describes what Level holds; null while it is empty. */
  get checkpoint(): CheckpointHeader | null {
    return this.#checkpointer.durable;
  }

  load(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    return this.#level.pages(from, to);
  }

  applied(header: () => CheckpointHeader): void {
    this.#checkpointer.applied(header);
  }

  flush(): Promise<void> {
    return this.#checkpointer.flush();
  }

  /** The header is read as pinned: a generation on its way may be in Level before anybody knows. */
  openSnapshot(): StateSnapshot | null {
    if (this.checkpoint === null) return null;
    const level = this.#level.snapshot();
    const header = readHeader(statePath(this.number), level);
    const pinned = new PinnedState(header, level, () => this.#snapshots.delete(pinned));
    this.#snapshots.add(pinned);
    return pinned;
  }

  /** Writes out what is left, unless something has failed, and closes the database. */
  async close(hasFailed: () => boolean): Promise<void> {
    await this.#checkpointer.close(hasFailed);
    await this.#closeLevel();
  }

  /** Gives the state up for another one: whoever still reads it is told `closed`. */
  async retire(): Promise<void> {
    await this.#checkpointer.stop();
    await this.#closeLevel();
    const { files, failpoint } = this.#options;
    await failpoint('install.retired');
    await removeState(files, this.number);
    await failpoint('install.removed');
  }

  async #closeLevel(): Promise<void> {
    for (const pinned of [...this.#snapshots]) await pinned.close();
    await this.#level.close();
  }
}
