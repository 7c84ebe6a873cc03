/**
 * Gives the whole state to clients as the bytes of a backup file. The state is pinned as Level holds it
 * once everything is there that was committed before, and read as fast as the client takes it, so that
 * a backup costs memory for a few pieces, and writes go on beside it.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Index } from '../raft/types.ts';
import { BackupWriter } from '../storage/backup-file.ts';
import type { StateSnapshot, Storage } from '../storage/types.ts';
import { CheckedSnapshot } from './checked-snapshot.ts';
import type { Reads } from './reads.ts';
import { closedError, refuseStream } from './refusals.ts';
import type { BackupRequest, BackupSink, StreamHandle } from './types.ts';

export interface BackupsOptions {
  /** Of this node. */
  readonly name: string;
  readonly storage: Pick<Storage, 'checkpointNow' | 'openSnapshot'>;
  readonly reads: Reads;
  readonly clock: Clock;
  readonly appliedIndex: () => Index;
  /** The stored state could not be read: the process must end. */
  readonly failed: (error: unknown) => void;
}

/** Each holds disk space of states that have passed. */
const backupsMax = 4;
const pieceBytes = 192 * 1024;
/** An entry that is being applied is done long before. */
const lookAgainMs = 10;

export class Backups {
  readonly #options: BackupsOptions;
  readonly #open = new Set<Backup>();
  #isClosed = false;

  constructor(options: BackupsOptions) {
    this.#options = options;
  }

  /** `refusal` is why nothing is served at the moment, or null. */
  open(request: BackupRequest, sink: BackupSink, refusal: RollcallError | null): StreamHandle {
    if (refusal !== null) return refuseStream(this.#options.clock, sink, refusal);
    const backup = new Backup(this.#options, sink, () => this.#open.delete(backup));
    const read = {
      run: () => this.#admit(backup),
      fail: (error: RollcallError) => backup.end(error),
    };
    this.#options.reads.add(request, read);
    return { resume: () => backup.resume(), cancel: () => backup.end(null) };
  }

  /** Does not wait for what is being read: that ends with the storage. */
  close(): void {
    this.#isClosed = true;
    for (const backup of this.#open) backup.end(closedError());
  }

  #admit(backup: Backup): void {
    if (this.#isClosed) {
      backup.end(closedError());
    } else if (this.#open.size >= backupsMax) {
      const message = `${backupsMax} backups are being taken from this node`;
      backup.end(new RollcallError('tooManyRequests', message));
    } else {
      this.#open.add(backup);
      backup.begin();
    }
  }
}

/** One of them: `begin` once it may be, then pieces for as long as the sink takes them. */
class Backup {
  readonly #options: BackupsOptions;
  readonly #sink: BackupSink;
  readonly #onOver: () => void;
  #isOver = false;
  /** Ends the pause that the sink has asked for; null while it has not. */
  #goOn: (() => void) | null = null;

  constructor(options: BackupsOptions, sink: BackupSink, onOver: () => void) {
    this.#options = options;
    this.#sink = sink;
    this.#onOver = onOver;
  }

  begin(): void {
    if (this.#isOver) {
      this.#onOver();
      return;
    }
    void this.#run().finally(this.#onOver);
  }

  resume(): void {
    this.#goOn?.();
    this.#goOn = null;
  }

  /** Null when nobody is to be told. */
  end(error: RollcallError | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.resume();
    if (error !== null) this.#sink.end(error);
  }

  async #run(): Promise<void> {
    let snapshot: StateSnapshot | null = null;
    try {
      snapshot = await this.#pin();
      if (snapshot !== null) await this.#send(snapshot);
    } catch (error) {
      this.#failed(error);
    } finally {
      await snapshot?.close();
    }
  }

  /** Null when it is over. */
  async #pin(): Promise<StateSnapshot | null> {
    const { storage, appliedIndex, clock } = this.#options;
    const wanted = appliedIndex();
    while (!this.#isOver) {
      // Does nothing in the middle of an entry.
      await storage.checkpointNow();
      const snapshot = this.#isOver ? null : storage.openSnapshot();
      if (snapshot !== null && snapshot.header.applied.index >= wanted) {
        return new CheckedSnapshot(snapshot);
      }
      await snapshot?.close();
      await new Promise<void>((resolve) => clock.after(lookAgainMs, resolve));
    }
    return null;
  }

  async #send(snapshot: StateSnapshot): Promise<void> {
    const { name, clock } = this.#options;
    const writer = new BackupWriter({
      savedAtMs: clock.wall(),
      savedFrom: name,
      state: snapshot.header,
    });
    await this.#give(writer.header());
    let after: string | null = null;
    for (let isDone = false; !isDone && !this.#isOver; ) {
      const { records, done } = await snapshot.read(after, pieceBytes);
      await this.#give(writer.records(records));
      after = records.at(-1)?.[0] ?? after;
      isDone = done;
    }
    await this.#give(writer.end());
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.done(snapshot.header.revision);
  }

  /** Resolves once there is room for the next piece. */
  async #give(bytes: Uint8Array): Promise<void> {
    if (this.#isOver || this.#sink.send(bytes)) return;
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
  }

  #failed(error: unknown): void {
    if (this.#isOver) return;
    if (error instanceof RollcallError && error.code === 'closed') {
      const message = 'This node closes, or took over a newer state: take the backup again';
      this.end(new RollcallError('behind', message));
      return;
    }
    this.end(new RollcallError('storageFailed', 'The stored state could not be read'));
    this.#options.failed(error);
  }
}
