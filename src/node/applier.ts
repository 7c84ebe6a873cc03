/**
 * Applies committed entries in order, in turns that do not hold the event loop, and tells the storage
 * after each turn that the overlay stands at an entry boundary.
 */
import { assert } from '../base/assert.ts';
import { expectFeatureLevel } from '../format/feature-level.ts';
import type { Configuration, Entry, EntryId } from '../raft/types.ts';
import { decodeCommandEntry } from '../state-machine/command-codec.ts';
import { levelOfLogged } from '../state-machine/command-level.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Applied, Outcome, RevisionEvents } from '../state-machine/types.ts';
import type { CheckpointHeader, Storage } from '../storage/types.ts';
import { Backlog } from './backlog.ts';
import type { ReachNodeFailpoint } from './failpoints.ts';

export interface ApplyHandlers {
  applied(entry: EntryId, outcomes: readonly Outcome[]): void;
  configured(entry: EntryId, configuration: Configuration): void;
  /** After each turn, with everything that it changed. */
  changed(revisions: readonly RevisionEvents[]): void;
  /** There is more to apply: it had to be read from the log. */
  refilled(): void;
  /** The log could not be read. */
  failed(error: unknown): void;
  readonly reach: ReachNodeFailpoint;
}

export interface ClusterIdentity {
  readonly clusterId: string;
  readonly incarnation: string;
}

const overlayBytesMax = 64 * 1024 * 1024;
const nothing: Applied = { outcomes: [], revisions: [] };

/** An entry whose commands are being applied. */
interface Current {
  readonly entry: Entry;
  readonly steps: Generator<undefined, Applied>;
}

export class Applier {
  #machine: StateMachine;
  readonly #storage: Pick<Storage, 'overlay' | 'applied' | 'readLog'>;
  readonly #cluster: ClusterIdentity;
  readonly #featureLevelMax: number;
  readonly #handlers: ApplyHandlers;
  readonly #backlog: Backlog;
  #current: Current | null = null;
  #last: EntryId;
  #configuration: Configuration;

  constructor(options: {
    readonly machine: StateMachine;
    readonly storage: Pick<Storage, 'overlay' | 'applied' | 'readLog'>;
    readonly cluster: ClusterIdentity;
    /** What is of a newer one stops the node, as what it cannot read does. */
    readonly featureLevelMax: number;
    readonly last: EntryId;
    readonly configuration: Configuration;
    /** With so much in memory of what waits, the rest is left to be read from the log. */
    readonly backlogBytesMax: number;
    readonly handlers: ApplyHandlers;
  }) {
    this.#machine = options.machine;
    this.#storage = options.storage;
    this.#cluster = options.cluster;
    this.#featureLevelMax = options.featureLevelMax;
    this.#last = options.last;
    this.#configuration = options.configuration;
    this.#handlers = options.handlers;
    this.#backlog = new Backlog({
      ...{ storage: options.storage, applied: options.last.index },
      bytesMax: options.backlogBytesMax,
      refilled: () => this.#handlers.refilled(),
      failed: (error) => this.#handlers.failed(error),
    });
  }

  /** The newest applied entry. */
  get last(): EntryId {
    return this.#last;
  }

  /** True while the disk is behind by so much that nothing more may be taken into memory. */
  get full(): boolean {
    return this.#storage.overlay.bytes > overlayBytesMax;
  }

  /** The state machine is another one now, as of `header`; what was to be applied before is in it. */
  restore(machine: StateMachine, { applied, configuration }: CheckpointHeader): void {
    this.#machine = machine;
    this.#backlog.restore(applied.index);
    this.#current = null;
    this.#last = applied;
    this.#configuration = configuration;
  }

  push(entries: readonly Entry[]): void {
    this.#backlog.push(entries);
  }

  /**
   * Applies until `mayGoOn` says that the turn is over, if need be between two commands of an entry.
   * Returns whether work is left that waits for nothing but the next turn.
   */
  run(mayGoOn: () => boolean): boolean {
    const before = this.#last.index;
    const revisions: RevisionEvents[] = [];
    let isOver = false;
    while (!isOver && (this.#current !== null || (!this.#backlog.isEmpty && !this.full))) {
      this.#current ??= this.#begin(this.#backlog.next());
      const step = this.#current.steps.next();
      if (step.done) this.#finish(this.#current.entry, step.value, revisions);
      isOver = !mayGoOn();
    }
    if (this.#last.index > before) {
      this.#handlers.reach('watch.send');
      this.#handlers.changed(revisions);
    }
    // In the middle of an entry the overlay is the state of no index.
    if (this.#last.index > before && this.#current === null) {
      this.#storage.applied(() => this.#header());
    }
    if (!this.full) this.#backlog.refill();
    return this.#current !== null || !this.#backlog.isEmpty;
  }

  #begin(entry: Entry): Current {
    assert(
      entry.index === this.#last.index + 1,
      () => `Entry ${entry.index} after ${this.#last.index}`,
    );
    this.#handlers.reach('apply.begin');
    return { entry, steps: this.#steps(entry) };
  }

  *#steps(entry: Entry): Generator<undefined, Applied> {
    if (entry.type === 'command') {
      const { index } = entry;
      const decoded = decodeCommandEntry(entry.command);
      for (const logged of decoded.commands) {
        expectFeatureLevel(
          levelOfLogged(logged),
          this.#featureLevelMax,
          `Entry ${index} of the log`,
        );
      }
      return yield* this.#machine.applySteps(index, decoded);
    }
    if (entry.type === 'configuration') this.#configuration = entry.configuration;
    return nothing;
  }

  #finish(entry: Entry, applied: Applied, revisions: RevisionEvents[]): void {
    const { term, index } = entry;
    this.#current = null;
    this.#last = { term, index };
    for (const revision of applied.revisions) revisions.push(revision);
    this.#handlers.reach('apply.end');
    this.#handlers.applied(this.#last, applied.outcomes);
    if (entry.type === 'configuration') {
      this.#handlers.configured(this.#last, entry.configuration);
    }
  }

  #header(): CheckpointHeader {
    return {
      applied: this.#last,
      configuration: this.#configuration,
      ...this.#cluster,
      featureLevel: this.#machine.featureLevel,
      revision: this.#machine.revision,
      logTimeMs: this.#machine.logTimeMs,
      wallTimeMs: this.#machine.wallTimeMs,
      compactRevisions: this.#machine.compactRevisions,
      removedRevisions: this.#machine.removedRevisions,
      timeMarks: this.#machine.timeMarks,
      digest: this.#machine.digest,
    };
  }
}
