/** What members exchange outside of consensus: states for those who need one, and digests to compare. */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Random } from '../base/prng.ts';
import { expectFeatureLevel } from '../format/feature-level.ts';
import type { NodeMessage, SnapshotNotice, SpaceReport } from '../format/node-message.ts';
import type { Configuration, Index, NodeId, Status, Term } from '../raft/types.ts';
import type { Birth, CheckpointHeader, Storage } from '../storage/types.ts';
import { CheckedSnapshot } from './checked-snapshot.ts';
import { Digests } from './digests.ts';
import type { ReachNodeFailpoint } from './failpoints.ts';
import { OwedLog, type Receiver } from './owed-log.ts';
import { type ReceivedState, SnapshotFetch } from './snapshot-fetch.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import type { TransferLog } from './transfer-log.ts';

export interface StateExchangeOptions {
  readonly id: NodeId;
  readonly birth: Birth;
  /** A state of a higher one stops the node. */
  readonly featureLevelMax: number;
  readonly storage: Pick<
    Storage,
    'checkpointNow' | 'openSnapshot' | 'stage' | 'logFirst' | 'isStateMissing'
  >;
  readonly status: () => Pick<Status, 'commitIndex'>;
  readonly term: () => Term;
  readonly send: (message: NodeMessage) => void;
  readonly received: (state: ReceivedState) => void;
  readonly reach: ReachNodeFailpoint;
  readonly transfers: TransferLog;
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
  readonly #transfers: TransferLog;
  readonly #storage: StateExchangeOptions['storage'];
  readonly #send: (message: NodeMessage) => void;
  /** Members that take over a state of somebody else, and have come nearer to it since the last sweep. */
  readonly #elsewhere = new Map<NodeId, Receiver>();
  /** Who was offered a state and still needs one. */
  #offered: ReadonlySet<NodeId> = new Set();
  #noticed: { readonly leaderId: NodeId; readonly bytes: number; readonly atMs: number } | null =
    null;
  #toldMs = 0;

  constructor(options: StateExchangeOptions) {
    const { id, storage, term, send, clock, random, failed, reach, transfers } = options;
    this.#clock = clock;
    this.#storage = storage;
    this.#send = send;
    this.#transfers = transfers;
    this.#owed = new OwedLog(options.owedPatienceMs);
    this.digests = new Digests(id, send, options.onWrongDigest);
    this.#sender = new SnapshotSender({
      ...{ id, term, clock, failed, transfers, transfersMax, chunkBytes, idleMs, yieldMs },
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
      ...{ id, send, clock, random, failed, transfers, askAgainMs, giveUpMs },
      stage: (header) => storage.stage(header),
      received: (state) => {
        reach('state.received');
        options.received(state);
      },
      check: (header) => checkHeader(header, options),
      // A lost state is made good by any that its log goes on from, however much of that is committed.
      isNeedless: (index) => index <= options.status().commitIndex && !storage.isStateMissing,
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
      case 'snapshotNotice':
        this.#onNotice(message);
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

  /** To be called now and then. What comes after `keptFrom` stays in this node's log in any case. */
  sweep({ configuration, progress, leaderId, id }: Status, keptFrom: Index): void {
    this.#sender.sweep();
    this.#fetch.sweep();
    const nowMs = this.#clock.monotonic();
    if (leaderId !== null && leaderId !== id) this.#tellLeader(id, leaderId, nowMs);
    this.#logOffers(progress);
    const receivers = new Map([...this.#elsewhere, ...this.#sender.receivers]);
    this.#elsewhere.clear();
    this.#owed.update(receivers, progress, keptFrom, nowMs);
    if (nowMs - this.#toldMs < tellMs) return;
    this.#toldMs = nowMs;
    this.digests.tell(configuration);
  }

  /** A leader cannot see what a member receives of somebody else, and has to keep its log for it too. */
  #tellLeader(id: NodeId, leaderId: NodeId, nowMs: number): void {
    const passage = this.#fetch.passage;
    if (passage === null || passage.peer === leaderId) return;
    const { bytes, index } = passage;
    const last = this.#noticed;
    const isTold = last?.leaderId === leaderId;
    if (isTold && (nowMs - last.atMs < tellMs || last.bytes === bytes)) return;
    this.#noticed = { leaderId, bytes, atMs: nowMs };
    this.#send({ type: 'snapshotNotice', from: id, to: leaderId, index });
  }

  #onNotice({ from, index }: SnapshotNotice): void {
    // Where the log is gone already, keeping the rest of it would be in vain.
    if (index + 1 < this.#storage.logFirst) return;
    this.#elsewhere.set(from, { index, heardMs: this.#clock.monotonic() });
  }

  #logOffers(progress: Status['progress']): void {
    const needing = progress.filter(({ state }) => state === 'snapshot');
    for (const { id, matchIndex } of needing) {
      if (!this.#offered.has(id)) this.#transfers.offered(id, matchIndex);
    }
    this.#offered = new Set(needing.map(({ id }) => id));
  }

  async close(): Promise<void> {
    await Promise.all([this.#sender.close(), this.#fetch.close()]);
  }
}

function checkHeader(
  header: CheckpointHeader,
  { birth, featureLevelMax }: Pick<StateExchangeOptions, 'birth' | 'featureLevelMax'>,
): void {
  if (header.clusterId !== birth.clusterId || header.incarnation !== birth.incarnation) {
    throw new RollcallError('clusterMismatch', `The state is of cluster ${header.clusterId}`);
  }
  expectFeatureLevel(header.featureLevel, featureLevelMax, 'The state of another member');
}
