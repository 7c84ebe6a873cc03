/** Gathers what a range answers: in key order, or in another one without keeping more than that takes. */
import { compareBytes } from '../base/bytes.ts';
import type { KeyHistory } from './key-history.ts';
import type { RangeRequest, Revision, Selection } from './types.ts';
import type { VersionTable } from './version-table.ts';

/** What a pair's revisions, version, lease and framing add to its key and value on the wire. */
const pairOverheadBytes = 160;
/** Fewer are not worth the sorting. */
const sortedAtOnceMin = 512;

/** One that may be answered. Of its value only the place is known, unless it is sorted by it. */
export interface Candidate {
  readonly history: KeyHistory;
  readonly slot: number;
  /** What it takes of an answer. */
  readonly bytes: number;
  /** That by which it is sorted. */
  readonly rank: number | Uint8Array;
}

export interface AnswerBounds {
  /** 0 means no limit. */
  readonly limit: number;
  /** The answer ends before it exceeds them, but not before its first pair. */
  readonly bytesMax: number;
}

export interface Selected {
  /** Whether what follows cannot matter any more. */
  readonly isDone: boolean;
  /** In the order in which keys are visited. */
  add(candidate: Candidate): void;
  /** In the order of the answer, and whether there are others. */
  finish(): { readonly candidates: readonly Candidate[]; readonly more: boolean };
}

export function selected(
  { sortBy, order }: Selection,
  { limit, bytesMax }: AnswerBounds,
): Selected {
  const bounds = { limit: limit || Number.POSITIVE_INFINITY, bytesMax };
  return sortBy === 'key' ? new FirstOnes(bounds) : new SmallestOnes(bounds, order === 'descend');
}

/** Whether the version lies within the bounds of the selection. */
export function isWithin(table: VersionTable, slot: number, selection: Selection): boolean {
  return (
    lies(table.revision(slot), selection.minModRevision, selection.maxModRevision) &&
    lies(table.createRevision(slot), selection.minCreateRevision, selection.maxCreateRevision)
  );
}

function lies(revision: Revision, min: Revision, max: Revision): boolean {
  return revision >= min && (max === 0 || revision <= max);
}

/** What a pair takes of an answer: on the wire each byte of a key above 127 takes two. */
export function sizeOf(history: KeyHistory, valueLength: number): number {
  return pairOverheadBytes + 2 * history.key.length + valueLength;
}

/** The number by which a version is sorted; by a value it is not sorted by a number. */
export function numberOf(
  table: VersionTable,
  slot: number,
  sortBy: Exclude<RangeRequest['sortBy'], 'value'>,
): number {
  switch (sortBy) {
    case 'key':
      return 0;
    case 'version':
      return table.version(slot);
    case 'createRevision':
      return table.createRevision(slot);
    case 'modRevision':
      return table.revision(slot);
  }
}

class FirstOnes implements Selected {
  readonly #bounds: AnswerBounds;
  readonly #candidates: Candidate[] = [];
  #bytes = 0;
  #more = false;

  constructor(bounds: AnswerBounds) {
    this.#bounds = bounds;
  }

  get isDone(): boolean {
    return this.#more;
  }

  add(candidate: Candidate): void {
    const count = this.#candidates.length;
    this.#bytes += candidate.bytes;
    const fits = count < this.#bounds.limit && this.#bytes <= this.#bounds.bytesMax;
    if (!this.#more && (fits || count === 0)) this.#candidates.push(candidate);
    else this.#more = true;
  }

  finish() {
    return { candidates: this.#candidates, more: this.#more };
  }
}

/**
 * Candidates pile up until they are twice what an answer holds, and are then sorted and cut. The first one
 * cut off is a bound for good: what does not come before it cannot be in the answer, as whatever else comes
 * before it only leaves less room.
 */
class SmallestOnes implements Selected {
  readonly #bounds: AnswerBounds;
  readonly #descending: boolean;
  #candidates: Candidate[] = [];
  #bytes = 0;
  #firstCut: Candidate | null = null;

  constructor(bounds: AnswerBounds, descending: boolean) {
    this.#bounds = bounds;
    this.#descending = descending;
  }

  get isDone(): boolean {
    return false;
  }

  add(candidate: Candidate): void {
    if (this.#firstCut !== null && this.#compare(candidate, this.#firstCut) >= 0) return;
    this.#candidates.push(candidate);
    this.#bytes += candidate.bytes;
    const { limit, bytesMax } = this.#bounds;
    const isMany = this.#candidates.length >= Math.max(sortedAtOnceMin, 2 * limit);
    if (isMany || this.#bytes >= 2 * bytesMax) this.#cut();
  }

  finish() {
    this.#cut();
    return { candidates: this.#candidates, more: this.#firstCut !== null };
  }

  /** What is alike stays in the order in which it came, that of the keys. */
  #cut(): void {
    this.#candidates.sort((left, right) => this.#compare(left, right));
    let bytes = 0;
    const { limit, bytesMax } = this.#bounds;
    const end = this.#candidates.findIndex((candidate, at) => {
      if (at === limit || (at > 0 && bytes + candidate.bytes > bytesMax)) return true;
      bytes += candidate.bytes;
      return false;
    });
    this.#bytes = bytes;
    if (end === -1) return;
    this.#firstCut = this.#candidates[end] as Candidate;
    this.#candidates = this.#candidates.slice(0, end);
  }

  #compare({ rank: left }: Candidate, { rank: right }: Candidate): number {
    const order =
      typeof left === 'number' ? left - (right as number) : compareBytes(left, right as Uint8Array);
    return this.#descending ? -order : order;
  }
}
