/**
 * Gives this node's state to members that ask for it. Each transfer pins the state as it is at the first
 * request, which brings Level up to it: otherwise a node that lost its state, but not its log, would
 * wait in a quiet cluster for one that is as new as its log. From there it is pulled piece by piece, so
 * it can go on after any loss, whoever leads meanwhile, and writes go on beside it. A pin that nobody
 * asks for any more is let go, and sooner than that when somebody else waits for its place.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { SnapshotChunk, SnapshotRefusal, SnapshotRequest } from '../format/node-message.ts';
import type { NodeId, Term } from '../raft/types.ts';
import type { StateSnapshot } from '../storage/types.ts';
import type { Receiver } from './owed-log.ts';
import type { Passage, TransferLog } from './transfer-log.ts';

export interface SnapshotSenderOptions {
  readonly id: NodeId;
  /** Null while there is no state to send. Rejects with `closed` when the node stops. */
  readonly open: () => Promise<StateSnapshot | null>;
  readonly term: () => Term;
  readonly send: (message: SnapshotChunk | SnapshotRefusal) => void;
  /** The stored state could not be read: the process must end. */
  readonly failed: (error: unknown) => void;
  readonly transfers: Pick<TransferLog, 'begin' | 'sends' | 'sent' | 'dropped'>;
  readonly clock: Clock;
  readonly transfersMax: number;
  readonly chunkBytes: number;
  readonly idleMs: number;
  /** A transfer that was silent for so long makes room for another one. */
  readonly yieldMs: number;
}

interface Transfer {
  readonly passage: Passage;
  readonly snapshot: StateSnapshot;
  /** A piece is being read: what is asked for meanwhile is asked for again. */
  isBusy: boolean;
  /** The last piece was sent: it is only there in case that piece was lost. */
  isComplete: boolean;
  heardMs: number;
}

type Records = SnapshotChunk['records'];

export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  readonly #transfers = new Map<string, Transfer>();
  /** Transfers whose state is about to be pinned. */
  readonly #beginning = new Set<string>();
  #isOpen = true;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  /** The members that a state is on its way to. */
  get receivers(): ReadonlyMap<NodeId, Receiver> {
    const transfers = [...this.#transfers.values()];
    return new Map(
      transfers.map(({ passage: { peer, index }, heardMs }) => [peer, { index, heardMs }]),
    );
  }

  onRequest(request: SnapshotRequest): void {
    if (!this.#isOpen) return;
    const transfer = this.#transfers.get(request.transfer);
    if (transfer === undefined) {
      this.#begin(request);
      return;
    }
    transfer.heardMs = this.#options.clock.monotonic();
    if (!transfer.isBusy) void this.#answer(transfer, request);
  }

  /** To be called now and then. */
  sweep(): void {
    const nowMs = this.#options.clock.monotonic();
    for (const [id, transfer] of this.#transfers) {
      if (nowMs - transfer.heardMs > this.#options.idleMs) void this.#drop(id);
    }
  }

  /** Does not wait for a state that is about to be pinned: that may take until the disk has room. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await Promise.all([...this.#transfers.keys()].map((id) => this.#drop(id)));
  }

  /** One member needs one state at a time: an older transfer of its is given up, not counted. */
  #isFull(to: NodeId): boolean {
    for (const [id, transfer] of this.#transfers)
      if (transfer.passage.peer === to) void this.#drop(id);
    if (this.#transfers.size + this.#beginning.size < this.#options.transfersMax) return false;
    const idle = this.#dispensable();
    if (idle !== null) void this.#drop(idle);
    return idle === null;
  }

  /** Rather one that is complete, else the one that was silent for longest, if that is long. */
  #dispensable(): string | null {
    const { clock, yieldMs } = this.#options;
    const silentSinceMs = clock.monotonic() - yieldMs;
    const found = [...this.#transfers]
      .filter(([, { isComplete, heardMs }]) => isComplete || heardMs <= silentSinceMs)
      .sort(([, left], [, right]) => {
        const byCompletion = Number(right.isComplete) - Number(left.isComplete);
        return byCompletion === 0 ? left.heardMs - right.heardMs : byCompletion;
      });
    return found[0]?.[0] ?? null;
  }

  #begin(request: SnapshotRequest): void {
    const { transfer: id, after, from } = request;
    if (this.#beginning.has(id)) return;
    if (after !== '' || this.#isFull(from)) {
      this.#refuse(request);
      return;
    }
    this.#beginning.add(id);
    void this.#pin(request)
      .catch((error: unknown) => this.#readFailed(error, request))
      .finally(() => this.#beginning.delete(id));
  }

  async #pin(request: SnapshotRequest): Promise<void> {
    const { clock, open, transfers } = this.#options;
    const snapshot = await open();
    if (snapshot === null) {
      this.#refuse(request);
    } else if (this.#isOpen) {
      const heardMs = clock.monotonic();
      const passage = transfers.begin(request.from, snapshot.header.applied.index);
      const transfer = { passage, snapshot, isBusy: false, isComplete: false, heardMs };
      transfers.sends(passage);
      this.#transfers.set(request.transfer, transfer);
      void this.#answer(transfer, request);
    } else {
      await snapshot.close();
    }
  }

  async #answer(transfer: Transfer, request: SnapshotRequest): Promise<void> {
    const { from, transfer: id, after } = request;
    const { snapshot } = transfer;
    transfer.isBusy = true;
    try {
      const previous = after === '' ? null : after;
      const { records, done } = await snapshot.read(previous, this.#options.chunkBytes);
      if (this.#transfers.get(id) !== transfer) return;
      this.#measure(transfer, records, done);
      const header = after === '' ? snapshot.header : null;
      const term = this.#options.term();
      const body = { transfer: id, after, term, header, records, isLast: done };
      this.#options.send({ type: 'snapshotChunk', from: this.#options.id, to: from, ...body });
    } catch (error) {
      if (this.#transfers.get(id) === transfer) this.#readFailed(error, request);
    } finally {
      transfer.isBusy = false;
    }
  }

  #measure(transfer: Transfer, records: Records, isLast: boolean): void {
    const { passage, isComplete } = transfer;
    for (const [key, value] of records) passage.bytes += key.length + value.length;
    transfer.isComplete = isLast;
    if (isLast && !isComplete) this.#options.transfers.sent(passage);
  }

  #readFailed(error: unknown, request: SnapshotRequest): void {
    // This node itself took over another state meanwhile.
    const isReplaced = error instanceof RollcallError && error.code === 'closed';
    if (!isReplaced) this.#options.failed(error);
    void this.#drop(request.transfer);
    this.#refuse(request);
  }

  #refuse({ from, transfer }: SnapshotRequest): void {
    this.#options.send({ type: 'snapshotRefusal', from: this.#options.id, to: from, transfer });
  }

  async #drop(id: string): Promise<void> {
    const transfer = this.#transfers.get(id);
    this.#transfers.delete(id);
    if (transfer === undefined) return;
    if (!transfer.isComplete) this.#options.transfers.dropped(transfer.passage);
    await transfer.snapshot.close();
  }
}
