/**
 * A received state on its way to become this node's own. Usually the core decides, because the log
 * begins anew after that state:
 *
 *     received ──▶ core ──▶ append with the snapshot is durable ──▶ restored: in use
 *          └─ the log has brought as much meanwhile: discarded
 *
 * A node whose state was lost, but not its log, has nothing to ask the core: it asks one member after
 * the other for a state that its log goes on from, and keeps its log and its promises all the while.
 */
import { assert } from '../base/assert.ts';
import type { EntryId, Index, Input, NodeId, Status } from '../raft/types.ts';
import type { Storage } from '../storage/types.ts';
import type { ReceivedState } from './snapshot-fetch.ts';
import type { TransferLog } from './transfer-log.ts';

export interface TakeoverOptions {
  readonly storage: Pick<Storage, 'isStateMissing' | 'start' | 'holds' | 'restoreState'>;
  readonly status: () => Status;
  readonly step: (input: Input) => void;
  /** Begins to fetch a state, unless a fetch is under way. */
  readonly fetch: (from: NodeId) => void;
  /** The fetched state is in use, or of no use. */
  readonly settled: () => void;
  /** The storage stands on the state: now the node does too. */
  readonly install: (state: ReceivedState) => void;
  readonly failed: (error: unknown) => void;
  readonly transfers: Pick<TransferLog, 'installed' | 'needless'>;
}

export class Takeover {
  readonly #options: TakeoverOptions;
  #isStateMissing: boolean;
  #received: ReceivedState | null = null;
  /** Whom to ask next, as a position among the members. */
  #turn = 0;

  constructor(options: TakeoverOptions) {
    this.#options = options;
    this.#isStateMissing = options.storage.isStateMissing;
  }

  /** While it is, nothing is applied and nothing served. */
  get isStateMissing(): boolean {
    return this.#isStateMissing;
  }

  received(state: ReceivedState): void {
    const { applied: last, configuration } = state.header;
    const { commitIndex } = this.#options.status();
    if (last.index > commitIndex) {
      // Before the step: what comes of it may come at once.
      this.#received = state;
      const { term } = state;
      this.#options.step({ type: 'snapshotReceived', snapshot: { last, configuration }, term });
      // A leader takes none.
      if (this.#options.status().commitIndex < last.index) this.#discard(state);
    } else if (this.#isStateMissing && this.#goesOnFrom(last)) {
      this.#repair(state);
    } else {
      this.#discard(state);
    }
  }

  /** The core and the storage stand on the state at `index`. */
  restored(index: Index): void {
    const state = this.#received;
    assert(state?.header.applied.index === index, () => `Restored ${index} out of nothing`);
    this.#install(state);
  }

  /** To be called now and then. */
  sweep(): void {
    if (!this.#isStateMissing || this.#received !== null) return;
    const { configuration, id } = this.#options.status();
    const others = configuration.members.filter((member) => member.id !== id);
    const next = others[this.#turn++ % Math.max(1, others.length)];
    if (next !== undefined) this.#options.fetch(next.id);
  }

  /**
   * Whether the log goes on from there. The core hands out what comes after the start, so an older state
   * would have a gap behind it; what is committed may still be on its way to this disk, and then it
   * does not hold a newer one yet. Either way another state has to come.
   */
  #goesOnFrom(last: EntryId): boolean {
    const { storage } = this.#options;
    return last.index >= storage.start.last.index && storage.holds(last);
  }

  /** The log has all of it already, but nothing was made of it: the state takes its place beside the log. */
  #repair(state: ReceivedState): void {
    this.#received = state;
    this.#options.storage
      .restoreState()
      .then(() => this.#install(state))
      .catch(this.#options.failed);
  }

  #install(state: ReceivedState): void {
    this.#received = null;
    this.#isStateMissing = false;
    this.#options.install(state);
    this.#options.transfers.installed(state.passage);
    this.#options.settled();
  }

  #discard(state: ReceivedState): void {
    this.#received = null;
    this.#options.transfers.needless(state.passage);
    state.staging.abort().then(this.#options.settled).catch(this.#options.failed);
  }
}
