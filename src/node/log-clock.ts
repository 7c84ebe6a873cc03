/**
 * This node's part in the time of the log: it follows the newest time that its log carries, and runs
 * on from there while the node leads.
 */
import { LogTime } from '../lease/log-time.ts';
import type { Entry } from '../raft/types.ts';
import { logTimeOf } from '../state-machine/command-codec.ts';

export class LogClock {
  readonly #time: LogTime;
  #newestMs: number;
  #runs = false;

  /** `appliedMs`: the log time of the state as it was loaded. */
  constructor(monotonicMs: number, appliedMs: number, stepMaxMs: number) {
    this.#newestMs = appliedMs;
    this.#time = new LogTime({ stepMaxMs, newestMs: appliedMs, monotonicMs });
  }

  /** Entries entered this node's log. */
  appended(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.type !== 'command') continue;
      this.#newestMs = Math.max(this.#newestMs, logTimeOf(entry.command));
    }
  }

  /** A received state took the place of the log up to its point. */
  restore(logTimeMs: number): void {
    this.#newestMs = Math.max(this.#newestMs, logTimeMs);
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
}
