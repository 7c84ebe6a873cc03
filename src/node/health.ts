/**
 * What speaks against this node's serving or leading: it was removed from its cluster, its disk is
 * stuck, or its state is lost and on its way, or older than what it may have served in an earlier life.
 */
import type { RollcallError } from '../base/errors.ts';
import type { Input, Status } from '../raft/types.ts';
import { DiskWatch } from './disk-watch.ts';
import { removedError, replayingError, stateMissingError } from './refusals.ts';

export interface HealthOptions {
  readonly step: (input: Input) => void;
  readonly status: () => Pick<Status, 'role' | 'transferee'>;
  /** For how long the disk has not answered an append or a read of the log. */
  readonly diskPendingMs: () => number;
  readonly diskStallMs: number;
  readonly isStateMissing: () => boolean;
  /** It has not applied yet what it knew to be committed when it began. */
  readonly isReplaying: () => boolean;
  /** Nobody has led for three election timeouts. */
  readonly isLeaderless: () => boolean;
  /** The cluster goes on without this node. */
  readonly removed: () => void;
}

export class Health {
  readonly #options: HealthOptions;
  readonly #diskWatch: DiskWatch;
  #isRemoved = false;
  /** What the core was told last. */
  #campaigns = true;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#diskWatch = new DiskWatch(options.diskStallMs, options.diskPendingMs);
  }

  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Why nothing is served; null when there is no reason. */
  refusal(): RollcallError | null {
    if (this.#isRemoved) return removedError();
    if (this.#options.isStateMissing()) return stateMissingError();
    return this.#options.isReplaying() ? replayingError() : null;
  }

  /** Another member, whose configuration is not older than this node's, says that it is not in there. */
  toldRemoved(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.#update();
    this.#options.removed();
  }

  /** A leader that sends to this node knows better than whoever said that it was removed. */
  heeded(): void {
    if (!this.#isRemoved) return;
    this.#isRemoved = false;
    this.#update();
  }

  /** To be called now and then. */
  sweep(): void {
    this.#diskWatch.look();
    const { role, transferee } = this.#options.status();
    const shouldFollow = this.#diskWatch.isStalled || this.#options.isStateMissing();
    // Again and again: who could not take over a moment ago may be back by now.
    if (shouldFollow && role === 'leader' && transferee === null) {
      this.#options.step({ type: 'transferLeadership', to: null });
    }
    this.#update();
  }

  /**
   * A node that lacks its state votes and acknowledges, but campaigns only when nobody has led for
   * long: then its log may be what the others need. Whom it has brought up to its log is to lead.
   */
  #update(): void {
    const { isStateMissing, isLeaderless, step } = this.#options;
    const mayLead = !isStateMissing() || isLeaderless();
    const campaigns = mayLead && !this.#isRemoved && !this.#diskWatch.isStalled;
    if (campaigns === this.#campaigns) return;
    this.#campaigns = campaigns;
    step({ type: 'eligible', campaign: campaigns });
  }
}
