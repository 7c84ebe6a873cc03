/** The storage of one member: write-ahead log, overlay and Level, opened together. */
import { AssertionError, assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Append, Entry, EntryId, HardState, Index } from '../format/types.ts';
import { Checkpointer, levelDirectory, readCheckpoint } from './checkpointer.ts';
import { damaged } from './damage.ts';
import { loadIdentity, saveWalBegun } from './identity.ts';
import { GenerationOverlay } from './overlay.ts';
import type {
  CheckpointHeader,
  Files,
  Identity,
  Level,
  OpenLevel,
  Overlay,
  Storage,
} from './types.ts';
import { beginWal, type OpenedWal, openWal, type Wal } from './wal/wal.ts';

const mebi = 1024 * 1024;

export interface StorageOptions {
  readonly files: Files;
  readonly openLevel: OpenLevel;
  readonly clock: Clock;
  /** Born. */
  readonly identity: Identity;
  /** Size of a segment of the write-ahead log; 64 MiB unless given. */
  readonly segmentBytes?: number;
  /** Few big generations cost less than many small ones; a restart replays one or two. 16 MiB unless given. */
  readonly generationBytesMax?: number;
  /** 5 s unless given. */
  readonly generationAgeMsMax?: number;
  /** 32 MiB unless given. */
  readonly valueCacheBytesMax?: number;
}

/**
 * Opens, or at the first time begins, the storage of a born member. Throws `dataDamaged` without
 * changing anything when what is stored is not what was written, and `formatTooNew` when a newer
 * program wrote it. The caller closes the files after the storage.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const level = await options.openLevel(levelDirectory);
  try {
    return await openOver(level, options);
  } catch (error) {
    await level.close();
    throw error;
  }
}

async function openOver(level: Level, options: StorageOptions): Promise<Storage> {
  const { files, clock } = options;
  const identity = await loadIdentity(files);
  assert(identity?.memberId === options.identity.memberId, 'The identity is not of this directory');
  const { memberId, birth } = identity;
  assert(birth !== null, () => `Member ${memberId} is not born`);
  const checkpoint = await readCheckpoint(level);
  if (checkpoint !== null && checkpoint.clusterId !== birth.clusterId) {
    throw damaged(levelDirectory, 0, `it belongs to cluster ${checkpoint.clusterId}`);
  }
  const failure = new Failure();
  const walOptions = {
    files,
    clock,
    base: {
      memberId,
      clusterId: birth.clusterId,
      applied: checkpoint?.applied ?? { term: 0, index: 0 },
      configuration: checkpoint?.configuration ?? birth.configuration,
    },
    segmentBytes: options.segmentBytes ?? 64 * mebi,
    onFailure: (error: unknown) => failure.inBackground(error),
  };
  if (!identity.walBegun) {
    if (checkpoint !== null)
      throw damaged(levelDirectory, 0, 'it has a state, but no log has begun');
    await beginWal(walOptions);
    await saveWalBegun(files, identity);
  }
  const opened = await openWal(walOptions);
  const overlay = new GenerationOverlay(level, options.valueCacheBytesMax ?? 32 * mebi);
  const checkpointer = new Checkpointer({
    level,
    overlay,
    clock,
    generationBytesMax: options.generationBytesMax ?? 16 * mebi,
    generationAgeMsMax: options.generationAgeMsMax ?? 5000,
    onFailure: walOptions.onFailure,
  });
  return new MemberStorage({ level, opened, overlay, checkpointer, failure, checkpoint });
}

/** The first failure ends all work: what a failed write or sync has left behind is unknown. */
class Failure {
  listener: ((error: Error) => void) | null = null;
  #first: RollcallError | null = null;

  get first(): RollcallError | null {
    return this.#first;
  }

  inBackground(error: unknown): void {
    if (this.#first !== null) return;
    this.listener?.(this.record(error));
  }

  record(cause: unknown): RollcallError {
    this.#first ??=
      cause instanceof RollcallError && cause.code === 'storageFailed'
        ? cause
        : new RollcallError('storageFailed', 'The storage failed', { cause });
    return this.#first;
  }
}

interface Parts {
  readonly level: Level;
  readonly opened: OpenedWal;
  readonly overlay: GenerationOverlay;
  readonly checkpointer: Checkpointer;
  readonly failure: Failure;
  readonly checkpoint: CheckpointHeader | null;
}

class MemberStorage implements Storage {
  readonly checkpoint: CheckpointHeader | null;
  readonly hardState: HardState;
  readonly #parts: Omit<Parts, 'opened'>;
  readonly #wal: Wal;
  #appending: Promise<void> | null = null;
  #entries: readonly Entry[];
  #closing: Promise<void> | null = null;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.checkpoint = parts.checkpoint;
    this.hardState = parts.opened.hardState;
    this.#wal = parts.opened.wal;
    this.#entries = parts.opened.entries;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get overlay(): Overlay {
    return this.#parts.overlay;
  }

  get onFailure(): ((error: Error) => void) | null {
    return this.#parts.failure.listener;
  }

  set onFailure(listener: ((error: Error) => void) | null) {
    this.#parts.failure.listener = listener;
  }

  async append(append: Append): Promise<void> {
    this.#entries = [];
    this.#refuseAfterEnd();
    this.#appending = this.#wal.append(append);
    try {
      await this.#appending;
    } catch (error) {
      const failure = this.#parts.failure.record(error);
      throw error instanceof AssertionError ? error : failure;
    }
    // What the background left behind may concern these bytes too.
    if (this.#parts.failure.first !== null) throw this.#parts.failure.first;
  }

  async readLog(
    from: Index,
    bytesMax: number,
  ): Promise<{ readonly prev: EntryId; readonly entries: readonly Entry[] }> {
    this.#refuseAfterEnd();
    return await this.#wal.readLog(from, bytesMax);
  }

  load(from: string, to: string): AsyncIterable<readonly (readonly [string, Uint8Array])[]> {
    return this.#parts.level.pages(from, to);
  }

  applied(header: () => CheckpointHeader): void {
    if (this.#parts.failure.first !== null || this.#closing !== null) return;
    this.#parts.checkpointer.applied(header);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { checkpointer, level, failure } = this.#parts;
    const hasFailed = (): boolean => failure.first !== null;
    await this.#appending?.catch(() => undefined);
    await checkpointer.close(hasFailed);
    for (const part of [() => this.#wal.close(hasFailed()), () => level.close()]) {
      await part().catch((error: unknown) => failure.record(error));
    }
  }

  #refuseAfterEnd(): void {
    if (this.#parts.failure.first !== null) throw this.#parts.failure.first;
    if (this.#closing !== null) throw new RollcallError('closed', 'The storage was closed');
  }
}
