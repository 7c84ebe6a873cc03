/**
 * Moves generations into Level, one at a time, each as one atomic batch together with the header that
 * describes the state at its end. So Level is at every instant exactly the state at one index.
 */
import type { Clock } from '../base/clock.ts';
import type { CheckpointHeader } from '../format/checkpoint.ts';
import type { Index } from '../format/types.ts';
import { checkpointChanges, type StoredCheckpoint } from './checkpoint-record.ts';
import type { ReachFailpoint } from './failpoints.ts';
import type { GenerationOverlay } from './overlay.ts';
import { gaveUpWaiting, type Space } from './space.ts';
import type { Level, LevelChange } from './types.ts';

export interface CheckpointOptions {
  readonly clock: Clock;
  /** A generation of this size is due at once. */
  readonly generationBytesMax: number;
  /** Any generation is due this long after the last one. */
  readonly generationAgeMsMax: number;
  /** The number of the log's next group: all before it are durable. */
  readonly sequence: () => number;
  readonly space: Space;
  readonly failpoint: ReachFailpoint;
  readonly onFailure: (error: unknown) => void;
}

export class Checkpointer {
  readonly #options: CheckpointOptions;
  readonly #level: Level;
  readonly #overlay: GenerationOverlay;
  #durable: CheckpointHeader | null;
  #frozenAtMs: number;
  #writing: Promise<void> | null = null;
  #isClosing = false;
  #hasFailed = false;
  /** Describes the newest entry boundary; null when there was none since the last freeze. */
  #header: (() => CheckpointHeader) | null = null;

  constructor(
    options: CheckpointOptions,
    level: Level,
    overlay: GenerationOverlay,
    durable: CheckpointHeader | null,
  ) {
    this.#options = options;
    this.#level = level;
    this.#overlay = overlay;
    this.#durable = durable;
    this.#frozenAtMs = options.clock.monotonic();
  }

  /** Describes what Level holds; null while it is empty. */
  get durable(): CheckpointHeader | null {
    return this.#durable;
  }

  applied(header: () => CheckpointHeader): void {
    this.#overlay.markBoundary();
    this.#header = header;
    this.#freezeWhenDue();
  }

  /** Writes out everything, if the overlay is at an entry boundary; does nothing once it was stopped. */
  async flush(): Promise<void> {
    await this.#writing;
    if (!this.#isClosing) await this.#writeOut();
  }

  /** Waits for the generation on its way. None follows. */
  async stop(): Promise<void> {
    this.#isClosing = true;
    await this.#writing;
  }

  /** Waits for the generation on its way and, unless something failed, writes what is left. */
  async close(hasFailed: () => boolean): Promise<void> {
    await this.stop();
    if (!hasFailed()) await this.#writeOut();
  }

  async #writeOut(): Promise<void> {
    if (this.#writing === null && this.#overlay.isAtBoundary) this.#freeze();
    await this.#writing;
  }

  #freezeWhenDue(): void {
    const { clock, generationBytesMax, generationAgeMsMax } = this.#options;
    if (this.#writing !== null || !this.#overlay.isAtBoundary) return;
    const isDue =
      this.#overlay.newestBytes >= generationBytesMax ||
      clock.monotonic() - this.#frozenAtMs >= generationAgeMsMax;
    if (isDue) this.#freeze();
  }

  #freeze(): void {
    const header = this.#header?.();
    this.#header = null;
    if (header === undefined || this.#hasFailed) return;
    // What is applied to a state that an install has replaced is none of this one.
    if (header.applied.index < appliedIndex(this.#durable)) return;
    this.#frozenAtMs = this.#options.clock.monotonic();
    const stored = { header, sequence: this.#options.sequence() };
    const bytes = this.#overlay.newestBytes;
    this.#writing = this.#write(this.#overlay.freeze(), bytes, stored).then(
      () => {
        this.#writing = null;
        this.#durable = header;
        this.#overlay.drop();
        // A node whose memory is full applies nothing until the next generation has gone as well.
        if (!this.#isClosing) this.#freezeWhenDue();
      },
      (error: unknown) => {
        this.#writing = null;
        this.#hasFailed = true;
        // The storage was closed while it waited for room: the log has it all.
        if (!gaveUpWaiting(error)) this.#options.onFailure(error);
      },
    );
  }

  async #write(
    records: Iterable<LevelChange>,
    bytes: number,
    stored: StoredCheckpoint,
  ): Promise<void> {
    const { failpoint, space } = this.#options;
    // LevelDB does not get over a write that found no room.
    await space.wait(roomFor(bytes));
    await failpoint('checkpoint.begin');
    await this.#level.write(changes(records, stored));
    await failpoint('checkpoint.durable');
  }
}

/** LevelDB writes a batch to its log and later once more into a table. */
export function roomFor(batchBytes: number): number {
  return 2 * batchBytes + 1024 * 1024;
}

function* changes(records: Iterable<LevelChange>, stored: StoredCheckpoint): Iterable<LevelChange> {
  yield* records;
  yield* checkpointChanges(stored);
}

/** The last entry that a state described by this header has applied. */
export function appliedIndex(header: CheckpointHeader | null): Index {
  return header?.applied.index ?? 0;
}
