/**
 * How much of the log stays on the disk once it is in the state: a window for followers that were away
 * for a while, as far back as the slowest of them needs it, up to a bound. Beyond that bound a follower
 * gets a state instead of entries.
 */
import { entryBytes } from '../format/entry.ts';
import type { Entry, Index } from '../raft/types.ts';

export interface RetentionBounds {
  /** So much of the newest log always stays, whether anybody needs it or not. */
  readonly logWindowBytes: number;
  /** So much stays at most for followers that are behind. */
  readonly logRetainedBytesMax: number;
}

interface Mark {
  readonly index: Index;
  /** Bytes of all entries up to it since the node was started. */
  readonly bytes: number;
}

/** Windows are measured in steps of this share of themselves. */
const marksPerWindow = 8;

export class LogRetention {
  readonly #bounds: RetentionBounds;
  #bytes = 0;
  /** Ascending; the newest is the last. */
  #marks: Mark[];

  constructor(bounds: RetentionBounds, applied: Index) {
    this.#bounds = bounds;
    this.#marks = [{ index: applied, bytes: 0 }];
  }

  applied(entries: readonly Entry[]): void {
    for (const entry of entries) this.#bytes += entryBytes(entry);
    const last = entries.at(-1);
    const newest = this.#marks.at(-1) as Mark;
    const step = this.#bounds.logWindowBytes / marksPerWindow;
    if (last === undefined || this.#bytes - newest.bytes < step) return;
    this.#marks.push({ index: last.index, bytes: this.#bytes });
  }

  /** A received state took the place of everything up to `index`. */
  restored(index: Index): void {
    this.#marks = [{ index, bytes: this.#bytes }];
  }

  /** What comes after this index stays, whoever needs it; null while that is all there is. */
  get keptFrom(): Index | null {
    const { logWindowBytes } = this.#bounds;
    const outside = this.#marks.findLast(({ bytes }) => this.#bytes - bytes >= logWindowBytes);
    return outside?.index ?? null;
  }

  /**
   * The index up to which the stored log may go; null when none of it may. `storedBytes` is what there
   * is on the disk; followers would like what comes after `wanted`, and what comes after `owed` has to
   * stay whatever it takes.
   */
  release(storedBytes: number, wanted: Index, owed: Index | null): Index | null {
    const keptFrom = this.keptFrom;
    if (keptFrom === null) return null;
    this.#marks = this.#marks.filter(({ index }) => index >= keptFrom);
    const isTooMuch = storedBytes > this.#bounds.logRetainedBytesMax;
    const index = isTooMuch ? keptFrom : Math.min(keptFrom, wanted);
    return Math.min(index, owed ?? Number.POSITIVE_INFINITY);
  }

  /** How far so much log exceeds its bound, as a share of that bound. */
  excess(storedBytes: number): number {
    return Math.max(0, storedBytes / this.#bounds.logRetainedBytesMax - 1);
  }
}
