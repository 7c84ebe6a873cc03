/**
 * Moves generations into Level, one at a time, each as one atomic batch together with the header that
 * describes the state at its end. So Level is at every instant exactly the state at one index.
 */
import type { Clock } from '../base/clock.ts';
import {
  type CheckpointHeader,
  decodeCheckpointHeader,
  encodeCheckpointHeader,
} from '../format/checkpoint.ts';
import { damaged } from './damage.ts';
import type { GenerationOverlay } from './overlay.ts';
import { seal, unseal } from './sealed.ts';
import type { Level, LevelChange } from './types.ts';

export const levelDirectory = 'level';

/** After all records. */
const headerKey = '\xffcheckpoint';
const recordsEnd = '\xff';

/** The state that Level holds, or null while it is empty. Records without a header are damage. */
export async function readCheckpoint(level: Level): Promise<CheckpointHeader | null> {
  const bytes = level.get(headerKey);
  if (bytes !== null) return unseal(levelDirectory, bytes, decodeCheckpointHeader);
  for await (const page of level.pages('', recordsEnd)) {
    if (page.length === 0) continue;
    throw damaged(levelDirectory, 0, 'there are records, but their header is missing');
  }
  return null;
}

export interface CheckpointerOptions {
  readonly level: Level;
  readonly overlay: GenerationOverlay;
  readonly clock: Clock;
  /** A generation of this size is due at once. */
  readonly generationBytesMax: number;
  /** Any generation is due this long after the last one. */
  readonly generationAgeMsMax: number;
  readonly onFailure: (error: unknown) => void;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #frozenAtMs: number;
  #writing: Promise<void> | null = null;
  #isClosing = false;
  /** Describes the newest entry boundary; null when there was none since the last freeze. */
  #header: (() => CheckpointHeader) | null = null;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#frozenAtMs = options.clock.monotonic();
  }

  applied(header: () => CheckpointHeader): void {
    this.#options.overlay.markBoundary();
    this.#header = header;
    this.#freezeWhenDue();
  }

  /** Waits for the generation on its way and, unless something failed, writes what is left. */
  async close(hasFailed: () => boolean): Promise<void> {
    this.#isClosing = true;
    await this.#writing;
    if (hasFailed() || this.#header === null || !this.#options.overlay.isAtBoundary) return;
    this.#freeze(this.#header());
    await this.#writing;
  }

  #freezeWhenDue(): void {
    const { overlay, clock, generationBytesMax, generationAgeMsMax } = this.#options;
    if (this.#writing !== null || this.#header === null || !overlay.isAtBoundary) return;
    const isDue =
      overlay.newestBytes >= generationBytesMax ||
      clock.monotonic() - this.#frozenAtMs >= generationAgeMsMax;
    if (isDue) this.#freeze(this.#header());
  }

  #freeze(header: CheckpointHeader): void {
    const { overlay, clock, level, onFailure } = this.#options;
    this.#header = null;
    this.#frozenAtMs = clock.monotonic();
    const bytes = seal((writer) => encodeCheckpointHeader(writer, header));
    this.#writing = level.write(changes(overlay.freeze(), bytes)).then(
      () => {
        this.#writing = null;
        overlay.drop();
        // A node whose memory is full applies nothing until the next generation has gone as well.
        if (!this.#isClosing) this.#freezeWhenDue();
      },
      (error: unknown) => {
        this.#writing = null;
        onFailure(error);
      },
    );
  }
}

function* changes(
  records: ReadonlyMap<string, Uint8Array | null>,
  header: Uint8Array,
): Iterable<LevelChange> {
  yield* records;
  yield [headerKey, header];
}
