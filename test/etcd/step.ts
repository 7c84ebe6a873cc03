/** What programs are made of: requests as both stores understand them, and answers in one form. */
import type {
  DeleteOperation,
  Key,
  KeyRange,
  LeaseId,
  PutOperation,
  RangeRequest,
  TxnOperation,
} from '../../src/mvcc/types.ts';

export type Step =
  | (RangeRequest & { readonly type: 'range'; readonly serializable: boolean })
  | PutOperation
  | DeleteOperation
  | TxnOperation
  | { readonly type: 'leaseGrant'; readonly leaseId: LeaseId; readonly ttlSeconds: number }
  | { readonly type: 'leaseRevoke'; readonly leaseId: LeaseId }
  | { readonly type: 'leaseKeepAlive'; readonly leaseId: LeaseId }
  | { readonly type: 'leaseTimeToLive'; readonly leaseId: LeaseId }
  | { readonly type: 'leaseList' }
  | { readonly type: 'compact'; readonly revision: number; readonly physical: boolean };

export interface WatchStep extends KeyRange {
  readonly type: 'watch';
  /** 0 is from now on. */
  readonly startRevision: number;
  readonly previous: boolean;
  readonly only: 'put' | 'delete' | null;
}

/** Values in hexadecimal, so that a difference can be read and printed. */
export interface AnsweredPair {
  readonly key: Key;
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly leaseId: LeaseId | null;
}

/** Plain data that `isDeepStrictEqual` compares. */
export interface Answer {
  readonly revision?: number;
  /** What was refused has nothing else. */
  readonly error?: string;
  readonly leaseIds?: readonly string[];
  readonly [field: string]: unknown;
}

export interface AnsweredEvent {
  readonly type: 'put' | 'delete';
  readonly pair: AnsweredPair;
  readonly previous: AnsweredPair | null;
}

export interface OpenWatch {
  /** What came until nothing was left to come, or how it ended. */
  readonly events: readonly AnsweredEvent[];
  readonly end: Answer | null;
  /** Resolves once an event of the revision or a later one was seen, or the watch has ended. */
  reaches(revision: number): Promise<void>;
  close(): void;
}

export interface Store {
  readonly name: string;
  run(step: Step): Promise<Answer>;
  /** Resolves once the watch is registered, or has ended. */
  watch(step: WatchStep): Promise<OpenWatch>;
  close(): Promise<void>;
}
