/** Bookmarks by the clock: watchers that want one as often have one timer, however many they are. */
import type { Clock, Timer } from '../base/clock.ts';
import type { Watcher } from './watcher.ts';

interface Interval {
  readonly watchers: Set<Watcher>;
  timer: Timer;
}

/** A clock's tick tells so many, then lets others have their turn. */
const watchersPerTurn = 1024;
/** What is asked for is rounded up, so that no client can have timers without number. */
const stepMs = 1000;

export class WatchProgress {
  readonly #clock: Clock;
  readonly #tell: (watcher: Watcher) => void;
  readonly #intervals = new Map<number, Interval>();

  constructor(clock: Clock, tell: (watcher: Watcher) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  add(watcher: Watcher): void {
    const intervalMs = intervalOf(watcher);
    const known = this.#intervals.get(intervalMs);
    if (known !== undefined) known.watchers.add(watcher);
    else {
      const timer = this.#start(intervalMs);
      this.#intervals.set(intervalMs, { watchers: new Set([watcher]), timer });
    }
  }

  remove(watcher: Watcher): void {
    const intervalMs = intervalOf(watcher);
    const interval = this.#intervals.get(intervalMs);
    interval?.watchers.delete(watcher);
    if (interval === undefined || interval.watchers.size > 0) return;
    interval.timer.cancel();
    this.#intervals.delete(intervalMs);
  }

  #start(intervalMs: number): Timer {
    return this.#clock.after(intervalMs, () => {
      const interval = this.#intervals.get(intervalMs);
      if (interval === undefined) return;
      interval.timer = this.#start(intervalMs);
      this.#tellSome([...interval.watchers], 0);
    });
  }

  #tellSome(watchers: readonly Watcher[], start: number): void {
    const end = start + watchersPerTurn;
    for (const watcher of watchers.slice(start, end)) {
      // Who was told something knows where it is.
      if (!watcher.wasTold) this.#tell(watcher);
      watcher.wasTold = false;
    }
    if (end < watchers.length) this.#clock.soon(() => this.#tellSome(watchers, end));
  }
}

function intervalOf({ progressMs }: Watcher): number {
  return Math.ceil(progressMs / stepMs) * stepMs;
}
