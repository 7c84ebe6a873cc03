/**
 * One member of the cluster without its sockets: the core, the log, the state machine and the waits
 * of clients, driven by ticks, messages and the disk's answers.
 */
import type { Clock } from '../base/clock.ts';
import type { RollcallError } from '../base/errors.ts';
import { formatHash } from '../base/hash.ts';
import { isNodeMessage, type NodeMessage, nodeMessageLevel } from '../format/node-message.ts';
import type { PeerMessage } from '../format/types.ts';
import type { Index, NodeId, Raft, Ready, RequestId } from '../raft/types.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import { Applier } from './applier.ts';
import type { ReachNodeFailpoint } from './failpoints.ts';
import { FeatureLevels } from './feature-levels.ts';
import { Governance, isMembershipRequest } from './governance.ts';
import { Health } from './health.ts';
import { KeptLog } from './kept-log.ts';
import { Leadership } from './leadership.ts';
import { LogClock } from './log-clock.ts';
import type { MemberOptions, SharedParts } from './member-options.ts';
import { memberStatus } from './member-status.ts';
import { OwnEntries } from './own-entries.ts';
import { Pace } from './pace.ts';
import { isRead, Queries } from './queries.ts';
import { Reads } from './reads.ts';
import { ReadyLoop } from './ready-loop.ts';
import {
  closedError,
  closedInDoubtError,
  noLeaderError,
  removedError,
  stateMissingError,
  wrongDigestError,
} from './refusals.ts';
import { Room } from './room.ts';
import type { ReceivedState } from './snapshot-fetch.ts';
import { startRaft } from './start-raft.ts';
import { StateExchange } from './state-exchange.ts';
import { StateGuard } from './state-guard.ts';
import { StatusListeners } from './status-listeners.ts';
import { Streams } from './streams.ts';
import { Takeover } from './takeover.ts';
import { Ticker } from './ticker.ts';
import { type Bounds, membershipTiming, timing, bounds as usualBounds } from './timing.ts';
import { traceApplied } from './traced-raft.ts';
import { TransferLog } from './transfer-log.ts';
import type {
  BackupRequest,
  BackupSink,
  MemberApi,
  MemberStatus,
  ServiceWatchRequest,
  StreamHandle,
  ViewSink,
  WatchHandle,
  WatchRequest,
  WatchSink,
} from './types.ts';
import { Writes } from './writes.ts';

export class Member implements MemberApi {
  readonly #options: MemberOptions;
  readonly #bounds: Bounds;
  readonly #clock: Clock;
  readonly #raft: Raft;
  readonly #loop: ReadyLoop;
  #machine: StateMachine;
  readonly #applier: Applier;
  readonly #reads: Reads;
  readonly #writes: Writes;
  readonly #ownEntries: OwnEntries;
  readonly #queries: Queries;
  readonly #streams: Streams;
  readonly #logClock: LogClock;
  readonly #log: KeptLog;
  readonly #governance: Governance;
  readonly #exchange: StateExchange;
  readonly #takeover: Takeover;
  readonly #health: Health;
  readonly #guard: StateGuard;
  readonly #room: Room;
  readonly #leadership: Leadership;
  readonly #levels: FeatureLevels;
  readonly #ticker: Ticker;
  readonly #shared: SharedParts;
  readonly #listeners = new StatusListeners();
  #requestId: RequestId = 0;
  #lastSweepMs = 0;
  #closing: Promise<void> | null = null;
  /** Its last requests are served while it hands over. */
  #isHandingOver = false;

