/**
 * This node's part in the time of the log: it follows the newest time that its log carries, and runs
 * on from there while the node leads.
 */
import { LogTime } from '../lease/log-time.ts';
import type { Append, Entry, Index, Ready } from '../raft/types.ts';
import { logTimeOf } from '../state-machine/command-codec.ts';

interface Stamped {
  readonly index: Index;
  readonly timeMs: number;
}

export class LogClock {
  readonly #time: LogTime;
  /** The newest of what is committed. */
  #settledMs: number;
  /**
   * Of the entries after that. The time of a leader that was cut off runs on, and goes with its entries:
   * to go on from there would end leases early.
   */
  #open: readonly Stamped[] = [];
  #runs = false;

  /** `appliedMs`: the log time of the state as it was loaded. */
  constructor(monotonicMs: number, appliedMs: number, stepMaxMs: number) {
    this.#settledMs = appliedMs;
    this.#time = new LogTime({ stepMaxMs, newestMs: appliedMs, monotonicMs });
  }

  /** The stored log, as it is at the start. */
  loaded(entries: readonly Entry[]): void {
    this.#append(entries);
  }

  /** What a turn has changed about the log. */
  follow({ append, committedEntries }: Pick<Ready, 'append' | 'committedEntries'>): void {
    if (append !== null) this.#appended(append);
    const committed = committedEntries.at(-1)?.index ?? 0;
    if ((this.#open[0]?.index ?? Number.POSITIVE_INFINITY) > committed) return;
    this.#settle(this.#open.findLast(({ index }) => index <= committed)?.timeMs ?? 0);
    this.#open = this.#open.filter(({ index }) => index > committed);
  }

  /** A received state took the place of the log up to its point. */
  restore(logTimeMs: number): void {
    this.#settle(logTimeMs);
  }

  /** The node has come to lead, or leads no longer. */
  lead(leads: boolean, monotonicMs: number): void {
    if (leads && !this.#runs) this.#time.restart(this.#newestMs, monotonicMs);
    this.#runs = leads;
  }

  advance(monotonicMs: number): void {
    if (this.#runs) this.#time.advance(monotonicMs);
  }

  /** The time for an entry that is proposed now; only a leader proposes. */
  stamp(monotonicMs: number): number {
    return this.#time.stamp(monotonicMs);
  }

  get #newestMs(): number {
    return Math.max(this.#settledMs, this.#open.at(-1)?.timeMs ?? 0);
  }

  #appended({ snapshot, entries }: Append): void {
    // What came after it may be gone as well. To go on from too early a time ends no lease early.
    if (snapshot !== null) this.#open = [];
    this.#append(entries);
  }

  #append(entries: readonly Entry[]): void {
    const first = entries[0]?.index;
    if (first === undefined) return;
    const kept = this.#open.filter(({ index }) => index < first);
    const stamped = entries.flatMap((entry) =>
      entry.type === 'command' ? [{ index: entry.index, timeMs: logTimeOf(entry.command) }] : [],
    );
    this.#open = [...kept, ...stamped];
  }

  #settle(timeMs: number): void {
    this.#settledMs = Math.max(this.#settledMs, timeMs);
  }
}
