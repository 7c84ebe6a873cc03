/**
 * Fetches a state from another member into a staging place: asks for the next piece while the last one
 * is being written, asks again for what was lost, and begins anew when the sender has given it up.
 *
 *     offered ──▶ fetching ──last piece──▶ verifying ──▶ received
 *                  │    ▲ silence: ask again     │
 *                  └────┴── refused, silent for long, damaged, no room, needless by now: given up
 *                                                                      until the next offer
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import { type Random, randomId } from '../base/prng.ts';
import type { SnapshotChunk, SnapshotRefusal, SnapshotRequest } from '../format/node-message.ts';
import type { Index, NodeId, Term } from '../raft/types.ts';
import { PassingCheck } from '../state-machine/passing-check.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import { isDiskFull } from '../storage/disk-error.ts';
import type { CheckpointHeader, Staging } from '../storage/types.ts';
import { loadMachine } from './load-machine.ts';
import type { Passage, TransferLog } from './transfer-log.ts';

export interface SnapshotFetchOptions {
  readonly id: NodeId;
  readonly stage: (header: CheckpointHeader) => Promise<Staging>;
  readonly send: (message: SnapshotRequest) => void;
  /** Everything is there and verified; nothing else is fetched until `done`. */
  readonly received: (state: ReceivedState) => void;
  readonly failed: (error: unknown) => void;
  /** Throws unless a state with this header belongs to the same cluster and can be read by this program. */
  readonly check: (header: CheckpointHeader) => void;
  /** Whether the log has brought as much meanwhile as a state as of this entry. */
  readonly isNeedless: (index: Index) => boolean;
  readonly transfers: Pick<TransferLog, 'begin' | 'receives' | 'received' | 'gaveUp' | 'needless'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly askAgainMs: number;
  readonly giveUpMs: number;
}

export interface ReceivedState {
  readonly header: CheckpointHeader;
  /** One that the sender was in once the state was committed. */
  readonly term: Term;
  readonly machine: StateMachine;
  readonly staging: Staging;
  readonly passage: Passage;
}

interface Question {
  readonly request: SnapshotRequest;
  readonly sinceMs: number;
  askedMs: number;
  readonly resolve: (chunk: SnapshotChunk) => void;
  readonly reject: (error: RollcallError) => void;
}

export class SnapshotFetch {
  readonly #options: SnapshotFetchOptions;
  #question: Question | null = null;
  /** From the offer until `done` or until it is given up. */
  #isUnderWay = false;
  /** Of the fetch that is under way, once something has come. */
  #passage: Passage | null = null;
  #isOpen = true;
  #running: Promise<void> = Promise.resolve();

  constructor(options: SnapshotFetchOptions) {
    this.#options = options;
  }

  /** What has come so far; null while nothing has. */
  get passage(): Readonly<Passage> | null {
    return this.#passage;
  }

  /**
   * Begins to fetch from this member, unless a fetch is under way already. One from another member that
   * was asked twice in vain is given up: it may be gone, and this one is not.
   */
  begin(from: NodeId): void {
    if (this.#isUnderWay) this.#leaveSilent(from);
    if (this.#isUnderWay || !this.#isOpen) return;
    this.#isUnderWay = true;
    this.#running = this.#run(from).catch((error: unknown) => {
      this.#isUnderWay = false;
      if (this.#isOpen) this.#options.failed(error);
    });
  }

  /** The received state is in use, or of no use. */
  done(): void {
    this.#isUnderWay = false;
  }

  onChunk(chunk: SnapshotChunk): void {
    const question = this.#answered(chunk);
    if (question === null || question.request.after !== chunk.after) return;
    this.#question = null;
    question.resolve(chunk);
  }

  onRefusal(refusal: SnapshotRefusal): void {
    const question = this.#answered(refusal);
    if (question === null) return;
    this.#question = null;
    question.reject(new GivenUp('The sender has given the state up'));
  }

  /** To be called now and then. */
  sweep(): void {
    const question = this.#question;
    if (question === null) return;
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - question.sinceMs >= this.#options.giveUpMs) {
      this.#question = null;
      question.reject(new GivenUp('The sender of the state has fallen silent'));
    } else if (nowMs - question.askedMs >= this.#options.askAgainMs) {
      question.askedMs = nowMs;
      this.#options.send(question.request);
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#question?.reject(new GivenUp('The node stops'));
    this.#question = null;
    await this.#running;
  }

  #leaveSilent(offering: NodeId): void {
    const question = this.#question;
    if (question === null || question.request.to === offering) return;
    const silentMs = this.#options.clock.monotonic() - question.sinceMs;
    if (silentMs < 2 * this.#options.askAgainMs) return;
    this.#question = null;
    question.reject(new GivenUp('Another member offers its state'));
  }

  #answered({ transfer, from }: SnapshotChunk | SnapshotRefusal): Question | null {
    const question = this.#question;
    if (question === null || question.request.transfer !== transfer) return null;
    return question.request.to === from ? question : null;
  }

