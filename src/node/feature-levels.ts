/**
 * The part of a member in the cluster's feature level (see format/feature-level). Each member says in the
 * configuration which level it knows at most, learners as well; as soon as all of them know more than
 * the cluster's level, the leader writes a raise to the log.
 *
 * Invariants, of every prefix of the log:
 *
 * 1. A command comes after a raise to its level. So whoever applies the log never meets what it cannot
 *    read, and whoever cannot read the raise stops there.
 * 2. All members of the newest configuration know the level that the newest raise brought.
 *
 * Both hold because the leader looks at the newest configuration in its log, committed or not, writes a
 * raise before anything else once that allows one, and from then on takes in and changes members by the
 * raised level. The next leader has either all of that in its log or none of it.
 */
import type { RequestId, Status } from '../raft/types.ts';
import type { Command } from '../state-machine/types.ts';

export interface FeatureLevelsOptions {
  /** The highest level that this member knows. */
  readonly featureLevelMax: number;
  /** The cluster's, as far as this member has applied the log. */
  readonly applied: () => number;
  readonly status: () => Pick<Status, 'role' | 'currentTerm' | 'transferee' | 'configuration'>;
  /** Proposes an entry with this command alone. */
  readonly propose: (command: Command) => RequestId;
  /** The cluster is at this level, as far as this member knows. */
  readonly reached: (level: number) => void;
}

export class FeatureLevels {
  readonly #options: FeatureLevelsOptions;
  /** The newest raise that was proposed here. */
  #raise: { readonly id: RequestId; readonly term: number; readonly level: number } | null = null;
  #told = 0;

  constructor(options: FeatureLevelsOptions) {
    this.#options = options;
  }

  /**
   * The level by which a leader decides what is written and who is taken in: the one that the cluster has
   * or, by a raise that precedes whatever else is proposed, gets. No limit on a member that does not
   * lead: it decides nothing.
   */
  get allowed(): number {
    const { role, configuration } = this.#options.status();
    if (role !== 'leader') return Number.POSITIVE_INFINITY;
    return Math.max(this.#options.applied(), this.#agreed(configuration));
  }

  /** To be called before a leader proposes anything. */
  maybeRaise(): void {
    const { featureLevelMax, applied, status, propose } = this.#options;
    if (applied() >= featureLevelMax) return;
    const { role, currentTerm: term, transferee, configuration } = status();
    // A proposal would be dropped.
    if (role !== 'leader' || transferee !== null) return;
    const level = this.#agreed(configuration);
    const isProposed = this.#raise?.term === term && this.#raise.level >= level;
    if (level <= applied() || isProposed) return;
    this.#raise = { id: propose({ type: 'raiseFeatureLevel', level }), term, level };
  }

  dropped(id: RequestId): void {
    if (id === this.#raise?.id) this.#raise = null;
  }

  /** Entries were applied, or the state is another one now. */
  look(): void {
    const level = this.#options.applied();
    if (level === this.#told) return;
    this.#told = level;
    this.#options.reached(level);
  }

  #agreed({ members }: Status['configuration']): number {
    const { featureLevelMax } = this.#options;
    return Math.min(featureLevelMax, ...members.map(({ featureLevel }) => featureLevel));
  }
}
