/**
 * For how long somebody has led: no lease may grow older in any other time. Two who lead at once make no
 * more of it, and of the time in which a process stands still only as much counts as the log takes for
 * one step.
 */
import { timing } from '../../../src/node/timing.ts';
import type { NodeId } from '../../../src/raft/types.ts';

export class LedTime {
  readonly #now: () => number;
  /** By their own word. */
  readonly #leading = new Set<NodeId>();
  /** Whose processes stand still, and since when. */
  readonly #still = new Map<NodeId, number>();
  #ledMs = 0;
  #seenMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get ms(): number {
    const nowMs = this.#now();
    if ([...this.#leading].some((id) => !this.#still.has(id))) this.#ledMs += nowMs - this.#seenMs;
    this.#seenMs = nowMs;
    return this.#ledMs;
  }

  leads(id: NodeId, isLeader: boolean): void {
    if (this.#leading.has(id) === isLeader) return;
    this.#ledMs = this.ms;
    if (isLeader) this.#leading.add(id);
    else this.#leading.delete(id);
  }

  standsStill(id: NodeId): void {
    this.#ledMs = this.ms;
    this.#still.set(id, this.#now());
  }

  goesOn(id: NodeId): void {
    const sinceMs = this.#still.get(id);
    if (sinceMs === undefined) return;
    this.#ledMs = this.ms;
    this.#still.delete(id);
    if (this.#leading.has(id)) {
      this.#ledMs += Math.min(this.#now() - sinceMs, timing.logTimeStepMsMax);
    }
  }

  /** The process has ended. */
  ended(id: NodeId): void {
    this.leads(id, false);
    this.#still.delete(id);
  }
}
