/** The seams of the storage: what it needs from the outside, and what it offers to the node. */
import type { CheckpointHeader } from '../format/checkpoint.ts';
import type {
  Append,
  Entry,
  EntryId,
  HardState,
  Index,
  SnapshotMetadata,
} from '../format/types.ts';

/**
 * The Files seam. Paths are relative to the data directory, with `/`; the empty path is the directory
 * itself. Real and simulated files pass one conformance suite. Every failure is a RollcallError
 * `storageFailed` (or `dataDirectory` at open), with the details `{ reason: 'full' }` when there is no
 * space left.
 */
export interface Files {
  /** Creates the file when `create` and it is missing; a missing file otherwise is null. */
  open(path: string, options: { readonly create: boolean }): Promise<File | null>;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(path: string): Promise<readonly string[]>;
  /** Does nothing when it exists. */
  makeDirectory(path: string): Promise<void>;
  /** Replaces what has the name `to`. Atomic, durable once both directories are synced. */
  rename(from: string, to: string): Promise<void>;
  /** Does nothing when there is no such file. */
  remove(path: string): Promise<void>;
  /** With everything in it; not atomic. Takes a file as well, and does nothing when there is neither. */
  removeDirectory(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Bytes that this process may still write to the disk of the directory. */
  freeBytes(): Promise<number>;
  /** Lets another process have the directory. Files stay usable until they are closed themselves. */
  close(): Promise<void>;
}

export interface File {
  size(): Promise<number>;
  /** Up to `length` bytes; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** In place or extending. Not durable before `sync`. `bytes` stay unchanged until it resolves. */
  write(position: number, bytes: Uint8Array): Promise<void>;
  /**
   * Writes these bytes and makes them durable in one operation; says nothing about other writes.
   * One trip to the disk's threads instead of two.
   */
  writeDurably(position: number, bytes: Uint8Array): Promise<void>;
  /** fdatasync: all writes that resolved before it was called are durable when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** A key and its bytes, which must not be changed. */
export type StoredRecord = readonly [key: string, bytes: Uint8Array];

export interface LevelReading {
  get(key: string): Uint8Array | null;
  /** In key order, from `from` (inclusive) to `to` (exclusive), in pages of a bounded size. */
  pages(from: string, to: string): AsyncIterable<readonly StoredRecord[]>;
  close(): Promise<void>;
}

/** The part of Level that we use; the simulator has a model of it. Keys are binary strings, not empty. */
export interface Level extends LevelReading {
  /** One atomic batch, durable when it resolves. At most one is out; `changes` must not change meanwhile. */
  write(changes: Iterable<LevelChange>): Promise<void>;
  /** What the database holds now, whatever is written later. Closed before the database. */
  snapshot(): LevelReading;
}

/** Null deletes. */
export type LevelChange = readonly [key: string, bytes: Uint8Array | null];

/** Throws `dataDamaged` when what is there cannot be opened. The path is as in Files. */
export type OpenLevel = (path: string) => Promise<Level>;

/** Stored entries that follow `prev`; without any and without `prev` when the log begins later. */
export interface LogSlice {
  readonly prev: EntryId | null;
  readonly entries: readonly Entry[];
}

export type { CheckpointHeader } from '../format/checkpoint.ts';
export type { Birth, Identity } from '../format/identity.ts';

/** Opened by `openStorage` once the member is born; everything the Ready loop needs of the disk. */
export interface Storage {
  /**
   * Describes the state that Level holds now. Null before the first generation was written: then the
   * state is empty, at index 0, unless `isStateMissing`.
   */
  readonly checkpoint: CheckpointHeader | null;
  /**
   * There is no state, and the log does not begin early enough to make one. The member keeps its
   * promises by its log, and needs a state of another one: `stage`, then `restoreState` or an append.
   */
  readonly isStateMissing: boolean;
  readonly hardState: HardState;
  /**
   * Where the core begins: at the checkpoint of the opening or, when the state is missing, at an
   * entry that the log knows to be committed.
   */
  readonly start: SnapshotMetadata;
  /** The log after `start`, contiguous. Given up with the first append. */
  readonly entries: readonly Entry[];
  /** Of the current state: another one after an install. */
  readonly overlay: Overlay;