  async #run(from: NodeId): Promise<void> {
    const { random, transfers } = this.#options;
    const transfer = randomId(random);
    let staging: Staging | null = null;
    try {
      const first = await this.#ask(from, transfer, '');
      const header = this.#checked(first);
      const passage = transfers.begin(from, header.applied.index);
      this.#passage = passage;
      transfers.receives(passage);
      staging = await this.#options.stage(header);
      const check = new PassingCheck();
      await this.#fill(staging, first, from, transfer, check);
      check.finish(header);
      const staged = await staging.finish();
      const machine = await loadMachine(staged, header);
      transfers.received(passage);
      const { term } = first;
      if (this.#isOpen) this.#options.received({ header, term, machine, staging, passage });
      else await staging.abort();
    } catch (error) {
      await staging?.abort();
      if (!isHarmless(error)) throw error;
      if (this.#passage !== null) {
        if (error instanceof Needless) transfers.needless(this.#passage);
        else transfers.gaveUp(this.#passage, error.message);
      }
      this.#isUnderWay = false;
    } finally {
      this.#passage = null;
    }
  }

  async #fill(
    staging: Staging,
    first: SnapshotChunk,
    from: NodeId,
    transfer: string,
    check: PassingCheck,
  ): Promise<void> {
    let chunk = first;
    for (;;) {
      const last = chunk.records.at(-1);
      const isEnd = chunk.isLast || last === undefined;
      this.#measure(chunk);
      const next = isEnd ? null : this.#ask(from, transfer, last[0]);
      // A rejection while the piece before is being written is seen when it is waited for.
      next?.catch(() => {});
      for (const [key, bytes] of chunk.records) check.take(key, bytes);
      await staging.write(chunk.records);
      if (next === null) return;
      chunk = await next;
    }
  }

  /** Counts what has come, and ends the fetch as soon as nobody needs the rest. */
  #measure({ records }: SnapshotChunk): void {
    assert(this.#passage !== null, 'Pieces come of a state that is known');
    for (const [key, value] of records) this.#passage.bytes += key.length + value.length;
    if (this.#options.isNeedless(this.#passage.index)) throw new Needless();
  }

  #checked({ header }: SnapshotChunk): CheckpointHeader {
    if (header === null) throw new GivenUp('The first piece of a state has no header');
    this.#options.check(header);
    return header;
  }

  #ask(to: NodeId, transfer: string, after: string): Promise<SnapshotChunk> {
    assert(this.#question === null, 'One piece is asked for at a time');
    const { id, clock, send } = this.#options;
    const request: SnapshotRequest = { type: 'snapshotRequest', from: id, to, transfer, after };
    const nowMs = clock.monotonic();
    return new Promise((resolve, reject) => {
      this.#question = { request, sinceMs: nowMs, askedMs: nowMs, resolve, reject };
      if (this.#isOpen) send(request);
      else reject(new GivenUp('The node stops'));
    });
  }
}

/** Ends a fetch without harm: the next offer begins another one. */
class GivenUp extends RollcallError {
  constructor(message: string) {
    super('unreachable', message);
  }
}

/** What is being fetched is of no use any more. */
class Needless extends GivenUp {
  constructor() {
    super('The log has brought as much');
  }
}

/** What was received is gone with its directory, so neither damage of it nor a full disk does harm. */
function isHarmless(error: unknown): error is RollcallError {
  if (!(error instanceof RollcallError)) return false;
  return error instanceof GivenUp || error.code === 'dataDamaged' || isDiskFull(error);
}
