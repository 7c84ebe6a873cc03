/** What members exchange outside of consensus: states for those who need one, and digests to compare. */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Random } from '../base/prng.ts';
import { featureLevel } from '../format/feature-level.ts';
import type { NodeMessage, SpaceReport } from '../format/node-message.ts';
import type { Configuration, Index, NodeId, Status, Term } from '../raft/types.ts';
import type { Birth, CheckpointHeader, Storage } from '../storage/types.ts';
import { CheckedSnapshot } from './checked-snapshot.ts';
import { Digests } from './digests.ts';
import type { ReachNodeFailpoint } from './failpoints.ts';
import { OwedLog } from './owed-log.ts';
import { type ReceivedState, SnapshotFetch } from './snapshot-fetch.ts';
import { SnapshotSender } from './snapshot-sender.ts';

export interface StateExchangeOptions {
  readonly id: NodeId;
  readonly birth: Birth;
  readonly storage: Pick<Storage, 'checkpointNow' | 'openSnapshot' | 'stage'>;
  readonly term: () => Term;
  readonly send: (message: NodeMessage) => void;
  readonly received: (state: ReceivedState) => void;
  readonly reach: ReachNodeFailpoint;
  /** A majority has another digest at an index: this node's state is wrong. */
  readonly onWrongDigest: (index: Index) => void;
  readonly failed: (error: unknown) => void;
  readonly clock: Clock;
  readonly random: Random;
  /** So long log is kept for a receiver of a state that does not come any nearer. */
  readonly owedPatienceMs: number;
}

const chunkBytes = 192 * 1024;
const transfersMax = 2;
const idleMs = 30_000;
const yieldMs = 3000;
const askAgainMs = 1000;
const giveUpMs = 10_000;
const tellMs = 1000;

export class StateExchange {
  readonly digests: Digests;
  readonly #clock: Clock;
  readonly #sender: SnapshotSender;
  readonly #fetch: SnapshotFetch;
  readonly #owed: OwedLog;
  #toldMs = 0;

  constructor(options: StateExchangeOptions) {
    const { id, storage, term, send, clock, random, failed, reach } = options;
    this.#clock = clock;
    this.#owed = new OwedLog(options.owedPatienceMs);
    this.digests = new Digests(id, send, options.onWrongDigest);
    this.#sender = new SnapshotSender({
      ...{ id, term, clock, failed, transfersMax, chunkBytes, idleMs, yieldMs },
      send: (message) => {
        if (message.type === 'snapshotChunk') reach('state.send');
        send(message);
      },
      open: async () => {
        await storage.checkpointNow();
        const snapshot = storage.openSnapshot();
        return snapshot === null ? null : new CheckedSnapshot(snapshot);
      },
    });
    this.#fetch = new SnapshotFetch({
      ...{ id, send, clock, random, failed, askAgainMs, giveUpMs },
      stage: (header) => storage.stage(header),
      received: (state) => {
        reach('state.received');
        options.received(state);
      },
      check: (header) => checkHeader(header, options.birth),
    });
  }

  /** All log after this index is needed by those who receive a state of this node. Null: none is. */
  get floor(): Index | null {
    return this.#owed.floor;
  }

  onMessage(message: Exclude<NodeMessage, SpaceReport>, configuration: Configuration): void {
    switch (message.type) {
      case 'snapshotRequest':
        this.#sender.onRequest(message);
        return;
      case 'snapshotChunk':
        this.#fetch.onChunk(message);
        return;
      case 'snapshotRefusal':
        this.#fetch.onRefusal(message);
        return;
      case 'digestReport':
        this.digests.onReport(message, configuration);
        return;
    }
  }

  /** Begins to fetch this member's state, unless a fetch is under way. */
  fetch(from: NodeId): void {
    this.#fetch.begin(from);
  }

  /** The received state is in use, or of no use. */
  settled(): void {
    this.#fetch.done();
  }

  /** To be called now and then. */
  sweep({ configuration, progress, lastIndex }: Status): void {
    this.#sender.sweep();
    this.#fetch.sweep();
    const nowMs = this.#clock.monotonic();
    this.#owed.update(this.#sender.receivers, progress, lastIndex, nowMs);
    if (nowMs - this.#toldMs < tellMs) return;
    this.#toldMs = nowMs;
    this.digests.tell(configuration);
  }

  async close(): Promise<void> {
    await Promise.all([this.#sender.close(), this.#fetch.close()]);
  }
}

function checkHeader(header: CheckpointHeader, birth: Birth): RollcallError | null {
  if (header.clusterId !== birth.clusterId || header.incarnation !== birth.incarnation) {
    return new RollcallError('clusterMismatch', `The state is of cluster ${header.clusterId}`);
  }
  if (header.featureLevel <= featureLevel) return null;
  return new RollcallError(
    'formatTooNew',
    `The state has feature level ${header.featureLevel}; this program knows ${featureLevel}`,
  );
}