  /**
   * One write with one fdatasync. At most one is out. Rejects with `storageFailed`: the process must end.
   *
   * With a snapshot it is the commit point of an install: the state that `stage` made and `finish`
   * returned, which must stand at the snapshot's last entry, is the current one when this resolves.
   */
  append(append: Append): Promise<void>;
  /**
   * Stored entries from `from` on, at most about `bytesMax` (at least one), and the id of the one
   * before, which is null, without entries, when the log begins after `from`.
   */
  readLog(from: Index, bytesMax: number): Promise<LogSlice>;
  /** The first entry that `readLog` has; one more than the last of an empty log. */
  readonly logFirst: Index;
  /** Bytes of log on the disk. */
  readonly logBytes: number;
  /**
   * Gives up log up to `through`: whole segments, and nothing that Level has not applied. Until then
   * all of it is kept. What is kept bounds the work of a start.
   */
  releaseLog(through: Index): Promise<void>;
  /**
   * The disk is full, and an append or a generation waits until it has room again. Staging does not
   * wait: it rejects with the reason `full`, and may be aborted and begun again.
   */
  readonly waitsForSpace: boolean;
  /** Bytes that the disk has room for. */
  freeBytes(): Promise<number>;
  /** For how long the append or the oldest read of the log that is out has been out, in ms; 0 when none is. */
  pendingMs(): number;

  /** All records of Level, for loading the state at start. */
  load(from: string, to: string): AsyncIterable<readonly StoredRecord[]>;
  /**
   * Says that the overlay is at an entry boundary described by `header`; called after each applied
   * batch of entries. Freezes and writes a generation in the background when one is due. Does nothing
   * when the header is older than the state: then it is about one that an install has replaced.
   */
  applied(header: () => CheckpointHeader): void;
  /** Writes out all that was applied; called at an entry boundary, so that all of it can be. */
  checkpointNow(): Promise<void>;
  /** Pins the state that Level holds now, which costs nothing until it changes; null while it is empty. */
  openSnapshot(): StateSnapshot | null;
  /** Begins to receive a state; at most one at a time. */
  stage(header: CheckpointHeader): Promise<Staging>;
  /** Whether the stored log has this very entry, or begins right after it. */
  holds(entry: EntryId): boolean;
  /**
   * Makes the finished state the current one without a word from the core, and leaves the log as it
   * is: for a member whose state is missing. The log must hold the state's last entry. Ordered with
   * appends.
   */
  restoreState(): Promise<void>;

  /** Writes out everything, then closes. */
  close(): Promise<void>;
  /** Called once, with the error, when the background writing fails: the process must end. */
  onFailure: ((error: Error) => void) | null;
}

/** A state that is held still while it is read. As long as it is open, the disk keeps what it shows. */
export interface StateSnapshot {
  readonly header: CheckpointHeader;
  /**
   * Records in key order after the key `after` (null: from the first one), at most about `bytesMax`
   * but at least one; `done` says that none is left. One read at a time; going on from where the last
   * one ended is cheap, any other place possible. Rejects with `closed` once the state was replaced.
   */
  read(
    after: string | null,
    bytesMax: number,
  ): Promise<{ readonly records: readonly StoredRecord[]; readonly done: boolean }>;
  close(): Promise<void>;
}

/** A directory that is filled with a received state. Nothing of it counts before the install. */
export interface Staging {
  /**
   * Records in key order, after those of earlier calls; when it resolves, more may come. Throws
   * `malformedFrame` for keys that no state has.
   */
  write(records: Iterable<StoredRecord>): Promise<void>;
  /** Makes it whole and durable. */
  finish(): Promise<StagedState>;
  /** Removes it. Does nothing once it was installed. */
  abort(): Promise<void>;
}

/** A received state, for the caller to verify before it is installed. */
export interface StagedState {
  readonly header: CheckpointHeader;
  /** Becomes the storage's own with the install. */
  readonly overlay: Overlay;
  load(from: string, to: string): AsyncIterable<readonly StoredRecord[]>;
}

/**
 * Generations of records that are not in Level yet; reads go newest first, then to Level. Keys begin
 * with a byte below 0xff: what follows is the storage's own. Bytes given are copied; bytes read must
 * not be changed.
 */
export interface Overlay {
  read(key: string, keep?: boolean): Uint8Array | null;
  write(key: string, bytes: Uint8Array | null): void;
  /** Bytes held; above 64 MiB the node stops taking proposals or applying. */
  readonly bytes: number;
}
