/**
 * Room on the disks. Before one is full, what would fill it is refused, while what makes room, and all
 * that keeps the cluster alive, goes on: a disk that has filled up can only be waited for.
 *
 * A node that has less than its reserve tells the leader so again and again. The leader refuses when it
 * is short itself, or when those who have room are no majority: one short follower costs nobody
 * anything. What was said expires, so that all of it clears by itself.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { SpaceReport } from '../format/node-message.ts';
import type { Operation } from '../mvcc/types.ts';
import { voteResult } from '../raft/quorum.ts';
import type { Configuration, NodeId, Status } from '../raft/types.ts';
import type { Storage } from '../storage/types.ts';
import type { Request } from './types.ts';

export interface RoomOptions {
  readonly id: NodeId;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly storage: Pick<Storage, 'freeBytes' | 'waitsForSpace'>;
  readonly reserveBytes: number;
  readonly status: () => Pick<Status, 'role' | 'leaderId' | 'configuration'>;
  readonly send: (report: SpaceReport) => void;
  /** `isShort` is another one now. */
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
}

const lookMs = 1000;
/** Longer than it takes to say it again, even when one report is lost. */
const validMs = 3000;

export class Room {
  readonly #options: RoomOptions;
  /** When each member that is short has last said so; without those that have fallen silent. */
  readonly #shortAtMs = new Map<NodeId, number>();
  #isShort = false;
  /** Of this node's data directory, when it last looked. */
  #freeBytes = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  /** This node's own disk has less than the reserve. */
  get isShort(): boolean {
    return this.#isShort;
  }

  /** To be called now and then. */
  sweep(): void {
    const nowMs = this.#options.clock.monotonic();
    for (const [id, atMs] of this.#shortAtMs) {
      if (nowMs - atMs >= validMs) this.#shortAtMs.delete(id);
    }
    if (this.#isLooking || nowMs - this.#lookedMs < lookMs) return;
    this.#lookedMs = nowMs;
    this.#isLooking = true;
    this.#look()
      .catch(this.#options.failed)
      .finally(() => {
        this.#isLooking = false;
      });
  }

  heard({ from, isShort }: SpaceReport): void {
    if (isShort) this.#shortAtMs.set(from, this.#options.clock.monotonic());
    else this.#shortAtMs.delete(from);
  }

  /** Why the leader does not take the request; null on any other node, and while there is room. */
  refusal(request: Request): RollcallError | null {
    // The usual case costs nothing, as this is asked for every request.
    if (!this.#isShort && this.#shortAtMs.size === 0) return null;
    const { role, configuration } = this.#options.status();
    if (role !== 'leader' || !fills(request)) return null;
    const isSpacious = voteResult(configuration, (id) => !this.#isShortOf(id)) === 'won';
    if (isSpacious && !this.#isShort) return null;
    return new RollcallError('noSpace', this.#shortage(configuration));
  }

  async #look(): Promise<void> {
    const { storage, reserveBytes, changed } = this.#options;
    this.#freeBytes = await storage.freeBytes();
    const isShort = storage.waitsForSpace || this.#freeBytes < reserveBytes;
    const wasShort = this.#isShort;
    this.#isShort = isShort;
    if (isShort || wasShort) this.#tell();
    if (isShort !== wasShort) changed();
  }

  #tell(): void {
    const { id, status, send } = this.#options;
    const { leaderId } = status();
    if (leaderId === null || leaderId === id) return;
    send({ type: 'spaceReport', from: id, to: leaderId, isShort: this.#isShort });
  }

  #shortage({ members, voters, votersOutgoing }: Configuration): string {
    const { id: ownId, reserveBytes } = this.#options;
    const nameOf = (id: NodeId): string => members.find((one) => one.id === id)?.name ?? id;
    if (this.#isShort) {
      const free = `has ${mebibytes(this.#freeBytes)} left on the disk of its data directory`;
      return `The leader "${nameOf(ownId)}" ${free} and keeps ${mebibytes(reserveBytes)} in reserve`;
    }
    const short = [...new Set([...voters, ...votersOutgoing])].filter((id) => this.#isShortOf(id));
    const names = short.map(nameOf).sort().join(', ');
    return `Too many voters have less room left on their disks than their reserve: ${names}`;
  }

  #isShortOf(id: NodeId): boolean {
    if (id === this.#options.id) return this.#isShort;
    return this.#shortAtMs.has(id);
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}

/** Whether the request stores something that stays. */
function fills(request: Request): boolean {
  switch (request.type) {
    case 'put':
    case 'register':
    case 'leaseGrant':
      return true;
    case 'txn':
      return request.success.some(puts) || request.failure.some(puts);
    default:
      return false;
  }
}

function puts(operation: Operation): boolean {
  if (operation.type === 'txn') {
    return operation.success.some(puts) || operation.failure.some(puts);
  }
  return operation.type === 'put';
}
