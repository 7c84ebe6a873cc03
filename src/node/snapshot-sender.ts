/**
 * Gives this node's state to members that ask for it. Each transfer pins the state as Level holds it at
 * the first request and is pulled from there piece by piece, so it can go on after any loss, whoever
 * leads meanwhile, and writes go on beside it. A pin that nobody asks for any more is let go.
 */
import type { Clock } from '../base/clock.ts';
import type { SnapshotChunk, SnapshotRefusal, SnapshotRequest } from '../format/node-message.ts';
import type { Index, NodeId } from '../raft/types.ts';
import type { StateSnapshot } from '../storage/types.ts';

export interface SnapshotSenderOptions {
  readonly id: NodeId;
  readonly open: () => Promise<StateSnapshot>;
  readonly send: (message: SnapshotChunk | SnapshotRefusal) => void;
  /** The stored state could not be read: the process must end. */
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
  readonly transfersMax: number;
  readonly chunkBytes: number;
  readonly idleMs: number;
}

interface Transfer {
  readonly to: NodeId;
  snapshot: StateSnapshot | null;
  /** A piece is being read: what is asked for meanwhile is asked for again. */
  isBusy: boolean;
  heardMs: number;
}

export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  readonly #transfers = new Map<string, Transfer>();
  #isOpen = true;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  /** Where the oldest state on its way stands: who receives it needs the log from there. Null without any. */
  get floor(): Index | null {
    let floor: Index | null = null;
    for (const { snapshot } of this.#transfers.values()) {
      if (snapshot === null) continue;
      floor = Math.min(floor ?? Number.POSITIVE_INFINITY, snapshot.header.applied.index);
    }
    return floor;
  }

  onRequest(request: SnapshotRequest): void {
    if (!this.#isOpen) return;
    const known = this.#transfers.get(request.transfer);
    if (known === undefined) {
      if (request.after !== '' || this.#isFull(request.from)) this.#refuse(request);
      else void this.#begin(request);
      return;
    }
    known.heardMs = this.#options.clock.monotonic();
    if (known.snapshot !== null && !known.isBusy) void this.#answer(known, known.snapshot, request);
  }

  /** To be called now and then. */
  sweep(): void {
    const nowMs = this.#options.clock.monotonic();
    for (const [id, transfer] of this.#transfers) {
      if (nowMs - transfer.heardMs > this.#options.idleMs) void this.#drop(id);
    }
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await Promise.all([...this.#transfers.keys()].map((id) => this.#drop(id)));
  }

  /** One member needs one state at a time: an older transfer of its is given up, not counted. */
  #isFull(to: NodeId): boolean {
    for (const [id, transfer] of this.#transfers) if (transfer.to === to) void this.#drop(id);
    return this.#transfers.size >= this.#options.transfersMax;
  }

  async #begin(request: SnapshotRequest): Promise<void> {
    const { clock, open, failed } = this.#options;
    const transfer: Transfer = {
      to: request.from,
      snapshot: null,
      isBusy: false,
      heardMs: clock.monotonic(),
    };
    this.#transfers.set(request.transfer, transfer);
    try {
      const snapshot = await open();
      if (this.#transfers.get(request.transfer) !== transfer) {
        await snapshot.close();
        return;
      }
      transfer.snapshot = snapshot;
      await this.#answer(transfer, snapshot, request);
    } catch (error) {
      if (this.#isOpen) failed(error);
    }
  }

  async #answer(
    transfer: Transfer,
    snapshot: StateSnapshot,
    { from, transfer: id, after }: SnapshotRequest,
  ): Promise<void> {
    transfer.isBusy = true;
    try {
      const { records, isLast } = await snapshot.read(after, this.#options.chunkBytes);
      if (this.#transfers.get(id) !== transfer) return;
      const header = after === '' ? snapshot.header : null;
      const route = { from: this.#options.id, to: from };
      this.#options.send({
        type: 'snapshotChunk',
        ...route,
        transfer: id,
        after,
        header,
        records,
        isLast,
      });
    } catch (error) {
      if (this.#transfers.get(id) === transfer) this.#options.failed(error);
    } finally {
      transfer.isBusy = false;
    }
  }

  #refuse({ from, transfer }: SnapshotRequest): void {
    this.#options.send({ type: 'snapshotRefusal', from: this.#options.id, to: from, transfer });
  }

  async #drop(id: string): Promise<void> {
    const transfer = this.#transfers.get(id);
    this.#transfers.delete(id);
    await transfer?.snapshot?.close();
  }
}
