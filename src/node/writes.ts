/**
 * The way of a client's write into the log: renewals are gathered for a while, everything else until
 * the end of the turn, and what has gathered becomes one entry with the time of the log on it.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Random } from '../base/prng.ts';
import { firstFeatureLevel } from '../format/feature-level.ts';
import type { Accepted, EntryId, Index, RequestId } from '../raft/types.ts';
import { encodeCommandEntry } from '../state-machine/command-codec.ts';
import { levelOfLogged } from '../state-machine/command-level.ts';
import { isTooDeep } from '../state-machine/operation-codec.ts';
import type { Command, LoggedCommand, Outcome, SessionHeader } from '../state-machine/types.ts';
import { commandBytes, commandOf } from './commands.ts';
import type { Pace } from './pace.ts';
import { Proposals } from './proposals.ts';
import { levelTooLowError, removedInDoubtError } from './refusals.ts';
import { Renewals } from './renewals.ts';
import { type Bounds, timing } from './timing.ts';
import type { Reply, WriteRequest } from './types.ts';

export interface WritesOptions {
  readonly bounds: Bounds;
  readonly clock: Clock;
  readonly random: Random;
  /** True while the disk is so far behind that nothing more may be taken. */
  readonly isFull: () => boolean;
  /** The feature level up to which commands may be written. */
  readonly levelAllowed: () => number;
  readonly pace: Pace;
  /** Asks for a turn, in which `propose` is called. */
  readonly schedule: () => void;
  /** Gives an entry to the core. */
  readonly step: (id: RequestId, command: Uint8Array) => void;
  readonly nextId: () => RequestId;
  /** The time of the log for an entry that is proposed now. */
  readonly stamp: (nowMs: number) => number;
}

export class Writes {
  readonly #options: WritesOptions;
  readonly #proposals: Proposals;
  readonly #renewals: Renewals;
  #lastProposalMs = Number.NEGATIVE_INFINITY;

  constructor(options: WritesOptions) {
    this.#options = options;
    const { bounds } = options;
    this.#proposals = new Proposals({ ...bounds, timeoutMs: bounds.requestTimeoutMs });
    this.#renewals = new Renewals(options.clock, timing.renewalGatherMs, (leaseIds, reply) =>
      this.#add({ session: null, command: { type: 'leaseKeepAlive', leaseIds } }, reply),
    );
  }

  get gathered(): number {
    return this.#proposals.gathered;
  }

  /** Whether entries should leave now: at once when none is in flight, otherwise when it is worth one. */
  get isDue(): boolean {
    const { gathered, inFlight } = this.#proposals;
    const { isFull, bounds, pace, clock } = this.#options;
    if (gathered === 0 || isFull() || !pace.isOpen(clock.monotonic())) return false;
    if (inFlight === 0) return true;
    return gathered >= bounds.entryCommandsWorthwhile && inFlight < bounds.entriesInFlightMax;
  }

  get isIdle(): boolean {
    return this.#proposals.gathered === 0 && this.#proposals.inFlight === 0;
  }

  /** Resolves once everything is decided, or after so long. */
  async settled(withinMs: number): Promise<void> {
    const { clock } = this.#options;
    const untilMs = clock.monotonic() + withinMs;
    while (!this.isIdle && clock.monotonic() < untilMs) {
      await new Promise<void>((resolve) => clock.after(timing.tickMs, resolve));
    }
  }

  msSinceProposal(nowMs: number): number {
    return nowMs - this.#lastProposalMs;
  }

  submit(request: WriteRequest, reply: Reply, session: SessionHeader | null): void {
    if (request.type === 'leaseKeepAlive') this.#renewals.add(request.leaseIds, reply);
    else this.#add({ session, command: commandOf(request, this.#options.random) }, reply);
  }

  /** What has gathered, as one entry; with nothing gathered, an entry that only carries the time. */
  propose(): void {
    const id = this.#options.nextId();
    const nowMs = this.#options.clock.monotonic();
    this.#propose(id, this.#proposals.take(id, nowMs, this.#options.pace.entryBytesMax));
  }

  /** An entry with this command alone, which no client waits for. */
  proposeOwn(command: Command): RequestId {
    const id = this.#options.nextId();
    this.#propose(id, [{ session: null, command }]);
    return id;
  }

  accepted(accepted: Accepted): void {
    this.#proposals.accepted(accepted);
  }

  dropped(id: RequestId, error: RollcallError): void {
    this.#proposals.dropped(id, error);
  }

  refuseGathered(error: RollcallError): void {
    this.#proposals.refuseGathered(error);
  }

  applied(entry: EntryId, outcomes: readonly Outcome[]): void {
    this.#proposals.applied(entry, outcomes);
  }

  /** A received state took the place of the log up to `index`. */
  restored(index: Index): void {
    this.#proposals.restored(index);
  }

  expire(nowMs: number): void {
    this.#proposals.expire(nowMs);
  }

  /** This node was removed: nobody will tell it what is committed beyond `committed`. */
  removed(committed: Index): void {
    this.#proposals.abandon(committed, removedInDoubtError());
  }

  close(error: RollcallError, inDoubt: RollcallError): void {
    this.#renewals.flush();
    this.#proposals.close(error, inDoubt);
  }

  #propose(id: RequestId, commands: readonly LoggedCommand[]): void {
    const { clock, stamp, step, pace } = this.#options;
    const nowMs = clock.monotonic();
    const entry = encodeCommandEntry({
      logTimeMs: stamp(nowMs),
      wallTimeMs: Math.floor(clock.wall()),
      commands,
    });
    this.#lastProposalMs = nowMs;
    pace.proposed(entry.length, nowMs);
    step(id, entry);
  }

  #add(logged: LoggedCommand, reply: Reply): void {
    const refusal = this.#refusal(logged) ?? this.#gather(logged, reply);
    if (refusal !== null) this.#options.clock.soon(() => reply(refusal));
    this.#options.schedule();
  }

  #gather(logged: LoggedCommand, reply: Reply): RollcallError | null {
    const nowMs = this.#options.clock.monotonic();
    return this.#proposals.add(logged, commandBytes(logged.command), reply, nowMs);
  }

  #refusal(logged: LoggedCommand): RollcallError | null {
    const { isFull, pace } = this.#options;
    const { command } = logged;
    if (isFull() || pace.isStopped) {
      const details = { retryAfterMs: 100 };
      const why = isFull() ? 'The disk is' : 'A node that receives a state is too far';
      return new RollcallError('tooManyRequests', `${why} behind`, { details });
    }
    // What no node could read must not enter the log, nor what some of them could not.
    if (command.type === 'txn' && isTooDeep(command)) {
      return new RollcallError('tooManyOperations', 'The transaction is nested too deeply');
    }
    const level = levelOfLogged(logged);
    if (level === firstFeatureLevel) return null;
    const allowed = this.#options.levelAllowed();
    return level <= allowed ? null : levelTooLowError(level, allowed);
  }
}
