/**
 * The one place where the core meets the world. A turn takes what was stepped since the last one and
 * carries out each Ready in a fixed order:
 *
 *     gathered writes and reads → step          (so that a whole turn shares one entry and one round)
 *     ready: hand the append to the disk        (one fdatasync; its end is the input `persisted`)
 *            send messages                      (what needs the disk was held back inside the core)
 *            queue committed entries, answer reads, settle proposals
 *
 * A turn runs once the sockets that were readable have been read. The disk never blocks it.
 */
import type { Clock } from '../base/clock.ts';
import type { Input, LogRead, Raft, Ready } from '../raft/types.ts';
import type { Storage } from '../storage/types.ts';
import type { ReachNodeFailpoint } from './failpoints.ts';
import type { PeerTransport } from './types.ts';

const logReadBytesMax = 1024 * 1024;

export interface ReadyHandlers {
  /** Steps what has gathered since the last turn. */
  beforeTurn(): void;
  /** Everything of a Ready that concerns clients and the state machine. */
  ready(ready: Ready): void;
  /** After the last Ready of a turn: applies and answers. */
  afterTurn(): void;
  /** The storage failed: the process must end. */
  failed(error: unknown): void;
  readonly reach: ReachNodeFailpoint;
  /** More than this may not be on its way to a follower. */
  readonly inflightBytesMax: number;
}

export class ReadyLoop {
  readonly #raft: Raft;
  readonly #storage: Pick<Storage, 'append' | 'readLog'>;
  readonly #transport: PeerTransport;
  readonly #clock: Clock;
  readonly #handlers: ReadyHandlers;
  #scheduled = false;
  #open = true;

  constructor(
    raft: Raft,
    storage: Pick<Storage, 'append' | 'readLog'>,
    transport: PeerTransport,
    clock: Clock,
    handlers: ReadyHandlers,
  ) {
    this.#raft = raft;
    this.#storage = storage;
    this.#transport = transport;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  step(input: Input): void {
    if (!this.#open) return;
    this.#raft.step(input);
    this.schedule();
  }

  /** Asks for a turn; many calls before it share it. */
  schedule(): void {
    if (this.#scheduled || !this.#open) return;
    this.#scheduled = true;
    this.#clock.soon(() => this.#turn());
  }

  /** Does this, and takes the turn that it asks for at once: the sockets must have been read already. */
  turnAfter(work: () => void): void {
    work();
    this.#turn();
  }

  close(): void {
    this.#open = false;
  }

  #turn(): void {
    if (!this.#scheduled || !this.#open) return;
    this.#scheduled = false;
    this.#handlers.beforeTurn();
    for (let ready = this.#raft.ready(); ready !== null; ready = this.#raft.ready()) {
      if (ready.append !== null) this.#append(ready.append);
      if (ready.messages.length > 0) this.#handlers.reach('turn.send');
      for (const message of ready.messages) this.#transport.send(message);
      for (const read of ready.logReads) this.#readLog(read);
      this.#handlers.ready(ready);
    }
    this.#transport.flush();
    this.#handlers.afterTurn();
  }

  #append(append: NonNullable<Ready['append']>): void {
    const { reach } = this.#handlers;
    reach('turn.append');
    this.#storage.append(append).then(
      () => {
        reach('turn.persisted');
        this.step({ type: 'persisted', append: append.number });
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #readLog({ peer, from }: LogRead): void {
    const bytesMax = Math.min(logReadBytesMax, this.#handlers.inflightBytesMax);
    this.#storage.readLog(from, bytesMax).then(
      ({ prev, entries }) => this.step({ type: 'logRead', peer, prev, entries }),
      (error: unknown) => this.#failed(error),
    );
  }

  /** What waited for room on the disk is given up when the storage closes, which is no failure. */
  #failed(error: unknown): void {
    if (this.#open) this.#handlers.failed(error);
  }
}
