/** The seams of the storage: what it needs from the outside, and what it offers to the node. */
import type { CheckpointHeader } from '../format/checkpoint.ts';
import type { Append, Entry, EntryId, HardState, Index } from '../format/types.ts';

/**
 * The Files seam. Paths are relative to the data directory, with `/`; the empty path is the directory
 * itself. Real and simulated files pass one conformance suite. Every failure is a RollcallError
 * `storageFailed` (or `dataDirectory` at open).
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
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
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

/** The part of Level that we use; the simulator has a model of it. Keys are binary strings, not empty. */
export interface Level {
  get(key: string): Uint8Array | null;
  /** One atomic batch, durable when it resolves. At most one is out; `changes` must not change meanwhile. */
  write(changes: Iterable<LevelChange>): Promise<void>;
  /** In key order, from `from` (inclusive) to `to` (exclusive), in pages of a bounded size. */
  pages(from: string, to: string): AsyncIterable<readonly (readonly [string, Uint8Array])[]>;
  close(): Promise<void>;
}

/** Null deletes. */
export type LevelChange = readonly [key: string, bytes: Uint8Array | null];

/** Throws `dataDamaged` when what is there cannot be opened. The path is as in Files. */
export type OpenLevel = (path: string) => Promise<Level>;

export type { CheckpointHeader } from '../format/checkpoint.ts';
export type { Birth, Identity } from '../format/identity.ts';

/** Opened by `openStorage` once the member is born; everything the Ready loop needs of the disk. */
export interface Storage {
  /** Null before the first generation was written: the state is empty, at index 0. */
  readonly checkpoint: CheckpointHeader | null;
  readonly hardState: HardState;
  /** The log after the checkpoint's applied index, contiguous. Given up with the first append. */
  readonly entries: readonly Entry[];
  readonly overlay: Overlay;

  /** One write with one fdatasync. At most one is out. Rejects with `storageFailed`: the process must end. */
  append(append: Append): Promise<void>;
  /** Stored entries from `from` on, at most about `bytesMax` (at least one), and the id of the one before. */
  readLog(
    from: Index,
    bytesMax: number,
  ): Promise<{ readonly prev: EntryId; readonly entries: readonly Entry[] }>;
  /** All records of Level, for loading the state at start. */
  load(from: string, to: string): AsyncIterable<readonly (readonly [string, Uint8Array])[]>;
  /**
   * Says that the overlay is at an entry boundary described by `header`; called after each applied
   * batch of entries. Freezes and writes a generation in the background when one is due.
   */
  applied(header: () => CheckpointHeader): void;
  /** Writes out everything, then closes. */
  close(): Promise<void>;
  /** Called once, with the error, when the background writing fails: the process must end. */
  onFailure: ((error: Error) => void) | null;
}

/**
 * Generations of records that are not in Level yet; reads go newest first, then to Level. Keys begin
 * with a byte below 0xff: what follows is the storage's own. Bytes given or read must not be changed.
 */
export interface Overlay {
  read(key: string): Uint8Array | null;
  write(key: string, bytes: Uint8Array | null): void;
  /** Bytes held; above 64 MiB the node stops taking proposals or applying. */
  readonly bytes: number;
}
