/**
 * Client writes between `submit` and their outcome.
 *
 *     add ──▶ gathered ──take()──▶ proposed ──accepted──▶ pending[index] ──applied──▶ reply
 *                 │                    │                      │
 *                 └── not the leader ──┴─ dropped             └─ another term's entry at that index:
 *                        notLeader (definite)                    applied: it surely did not happen
 *
 * What gathered since the last proposal becomes one entry. A deposed leader keeps its pending writes:
 * the log decides them, and whoever waits longer than the timeout hears that it may have happened.
 */
import { assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import type { Accepted, EntryId, Index, RequestId } from '../raft/types.ts';
import type { LoggedCommand, Outcome } from '../state-machine/types.ts';
import { outcomeError } from './outcome.ts';
import type { Reply } from './types.ts';

interface Waiting {
  readonly command: LoggedCommand;
  readonly bytes: number;
  readonly reply: Reply;
  readonly sinceMs: number;
}

interface Batch {
  readonly waiting: readonly Waiting[];
  readonly sinceMs: number;
}

interface PendingBatch extends Batch {
  readonly entry: EntryId;
}

export interface ProposalLimits {
  readonly entryCommandsMax: number;
  readonly entryBytesMax: number;
  /** Bounds on everything between `add` and the reply. */
  readonly openCommandsMax: number;
  readonly openBytesMax: number;
  readonly timeoutMs: number;
}

export class Proposals {
  readonly #limits: ProposalLimits;
  #gathered: Waiting[] = [];
  readonly #proposed = new Map<RequestId, Batch>();
  /** By index; in ascending order of index and of age. */
  readonly #pending = new Map<Index, PendingBatch>();
  #openCommands = 0;
  #openBytes = 0;

  constructor(limits: ProposalLimits) {
    this.#limits = limits;
  }

  get gathered(): number {
    return this.#gathered.length;
  }

  /** Entries that are proposed and not applied yet. */
  get inFlight(): number {
    return this.#proposed.size + this.#pending.size;
  }

  /** Null, or why nothing more can be taken at the moment. */
  add(command: LoggedCommand, bytes: number, reply: Reply, sinceMs: number): RollcallError | null {
    const { openCommandsMax, openBytesMax } = this.#limits;
    if (this.#openCommands >= openCommandsMax || this.#openBytes + bytes > openBytesMax) {
      return new RollcallError(
        'tooManyRequests',
        `${this.#openCommands} writes with ${this.#openBytes} bytes wait already`,
        { details: { retryAfterMs: 50 } },
      );
    }
    this.#openCommands++;
    this.#openBytes += bytes;
    this.#gathered.push({ command, bytes, reply, sinceMs });
    return null;
  }

  /**
   * Takes the commands of the next entry under the name `id`: at most one entry's worth, and not more
   * than `bytesMax` unless it is one command.
   */
  take(
    id: RequestId,
    nowMs: number,
    bytesMax = Number.POSITIVE_INFINITY,
  ): readonly LoggedCommand[] {
    const count = this.#entrySize(bytesMax);
    const waiting = this.#gathered.slice(0, count);
    this.#gathered = this.#gathered.slice(count);
    this.#proposed.set(id, { waiting, sinceMs: nowMs });
    return waiting.map((one) => one.command);
  }

  accepted(accepted: Accepted): void {
    const batch = this.#proposed.get(accepted.id);
    if (batch === undefined) return;
    this.#proposed.delete(accepted.id);
    const overwritten = this.#pending.get(accepted.entry.index);
    // Cut from this node's log, but others may hold it still and commit it under another leader.
    if (overwritten !== undefined) {
      const message = 'Another entry took its place here, while others may still commit it';
      this.#answerAll(overwritten, new RollcallError('leadershipLost', message));
    }
    // Re-inserted, so that the map stays in the order of age.
    this.#pending.delete(accepted.entry.index);
    this.#pending.set(accepted.entry.index, { ...batch, entry: accepted.entry });
  }

  dropped(id: RequestId, error: RollcallError): void {
    const batch = this.#proposed.get(id);
    if (batch === undefined) return;
    this.#proposed.delete(id);
    this.#answerAll(batch, error);
  }

  /** Refuses what was never proposed, because this node does not lead. */
  refuseGathered(error: RollcallError): void {
    const waiting = this.#gathered;
    this.#gathered = [];
    this.#answerAll({ waiting, sinceMs: 0 }, error);
  }

  /** The entry at `entry.index` is applied: this decides the batch that was pending there, if any. */
  applied(entry: EntryId, outcomes: readonly Outcome[]): void {
    const batch = this.#pending.get(entry.index);
    if (batch === undefined) return;
    this.#pending.delete(entry.index);
    if (batch.entry.term !== entry.term) {
      this.#refuseOverwritten(batch);
      return;
    }
    assert(
      outcomes.length === batch.waiting.length,
      () => `${outcomes.length} outcomes for ${batch.waiting.length} commands at ${entry.index}`,
    );
    batch.waiting.forEach((one, position) => {
      this.#forget(one);
      const outcome = outcomes[position] as Outcome;
      one.reply(outcome.ok ? outcome : outcomeError(outcome));
    });
  }

  /** A received state took the place of the log up to `index`: what became of these, it does not tell. */
  restored(index: Index): void {
    const message = 'This node took over a state that may or may not have it';
    for (const [at, batch] of this.#pending) {
      if (at > index) continue;
      this.#pending.delete(at);
      this.#answerAll(batch, new RollcallError('leadershipLost', message));
    }
  }

  /** Ends the wait of those that wait too long: they may still happen. */
  expire(nowMs: number): void {
    const late = this.#gathered.filter((one) => nowMs - one.sinceMs >= this.#limits.timeoutMs);
    if (late.length > 0) {
      this.#gathered = this.#gathered.slice(late.length);
      const message = 'The write waited too long for its turn and was not begun';
      this.#answerAll(
        { waiting: late, sinceMs: 0 },
        new RollcallError('timeout', message, { definite: true }),
      );
    }
    for (const [index, batch] of this.#pending) {
      if (nowMs - batch.sinceMs < this.#limits.timeoutMs) return;
      this.#pending.delete(index);
      this.#answerAll(
        batch,
        new RollcallError('timeout', 'No majority has confirmed the write in time'),
      );
    }
  }

  /** Nobody will tell this node any more what is committed beyond `committed`. */
  abandon(committed: Index, inDoubt: RollcallError): void {
    for (const [index, batch] of this.#pending) {
      if (index <= committed) continue;
      this.#pending.delete(index);
      this.#answerAll(batch, inDoubt);
    }
  }

  close(error: RollcallError, inDoubt: RollcallError): void {
    this.refuseGathered(error);
    for (const batch of [...this.#proposed.values(), ...this.#pending.values()]) {
      this.#answerAll(batch, inDoubt);
    }
    this.#proposed.clear();
    this.#pending.clear();
  }

  #entrySize(bytesMax: number): number {
    const { entryCommandsMax } = this.#limits;
    const entryBytesMax = Math.min(bytesMax, this.#limits.entryBytesMax);
    let bytes = 0;
    let count = 0;
    for (const { bytes: more } of this.#gathered) {
      if (count === entryCommandsMax || (count > 0 && bytes + more > entryBytesMax)) break;
      bytes += more;
      count++;
    }
    return count;
  }

  #refuseOverwritten(batch: PendingBatch): void {
    const { term, index } = batch.entry;
    const message = `Another leader's entry took the place of ${term}/${index}`;
    this.#answerAll(batch, new RollcallError('leadershipLost', message, { definite: true }));
  }

  #answerAll(batch: Batch, error: RollcallError): void {
    for (const one of batch.waiting) {
      this.#forget(one);
      one.reply(error);
    }
  }

  #forget(one: Waiting): void {
    this.#openCommands--;
    this.#openBytes -= one.bytes;
  }
}
