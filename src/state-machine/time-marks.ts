import type { TimeMark } from '../format/checkpoint.ts';
import type { Revision } from '../mvcc/types.ts';

/** Marks are never closer than this. */
const spacingMsMin = 1000;
/** Nor closer than the time that all of them cover divided by this: some hundred tell of an hour or a year. */
const spacings = 64;

/**
 * Remembers about when which revision was the newest, in log time, so that all nodes agree on what is how
 * old. Invariant: revisions and times ascend.
 */
export class TimeMarks {
  /** Never changed in place: who writes a checkpoint goes on reading the list while entries are applied. */
  #marks: readonly TimeMark[] = [];

  get list(): readonly TimeMark[] {
    return this.#marks;
  }

  load(marks: readonly TimeMark[]): void {
    this.#marks = marks;
  }

  /** `revision` is the newest at this time. */
  note(revision: Revision, logTimeMs: number): void {
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (first !== undefined && last !== undefined) {
      if (revision === last.revision) return;
      const spacingMs = Math.max(spacingMsMin, (last.logTimeMs - first.logTimeMs) / spacings);
      if (logTimeMs - last.logTimeMs < spacingMs) return;
    }
    this.#marks = [...this.#marks, { revision, logTimeMs }];
  }

  /** A revision that was the newest at this time or before; 0 when none is remembered. */
  before(logTimeMs: number): Revision {
    return this.#marks.findLast((mark) => mark.logTimeMs <= logTimeMs)?.revision ?? 0;
  }

  /** Nobody will ask for revisions up to this one any more. */
  forgetThrough(revision: Revision): void {
    const first = this.#marks.findIndex((mark) => mark.revision > revision);
    this.#marks = first === -1 ? [] : this.#marks.slice(first);
  }
}
