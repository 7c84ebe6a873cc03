/**
 * Room on the disks and in the state. Before one is full, what would fill it is refused, while what makes room, and all
 * that keeps the cluster alive, goes on: a disk that has filled up can only be waited for.
 *
 * The same goes for the quota: what the state holds is the same on all nodes, and the leader refuses once
 * that is as much as its quota, until deletions and compaction have made it less.
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
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Storage } from '../storage/types.ts';
import type { Bounds } from './timing.ts';
import type { Request } from './types.ts';

export interface RoomOptions {
  readonly id: NodeId;
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly storage: Pick<Storage, 'freeBytes' | 'waitsForSpace'>;
  readonly bounds: Pick<Bounds, 'diskReserveBytes' | 'quotaBytes'>;
  readonly machine: () => Pick<StateMachine, 'storedBytes'>;
  readonly status: () => Pick<Status, 'role' | 'leaderId' | 'configuration'>;
  readonly send: (report: SpaceReport) => void;
  /** `isShort` or `quotaTrouble` is another one now. */
  readonly changed: () => void;
  readonly failed: (error: unknown) => void;
}

const lookMs = 1000;
/** Longer than it takes to say it again, even when one report is lost. */
const validMs = 3000;
/** From this share of the quota on it is told, until it is below the other one. */
const nearShare = 0.8;
const clearShare = 0.75;

export class Room {
  readonly #options: RoomOptions;
  /** When each member that is short has last said so; without those that have fallen silent. */
  readonly #shortAtMs = new Map<NodeId, number>();
  #isShort = false;
  #quotaTrouble: 'quotaNear' | 'quotaFull' | null = null;
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

  /** How near the state is to this node's quota, when it last looked. */
  get quotaTrouble(): 'quotaNear' | 'quotaFull' | null {
    return this.#quotaTrouble;
  }

  /** To be called now and then. */
  sweep(): void {
    const nowMs = this.#options.clock.monotonic();
    for (const [id, atMs] of this.#shortAtMs) {
      if (nowMs - atMs >= validMs) this.#shortAtMs.delete(id);
    }
    if (this.#isLooking || nowMs - this.#lookedMs < lookMs) return;
    this.#lookedMs = nowMs;
    this.#lookAtQuota();
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
    const isFull = this.#isFull;
    if (!this.#isShort && this.#shortAtMs.size === 0 && !isFull) return null;
    const { role, configuration } = this.#options.status();
    if (role !== 'leader' || !fills(request)) return null;
    if (isFull) return new RollcallError('noSpace', this.#fullness());
    const isSpacious = voteResult(configuration, (id) => !this.#isShortOf(id)) === 'won';
    if (isSpacious && !this.#isShort) return null;
    return new RollcallError('noSpace', this.#shortage(configuration));
  }

  get #isFull(): boolean {
    const { bounds, machine } = this.#options;
    return machine().storedBytes >= bounds.quotaBytes;
  }

  #lookAtQuota(): void {
    const { bounds, machine, changed } = this.#options;
    const share = machine().storedBytes / bounds.quotaBytes;
    const before = this.#quotaTrouble;
    const isNear = share >= (before === null ? nearShare : clearShare);
    this.#quotaTrouble = share >= 1 ? 'quotaFull' : isNear ? 'quotaNear' : null;
    if (this.#quotaTrouble !== before) changed();
  }

  async #look(): Promise<void> {
    const { storage, bounds, changed } = this.#options;
    this.#freeBytes = await storage.freeBytes();
    const isShort = storage.waitsForSpace || this.#freeBytes < bounds.diskReserveBytes;
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

  #fullness(): string {
    const { bounds, machine } = this.#options;
    const stored = mebibytes(machine().storedBytes);
    const quota = `${stored} are stored with all revisions, the quota is ${mebibytes(bounds.quotaBytes)}`;
    return `${quota}: delete or compact, and it clears by itself`;
  }

  #shortage({ members, voters, votersOutgoing }: Configuration): string {
    const { id: ownId, bounds } = this.#options;
    const nameOf = (id: NodeId): string => members.find((one) => one.id === id)?.name ?? id;
    if (this.#isShort) {
      const free = `has ${mebibytes(this.#freeBytes)} left on the disk of its data directory`;
      return `The leader "${nameOf(ownId)}" ${free} and keeps ${mebibytes(bounds.diskReserveBytes)} in reserve`;
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