  constructor(options: MemberOptions) {
    const { storage, machine, clock } = options;
    const bounds = { ...usualBounds, ...options.bounds };
    this.#options = options;
    this.#bounds = bounds;
    this.#clock = clock;
    this.#machine = machine;
    this.#guard = new StateGuard(options.onFatal);
    const failed = (error: unknown): void => this.#guard.break(error);
    const { last } = storage.start;
    const { reach = () => {}, trace = null } = options.debug ?? {};
    this.#raft = startRaft(options.memberId, options.random, storage, bounds, trace);
    this.#leadership = new Leadership(clock.monotonic());
    this.#logClock = new LogClock(clock.monotonic(), machine.logTimeMs, timing.logTimeStepMsMax);
    this.#logClock.loaded(storage.entries);
    this.#log = new KeptLog({
      ...{ bounds, storage, applied: last.index, failed },
      owed: () => this.#exchange.floor,
    });
    this.#queries = new Queries(machine, clock, () => this.#governance.report(), failed);
    const { requestTimeoutMs: timeoutMs } = bounds;
    this.#reads = new Reads(clock, { timeoutMs, behindMs: timing.behindMs });
    this.#streams = new Streams({
      ...{ name: options.name, storage, clock, queries: this.#queries, reads: this.#reads, failed },
      incarnation: options.birth.incarnation,
      guarded: this.#guard.clock(clock),
      appliedIndex: () => this.#applier.last.index,
      refusal: () => this.#refusal(),
      streamRefusal: () => this.#refusal() ?? (this.#leaderless() ? noLeaderError() : null),
    });
    this.#writes = new Writes({
      ...{ bounds, clock, random: options.random },
      isFull: () => this.#applier.full,
      levelAllowed: () => this.#levels.allowed,
      pace: new Pace(() => this.#log.excess, bounds.logRetainedBytesMax),
      schedule: () => this.#loop.schedule(),
      step: (id, command) => this.#raft.step({ type: 'propose', id, command }),
      nextId: () => ++this.#requestId,
      stamp: (nowMs) => this.#logClock.stamp(nowMs),
    });
    this.#ownEntries = new OwnEntries({
      ...{ bounds, writes: this.#writes, machine: () => this.#machine },
      levelAllowed: () => this.#levels.allowed,
      stamp: (nowMs) => this.#logClock.stamp(nowMs),
    });
    this.#applier = this.#createApplier(reach, failed);
    this.#loop = new ReadyLoop(this.#raft, storage, options.transport, clock, {
      beforeTurn: () => this.#beforeTurn(),
      ready: (ready) => this.#ready(ready),
      afterTurn: () => this.#afterTurn(),
      ...{ failed, reach, inflightBytesMax: bounds.inflightBytesMax },
    });
    this.#ticker = new Ticker(clock, timing.tickMs, this.#loop, () => this.#tick());
    this.#shared = {
      ...{ ...options, id: options.memberId, failed, reach },
      transfers: new TransferLog(options.log, clock, () => this.#raft.status().configuration),
      status: () => this.#raft.status(),
      step: (input) => this.#loop.step(input),
      send: (message) => this.#send(message),
    };
    this.#levels = this.#createLevels();
    this.#governance = this.#createGovernance();
    this.#exchange = this.#createExchange();
    this.#takeover = this.#createTakeover();
    this.#health = this.#createHealth();
    this.#room = this.#createRoom();
    if (!storage.isStateMissing) this.#exchange.digests.applied(last.index, machine);
    storage.onFailure = failed;
  }

  /** Begins to tick and to listen to the peers. */
  start(): void {
    const { currentTerm, lastIndex } = this.#raft.status();
    this.#options.transport.opened({ term: currentTerm, index: lastIndex });
    this.#options.transport.attach({
      message: (message) => this.#onMessage(message),
      unreachable: (peer) => this.#loop.step({ type: 'peerUnreachable', peer }),
      gone: (peer) => this.#onGone(peer),
      knock: (applicant) => this.#governance.knock(applicant),
      greeted: (member) => this.#governance.greeted(member),
      removed: () => this.#health.toldRemoved(),
    });
    const { configuration, last } = this.#options.storage.start;
    this.#options.transport.setConfiguration(configuration, last.index);
    this.#levels.look();
    this.#ticker.start();
    this.#loop.schedule();
  }

  submit(...[request, reply, session = null]: Parameters<MemberApi['submit']>): void {
    const refusal = this.#refusal() ?? this.#room.refusal(request);
    if (refusal !== null) {
      this.#clock.soon(() => reply(refusal));
    } else if (isMembershipRequest(request)) {
      this.#governance.submit(request, reply);
    } else if (!isRead(request)) {
      this.#writes.submit(request, reply, session);
    } else {
      this.#reads.add(request, this.#queries.read(request, reply));
      this.#loop.schedule();
    }
  }

  watch(request: WatchRequest, sink: WatchSink): WatchHandle {
    this.#loop.schedule();
    return this.#streams.watch(request, sink);
  }

  watchService(request: ServiceWatchRequest, sink: ViewSink): StreamHandle {
    this.#loop.schedule();
    return this.#streams.watchService(request, sink);
  }

  backup(request: BackupRequest, sink: BackupSink): StreamHandle {
    this.#loop.schedule();
    return this.#streams.backup(request, sink);
  }

  digestAt(index: Index): ReturnType<MemberApi['digestAt']> {
    const known = this.#exchange.digests.at(index);
    return known && { ...known, digest: formatHash(known.digest) };
  }

  status(): MemberStatus {
    const { index } = this.#applier.last;
    return memberStatus({
      name: this.#options.name,
      birth: this.#options.birth,
      raft: this.#raft.status(),
      // In the middle of an entry the machine is in a state of no index.
      state: this.#exchange.digests.at(index) ?? this.#machine,
      machine: this.#machine,
      featureLevelMax: this.#options.featureLevelMax,
      appliedIndex: index,
      isStateMissing: this.#takeover.isStateMissing,
      ...{ bounds: this.#bounds, room: this.#room },
      isRemoved: this.#health.isRemoved,
    });
  }

  ready(): boolean {
    return this.#refusal() === null && this.#leadership.isReady(this.#applier.last.index);
  }

  onStatusChange(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  /** Ends every wait and stream, writes out what is in memory, and closes the storage. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isHandingOver = true;
    await this.#governance.handOver();
    await this.#writes.settled(timing.handoverMs);
    this.#isHandingOver = false;
    this.#ticker.stop();
    this.#loop.close();
    this.#writes.close(closedError(), closedInDoubtError());
    this.#governance.close(closedInDoubtError());
    this.#reads.close(closedError());
    this.#streams.close(closedError());
    await this.#exchange.close();
    await this.#options.storage.close();
  }

  #createApplier(reach: ReachNodeFailpoint, failed: (error: unknown) => void): Applier {
    const { storage, machine, birth, transport, memberId, featureLevelMax, debug } = this.#options;
    return new Applier({
      ...{ machine, storage, ...storage.start, featureLevelMax },
      backlogBytesMax: this.#bounds.backlogBytesMax,
      cluster: { clusterId: birth.clusterId, incarnation: birth.incarnation },
      handlers: {
        applied: (entry, outcomes) => {
          this.#exchange.digests.applied(entry.index, this.#machine);
          if (debug) traceApplied(debug.trace, memberId, entry, this.#machine);
          this.#writes.applied(entry, outcomes);
          this.#levels.look();
        },
        configured: (entry, configuration) => {
          transport.setConfiguration(configuration, entry.index);
          this.#governance.applied(entry, configuration);
        },
        changed: (revisions) => this.#streams.applied(revisions),
        ...{ refilled: () => this.#loop.schedule(), failed, reach },
      },
    });
  }

  #createLevels(): FeatureLevels {
    return new FeatureLevels({
      ...this.#shared,
      applied: () => this.#machine.featureLevel,
      propose: (command) => this.#writes.proposeOwn(command),
      reached: (level) => {
        this.#options.transport.setFeatureLevel(level);
        this.#listeners.tell();
      },
    });
  }

  #createGovernance(): Governance {
    return new Governance({
      ...this.#shared,
      levelAllowed: () => this.#levels.allowed,
      ...{ timeoutMs: this.#bounds.requestTimeoutMs, ...membershipTiming },
      nextId: () => ++this.#requestId,
      revision: () => this.#machine.revision,
      notLeader: () => this.#notLeader(),
      isLeaderless: () => this.#leaderlessMs() > timing.handoverMs,
    });
  }

  #createExchange(): StateExchange {
    return new StateExchange({
      ...this.#options,
      ...this.#shared,
      owedPatienceMs: this.#bounds.owedPatienceMs,
      term: () => this.#raft.status().currentTerm,
      received: (state) => this.#takeover.received(state),
      onWrongDigest: (index) => this.#guard.break(wrongDigestError(index)),
    });
  }

  #createTakeover(): Takeover {
    return new Takeover({
      ...this.#shared,
      fetch: (from) => this.#exchange.fetch(from),
      settled: () => this.#exchange.settled(),
      install: (state) => this.#install(state),
    });
  }

  #createHealth(): Health {
    return new Health({
      ...this.#shared,
      diskStallMs: timing.diskStallMs,
      diskPendingMs: () => this.#options.storage.pendingMs(),
      isStateMissing: () => this.#takeover.isStateMissing,
      isReplaying: () => this.#applier.last.index < this.#options.storage.hardState.commitIndex,
      isLeaderless: () => this.#leaderless(),
      removed: () => this.#removed(),
    });
  }

  #createRoom(): Room {
    return new Room({
      ...this.#shared,
      ...{ bounds: this.#bounds, machine: () => this.#machine },
      changed: () => this.#listeners.tell(),
    });
  }

  #beforeTurn(): void {
    if (!this.#leadership.leads) {
      if (this.#writes.gathered + this.#reads.gathered === 0) return;
      const refusal = this.#notLeader();
      this.#writes.refuseGathered(refusal);
      this.#reads.refuseGathered(refusal);
      return;
    }
    this.#levels.maybeRaise();
    while (this.#mayPropose()) this.#writes.propose();
    if (this.#reads.gathered > 0) {
      const id = ++this.#requestId;
      this.#reads.request(id);
      this.#raft.step({ type: 'readIndex', id });
    }
  }

  #mayPropose(): boolean {
    // What comes in while leadership is handed over waits for the outcome.
    return this.#writes.isDue && this.#raft.status().transferee === null;
  }

  #ready(ready: Ready): void {
    if (ready.restored !== null) this.#takeover.restored(ready.restored.last.index);
    this.#logClock.follow(ready);
    if (ready.softState !== null) this.#softStateChanged(ready.softState);
    for (const accepted of ready.accepted) {
      this.#writes.accepted(accepted);
      this.#governance.accepted(accepted);
    }
    for (const refused of ready.refused) this.#governance.refused(refused);
    if (ready.snapshotOffer !== null) this.#exchange.fetch(ready.snapshotOffer.from);
    for (const { id } of ready.dropped) this.#dropped(id);
    for (const { id, index } of ready.readStates) this.#reads.confirmed(id, index);
    this.#applier.push(ready.committedEntries);
    const cut = this.#log.applied(ready.committedEntries);
    if (cut !== null) this.#raft.step({ type: 'compacted', index: cut });
  }

  #softStateChanged(softState: NonNullable<Ready['softState']>): void {
    const nowMs = this.#clock.monotonic();
    this.#leadership.update(softState, nowMs, this.#raft.status().commitIndex);
    this.#logClock.lead(softState.role === 'leader', nowMs);
    this.#governance.led(softState.leaderId);
    if (softState.leaderId !== null) this.#health.heeded();
    this.#listeners.tell();
  }

  #notLeader(): RollcallError {
    return this.#leadership.refusal(this.#raft.status().configuration.members);
  }

  #dropped(id: RequestId): void {
    const refusal = this.#notLeader();
    this.#writes.dropped(id, refusal);
    this.#reads.dropped(id, refusal);
    this.#levels.dropped(id);
  }

  #afterTurn(): void {
    // Entries wait for the state that they change.
    if (!this.#takeover.isStateMissing) this.#guard.run(() => this.#applyAndAnswer());
  }

  #applyAndAnswer(): void {
    const startMs = this.#clock.monotonic();
    const mayGoOn = (): boolean => this.#clock.monotonic() - startMs < timing.turnMs;
    const entriesLeft = this.#applier.run(mayGoOn) && !this.#applier.full;
    const readsLeft = this.#reads.run(this.#applier.last.index, this.#machine.revision, mayGoOn);
    if (entriesLeft || readsLeft || this.#mayPropose()) this.#loop.schedule();
  }

  #tick(): void {
    if (this.#closing !== null && !this.#isHandingOver) return;
    const nowMs = this.#clock.monotonic();
    this.#logClock.advance(nowMs);
    this.#loop.step({ type: 'tick' });
    if (this.#leadership.leads) this.#ownEntries.tick(nowMs);
    if (nowMs - this.#lastSweepMs < timing.sweepMs) return;
    this.#lastSweepMs = nowMs;
    this.#writes.expire(nowMs);
    this.#reads.expire(this.#machine.revision);
    this.#sweepCluster();
    if (this.#leaderless()) this.#streams.endAll(noLeaderError());
  }

  #sweepCluster(): void {
    const status = this.#raft.status();
    this.#governance.sweep();
    this.#exchange.sweep(status, this.#log.keptFrom);
    this.#takeover.sweep();
    this.#health.sweep();
    this.#room.sweep();
    this.#log.sweep(status.progress);
  }

  #send(message: NodeMessage): void {
    if (nodeMessageLevel(message) > this.#machine.featureLevel) return;
    this.#options.transport.send(message);
    this.#loop.schedule();
  }

  #onMessage(message: PeerMessage): void {
    if (!isNodeMessage(message)) this.#loop.step({ type: 'message', message });
    else if (message.type === 'spaceReport') this.#room.heard(message);
    else if (this.#closing === null) {
      this.#exchange.onMessage(message, this.#raft.status().configuration);
    }
  }

  #onGone(peer: NodeId): void {
    if (peer === this.#leadership.leaderId) this.#loop.step({ type: 'leaderGone', leader: peer });
  }

  #removed(): void {
    this.#streams.endAll(removedError());
    this.#writes.removed(this.#raft.status().commitIndex);
    this.#listeners.tell();
  }

  /** The storage and the core stand on this state now. */
  #install({ machine, header }: ReceivedState): void {
    const { index } = header.applied;
    this.#machine = machine;
    this.#applier.restore(machine, header);
    this.#queries.restore(machine);
    this.#logClock.restore(machine.logTimeMs);
    this.#log.restored(index);
    this.#exchange.digests.applied(index, machine);
    this.#writes.restored(index);
    this.#governance.restored(index, header.configuration);
    this.#streams.restored();
    this.#options.transport.setConfiguration(header.configuration, index);
    this.#levels.look();
    this.#loop.schedule();
  }

  /** Why nothing is served at all. */
  #refusal(): RollcallError | null {
    if (this.#closing !== null && !this.#isHandingOver) return closedError();
    return this.#guard.isBroken ? stateMissingError() : this.#health.refusal();
  }

  #leaderless(): boolean {
    return this.#leaderlessMs() > timing.leaderlessMs;
  }

  #leaderlessMs(): number {
    return this.#leadership.leaderlessMs(this.#clock.monotonic());
  }
}
