import { Progress } from './progress.ts';
import { replicasOf } from './quorum.ts';
import { ReadIndex } from './read-index.ts';
import type { Transfer } from './transfer.ts';
import type { Configuration, Index, NodeId, RaftOptions } from './types.ts';

/** What exists only while this member leads: a new one for each term that it wins. */
export class Leadership {
  /** The index of the no-op that opened the term: the commit index reaches it or says too little. */
  readonly firstIndex: Index;
  readonly reads = new ReadIndex();
  /** The hand-over that is under way. No proposal enters the log meanwhile. */
  transfer: Transfer | null = null;
  /** How often each of those who were to take over has not done so within an election timeout. */
  readonly failedTransfers = new Map<NodeId, number>();
  heartbeatElapsed = 0;
  /** Heartbeats leave with the next messages. */
  isHeartbeatDue = false;
  /** A tick has passed: followers that have not been told what is committed are told now. */
  isNewsDue = false;
  readonly #options: RaftOptions;
  readonly #peers = new Map<NodeId, Progress>();
  /** By the index of the configuration that left them out: peers that are to hear of it. */
  readonly #leaving = new Map<NodeId, Index>();

  constructor(options: RaftOptions, configuration: Configuration, firstIndex: Index) {
    this.#options = options;
    this.firstIndex = firstIndex;
    this.follow(configuration, firstIndex);
  }

  /** Every other member that gets the log, and those who just ceased to be members. */
  get peers(): ReadonlyMap<NodeId, Progress> {
    return this.#peers;
  }

  isLeaving(id: NodeId): boolean {
    return this.#leaving.has(id);
  }

  /** The entry at `index` has brought another configuration, or is the first of this leadership. */
  follow(configuration: Configuration, index: Index): void {
    const replicas = new Set(replicasOf(configuration));
    for (const id of replicas) {
      this.#leaving.delete(id);
      if (id === this.#options.id || this.#peers.has(id)) continue;
      this.#peers.set(id, new Progress(index, this.#options));
    }
    for (const id of this.#peers.keys()) {
      if (!replicas.has(id) && !this.#leaving.has(id)) this.#leaving.set(id, index);
    }
  }

  /**
   * Lets those go who know by now that they were left out: they would otherwise go on as members in
   * their own eyes, and campaign. Nobody is waited for who is not up to date or does not answer.
   */
  dismiss(commitIndex: Index): void {
    for (const [id, index] of this.#leaving) {
      const progress = this.#peers.get(id);
      const isWaitedFor =
        progress?.state === 'replicate' &&
        progress.isRecentlyActive &&
        !(progress.matchIndex >= index && progress.isToldOf(index));
      if (commitIndex < index || isWaitedFor) continue;
      this.#leaving.delete(id);
      this.#peers.delete(id);
    }
  }
}
