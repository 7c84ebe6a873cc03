/** The seams of the storage: what it needs from the outside, and what it offers to the node. */
import type { Hash64 } from '../base/hash.ts';
import type {
  Append,
  Configuration,
  Entry,
  EntryId,
  HardState,
  Index,
  NodeId,
} from '../format/types.ts';

/**
 * The Files seam. Paths are relative to the data directory, with `/`. Real and simulated files pass
 * one conformance suite. Every failure is a RollcallError `storageFailed` (or `dataDirectory` at open).
 */
export interface Files {
  /** Creates the file when `create` and it is missing; a missing file otherwise is null. */
  open(path: string, options: { readonly create: boolean }): Promise<File | null>;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(path: string): Promise<readonly string[]>;
  makeDirectory(path: string): Promise<void>;
  /** Atomic, durable once both directories are synced. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory durable. */
  syncDirectory(path: string): Promise<void>;
}

export interface File {
  size(): Promise<number>;
  /** Up to `length` bytes; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>;
  /** In place or extending. Not durable before `sync`. */
  write(position: number, bytes: Uint8Array): Promise<void>;
  /** fdatasync: all writes that resolved before are durable when it resolves. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The part of Level that we use; the simulator has a model of it. Keys are binary strings. */
export interface Level {
  get(key: string): Uint8Array | null;
  /** One atomic batch, durable when it resolves. */
  write(changes: readonly LevelChange[]): Promise<void>;
  /** In key order, from `from` (inclusive) to `to` (exclusive), in pages of a bounded size. */
  pages(from: string, to: string): AsyncIterable<readonly (readonly [string, Uint8Array])[]>;
  close(): Promise<void>;
}

export interface LevelChange {
  readonly key: string;
  /** Null deletes. */
  readonly bytes: Uint8Array | null;
}

export type OpenLevel = (path: string) => Promise<Level>;

/** Who this data directory is, minted and synced before the first handshake. */
export interface Identity {
  readonly memberId: NodeId;
  readonly name: string;
  /** Null until birth. */
  readonly birth: Birth | null;
}

/** What makes a member part of a cluster. */
export interface Birth {
  readonly clusterId: string;
  readonly incarnation: string;
  readonly configuration: Configuration;
}

/** Written with every generation, in the same atomic batch: Level is always exactly the state at one index. */
export interface CheckpointHeader {
  readonly applied: EntryId;
  readonly configuration: Configuration;
  readonly clusterId: string;
  readonly incarnation: string;
  readonly featureLevel: number;
  readonly revision: number;
  readonly logTimeMs: number;
  readonly wallTimeMs: number;
  /** One per key space, in the order of their ids. */
  readonly compactRevisions: readonly number[];
  readonly digest: Hash64;
}

/** Opened by `openStorage` once the member is born; everything the Ready loop needs of the disk. */
export interface Storage {
  /** Null before the first generation was written: the state is empty, at index 0. */
  readonly checkpoint: CheckpointHeader | null;
  readonly hardState: HardState;
  /** The log after the checkpoint's applied index, contiguous. */
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

/** Generations of records that are not in Level yet; reads go newest first, then to Level. */
export interface Overlay {
  read(key: string): Uint8Array | null;
  write(key: string, bytes: Uint8Array | null): void;
  /** Bytes held; above 64 MiB the node stops taking proposals or applying. */
  readonly bytes: number;
}
