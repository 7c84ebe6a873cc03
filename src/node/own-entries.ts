/**
 * What a leader writes to the log by itself: entries that only move the time on, while something waits
 * for that, and compactions of what has become too old or too much. How old a revision is says the state,
 * in log time, so that all leaders agree; how old it may become is each node's own setting.
 */

import { levelOf } from '../state-machine/command-level.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Command, KeySpaceName } from '../state-machine/types.ts';
import { timing } from './timing.ts';
import type { Writes } from './writes.ts';

/** How much history there may be. 0 sets no bound. */
export interface HistoryBounds {
  /** Revisions that were replaced longer ago than this, in log time, are compacted. */
  readonly historyAgeMs: number;
  /** At least so many revisions before the newest one can be read, and not many more. */
  readonly historyRevisions: number;
}

export interface OwnEntriesOptions {
  readonly bounds: HistoryBounds;
  readonly machine: () => StateMachine;
  readonly writes: Writes;
  readonly stamp: (nowMs: number) => number;
  /** The feature level up to which commands may be written. */
  readonly levelAllowed: () => number;
}

const spaces: readonly KeySpaceName[] = ['kv', 'registry'];

export class OwnEntries {
  readonly #options: OwnEntriesOptions;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: OwnEntriesOptions) {
    this.#options = options;
  }

  /** To be called at every tick of a leader. */
  tick(nowMs: number): void {
    if (this.#clockEntryDue(nowMs)) this.#options.writes.propose();
    if (nowMs - this.#lookedMs < timing.compactionMs) return;
    this.#lookedMs = nowMs;
    this.#compact(nowMs);
  }

  #clockEntryDue(nowMs: number): boolean {
    const { machine, writes } = this.#options;
    if (!writes.isIdle) return false;
    const { expiryUnfinished, compactionUnfinished, deadlinesPending } = machine();
    if (expiryUnfinished || compactionUnfinished) return true;
    return deadlinesPending && writes.msSinceProposal(nowMs) >= timing.clockEntryMs;
  }

  #compact(nowMs: number): void {
    const { machine, writes, levelAllowed } = this.#options;
    for (const space of spaces) {
      const revision = this.#oldestWanted(space, nowMs);
      const command: Command = { type: 'compact', space, revision };
      if (revision <= machine().compactRevision(space) || levelOf(command) > levelAllowed())
        continue;
      writes.proposeOwn(command);
    }
  }

  #oldestWanted(space: KeySpaceName, nowMs: number): number {
    const { bounds, machine, stamp } = this.#options;
    const { historyAgeMs, historyRevisions } = bounds;
    const byAge = historyAgeMs > 0 ? machine().revisionBefore(stamp(nowMs) - historyAgeMs) : 0;
    return Math.max(byAge, historyRevisions > 0 ? this.#oldestOf(space, historyRevisions) : 0);
  }

  /** A restored cluster skips revisions by the thousand million: those count for none. */
  #oldestOf(space: KeySpaceName, revisions: number): number {
    const machine = this.#options.machine();
    return Math.min(machine.revision - revisions, machine.revisionFollowedBy(space, revisions));
  }
}
