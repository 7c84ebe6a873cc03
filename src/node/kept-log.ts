/** How much of the log that is applied this node keeps, in memory and on its disk, and for whom. */
import type { Entry, Index, PeerProgress } from '../raft/types.ts';
import type { Storage } from '../storage/types.ts';
import { LogRetention } from './log-retention.ts';
import { LogWindow } from './log-window.ts';
import type { Bounds } from './timing.ts';

export interface KeptLogOptions {
  readonly bounds: Pick<Bounds, 'logBytesPerCut' | 'logWindowBytes' | 'logRetainedBytesMax'>;
  readonly storage: Pick<Storage, 'logBytes' | 'releaseLog'>;
  readonly applied: Index;
  /** All log after this index is owed to somebody; null when none is. */
  readonly owed: () => Index | null;
  readonly failed: (error: unknown) => void;
}

export class KeptLog {
  readonly #options: KeptLogOptions;
  readonly #window: LogWindow;
  readonly #retention: LogRetention;

  constructor(options: KeptLogOptions) {
    const { bounds, applied } = options;
    this.#options = options;
    // What the disk gives up, the memory has given up before.
    const bytesPerCut = Math.min(bounds.logBytesPerCut, bounds.logWindowBytes / 2);
    this.#window = new LogWindow(bytesPerCut, applied);
    this.#retention = new LogRetention(bounds, applied);
  }

  /** Which share of what the log may grow beyond its bound, for those who are owed it, it has taken. */
  get excess(): number {
    const { storage, owed } = this.#options;
    return owed() === null ? 0 : this.#retention.excess(storage.logBytes);
  }

  /** What comes after this index stays, whoever needs it. */
  get keptFrom(): Index {
    return this.#retention.keptFrom ?? 0;
  }

  /** Returns the index up to which the log may leave the memory now, or null. */
  applied(entries: readonly Entry[]): Index | null {
    this.#retention.applied(entries);
    return this.#window.applied(entries);
  }

  /** A received state took the place of everything up to `index`. */
  restored(index: Index): void {
    this.#retention.restored(index);
  }

  /** To be called now and then: gives up what nobody needs. */
  sweep(progress: readonly PeerProgress[]): void {
    const { storage, owed, failed } = this.#options;
    const wanted = Math.min(...progress.map(({ matchIndex }) => matchIndex));
    const through = this.#retention.release(storage.logBytes, wanted, owed());
    if (through !== null) storage.releaseLog(through).catch(failed);
  }
}
