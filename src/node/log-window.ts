/**
 * Decides how much of the applied log the core keeps in memory: between one and two cuts' worth of
 * bytes, so that followers a little behind are served from memory and nobody else costs any.
 */
import { entryBytes } from '../format/entry.ts';
import type { Entry, Index } from '../raft/types.ts';

export class LogWindow {
  readonly #bytesPerCut: number;
  #bytes = 0;
  /** The applied index at the last cut; everything up to it goes at the next one. */
  #mark: Index;

  constructor(bytesPerCut: number, applied: Index) {
    this.#bytesPerCut = bytesPerCut;
    this.#mark = applied;
  }

  /** Returns the index up to which the log may leave the memory now, or null. */
  applied(entries: readonly Entry[]): Index | null {
    for (const entry of entries) this.#bytes += entryBytes(entry);
    const last = entries.at(-1);
    if (last === undefined || this.#bytes < this.#bytesPerCut) return null;
    const cut = this.#mark;
    this.#bytes = 0;
    this.#mark = last.index;
    return cut;
  }
}
