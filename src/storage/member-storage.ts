/**
 * The open storage of one member: the log, the current state, and perhaps a state that is being
 * received to take its place.
 */
import { AssertionError, assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import type {
  Append,
  Entry,
  EntryId,
  HardState,
  Index,
  SnapshotMetadata,
} from '../format/types.ts';
import { appliedIndex } from './checkpointer.ts';
import type { Failure } from './failure.ts';
import { gaveUpWaiting } from './space.ts';
import { beginStaging, type StateStaging } from './staging.ts';
import { listStates } from './state-directory.ts';
import type { StateOptions, StoredState } from './stored-state.ts';
import type {
  CheckpointHeader,
  LogSlice,
  Overlay,
  Staging,
  StateSnapshot,
  Storage,
  StoredRecord,
} from './types.ts';
import type { RecoveredLog } from './wal/recovery.ts';
import type { Wal } from './wal/wal.ts';

export interface StorageParts {
  readonly stateOptions: StateOptions;
  readonly state: StoredState;
  readonly isStateMissing: boolean;
  readonly wal: Wal;
  readonly recovered: Pick<RecoveredLog, 'hardState' | 'start' | 'entries'>;
  readonly failure: Failure;
}

export class MemberStorage implements Storage {
  readonly hardState: HardState;
  readonly start: SnapshotMetadata;
  readonly #options: StateOptions;
  readonly #wal: Wal;
  readonly #failure: Failure;
  #state: StoredState;
  #isStateMissing: boolean;
  #entries: readonly Entry[];
  /** The append or install that is out, and since when. */
  #writing: Promise<void> | null = null;
  #writingSinceMs = 0;
  #isAppendOut = false;
  /** The reads of the log that are out, oldest first. */
  readonly #reads = new Set<{ readonly sinceMs: number }>();
  /** A state that is being received. */
  #staging: StateStaging | null = null;
  /** Resolves to it, or to null when it could not be begun; null while none is received. */
  #stagingBegun: Promise<StateStaging | null> | null = null;
  /** States that were replaced, on their way out. */
  #retiring: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(parts: StorageParts) {
    this.#options = parts.stateOptions;
    this.#state = parts.state;
    this.#isStateMissing = parts.isStateMissing;
    this.#wal = parts.wal;
    this.#failure = parts.failure;
    this.hardState = parts.recovered.hardState;
    this.start = parts.recovered.start;
    this.#entries = parts.recovered.entries;
    this.#removeDeadLog();
  }

  get checkpoint(): CheckpointHeader | null {
    return this.#state.checkpoint;
  }

  get isStateMissing(): boolean {
    return this.#isStateMissing;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get overlay(): Overlay {
    return this.#state.overlay;
  }

  get logFirst(): Index {
    return this.#wal.base.index + 1;
  }

  get logBytes(): number {
    return this.#wal.bytes;
  }

  get onFailure(): ((error: Error) => void) | null {
    return this.#failure.listener;
  }

  set onFailure(listener: ((error: Error) => void) | null) {
    this.#failure.listener = listener;
  }

  async append(append: Append): Promise<void> {
    assert(!this.#isAppendOut, () => `Append ${append.number} while another one is out`);
    this.#entries = [];
    this.#isAppendOut = true;
    await this.#write(append);
    this.#isAppendOut = false;
  }

  holds(entry: EntryId): boolean {
    return this.#wal.holds(entry);
  }

  async restoreState(): Promise<void> {
    const header = this.#finished().header;
    const last = header.applied;
    assert(this.holds(last), () => `The log does not hold entry ${last.index}`);
    const snapshot = { last, configuration: header.configuration };
    await this.#write({ number: 0, hardState: null, snapshot, entries: [] });
  }

  async readLog(from: Index, bytesMax: number): Promise<LogSlice> {
    this.#refuseAfterEnd();
    const read = { sinceMs: this.#options.clock.monotonic() };
    this.#reads.add(read);
    try {
      return await this.#wal.readLog(from, bytesMax);
    } finally {
      this.#reads.delete(read);
    }
  }

  async releaseLog(through: Index): Promise<void> {
    this.#refuseAfterEnd();
    const limit = Math.min(through, appliedIndex(this.checkpoint));
    await this.#wal.release(limit).catch((error: unknown) => {
      throw this.#failure.record(error);
    });
  }

  freeBytes(): Promise<number> {
    return this.#options.files.freeBytes();
  }

  get waitsForSpace(): boolean {
    return this.#options.space.isShort;
  }

  pendingMs(): number {
    const nowMs = this.#options.clock.monotonic();
    const [read] = this.#reads;
    const sinceMs = Math.min(
      this.#writing === null ? nowMs : this.#writingSinceMs,
      read === undefined ? nowMs : read.sinceMs,
    );
    return nowMs - sinceMs;
  }

  load(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    return this.#state.load(from, to);
  }

  applied(header: () => CheckpointHeader): void {
    if (this.#failure.first !== null || this.#closing !== null) return;
    this.#state.applied(header);
  }

  async checkpointNow(): Promise<void> {
    this.#refuseAfterEnd();
    await this.#state.flush();
    this.#refuseAfterEnd();
  }

  openSnapshot(): StateSnapshot | null {
    this.#refuseAfterEnd();
    return this.#state.openSnapshot();
  }

  async stage(header: CheckpointHeader): Promise<Staging> {
    this.#refuseAfterEnd();
    assert(this.#stagingBegun === null, 'Two states are received at once');
    const beginning = this.#stage(header);
    this.#stagingBegun = beginning.catch(() => null);
    try {
      this.#staging = await beginning;
      return this.#staging;
    } catch (error) {
      this.#stagingBegun = null;
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #stage(header: CheckpointHeader): Promise<StateStaging> {
    const numbers = await listStates(this.#options.files);
    const number = Math.max(this.#state.number, ...numbers) + 1;
    const onAbort = (): void => this.#forgetStaging();
    return await beginStaging({ ...this.#options, onAbort }, number, header);
  }

  #forgetStaging(): void {
    this.#staging = null;
    this.#stagingBegun = null;
  }

  async #write(append: Append): Promise<void> {
    this.#refuseAfterEnd();
    // Only an append and a restored state can meet here.
    while (this.#writing !== null) await this.#writing.catch(() => undefined);
    this.#refuseAfterEnd();
    this.#writingSinceMs = this.#options.clock.monotonic();
    this.#writing =
      append.snapshot === null
        ? this.#wal.append(append, null)
        : this.#install(append, append.snapshot);
    try {
      await this.#writing;
    } catch (error) {
      if (gaveUpWaiting(error)) throw error;
      const failure = this.#failure.record(error);
      throw error instanceof AssertionError ? error : failure;
    } finally {
      this.#writing = null;
    }
    // What the background left behind may concern these bytes too.
    if (this.#failure.first !== null) throw this.#failure.first;
  }

  /** The append is the commit point: before it the old state is the current one, after it the new one. */
  async #install(append: Append, { last }: SnapshotMetadata): Promise<void> {
    const { staging, header } = this.#finished();
    assert(
      header.applied.index === last.index && header.applied.term === last.term,
      () => `The staged state stands at entry ${header.applied.index}, not at ${last.index}`,
    );
    await this.#options.failpoint('install.begin');
    await this.#wal.append(append, staging.number);
    await this.#options.failpoint('install.durable');
    const old = this.#state;
    this.#state = staging.handOver();
    this.#forgetStaging();
    this.#isStateMissing = false;
    this.#inBackground(() => old.retire());
    this.#removeDeadLog();
  }

  /** What stands before the beginning of the log is left over from before an install. */
  #removeDeadLog(): void {
    this.#inBackground(() => this.#wal.release(this.#wal.base.index));
  }

  #finished(): { readonly staging: StateStaging; readonly header: CheckpointHeader } {
    const staging = this.#staging;
    const header = staging?.finished?.checkpoint;
    assert(staging !== null && header != null, 'No received state is whole');
    return { staging, header };
  }

  #inBackground(work: () => Promise<void>): void {
    this.#retiring = this.#retiring.then(work).catch((error: unknown) => {
      this.#failure.inBackground(error);
    });
  }

  async #close(): Promise<void> {
    const hasFailed = (): boolean => this.#failure.first !== null;
    this.#options.space.close();
    await this.#writing?.catch(() => undefined);
    await this.#retiring;
    const parts = [
      async () => (await this.#stagingBegun)?.close(),
      () => this.#state.close(hasFailed),
      () => this.#wal.close(hasFailed()),
    ];
    for (const part of parts) {
      await part().catch((error: unknown) => this.#failure.record(error));
    }
  }

  #refuseAfterEnd(): void {
    if (this.#failure.first !== null) throw this.#failure.first;
    if (this.#closing !== null) throw new RollcallError('closed', 'The storage was closed');
  }
}
