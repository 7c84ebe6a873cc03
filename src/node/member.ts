/**
 * One member of the cluster without its sockets: the core, the log, the state machine and the waits
 * of clients, driven by ticks, messages and the disk's answers.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Random } from '../base/prng.ts';
import { featureLevel } from '../format/feature-level.ts';
import { createRaft } from '../raft/raft.ts';
import type { Raft, Ready, RequestId } from '../raft/types.ts';
import { encodeCommandEntry } from '../state-machine/command-codec.ts';
import { isTooDeep } from '../state-machine/operation-codec.ts';
import type { StateMachine } from '../state-machine/state-machine.ts';
import type { Command } from '../state-machine/types.ts';
import type { Birth, Storage } from '../storage/types.ts';
import { Applier } from './applier.ts';
import { commandBytes, commandOf } from './commands.ts';
import { Leadership } from './leadership.ts';
import { LogClock } from './log-clock.ts';
import { LogWindow } from './log-window.ts';
import { Proposals } from './proposals.ts';
import { isRead, Queries } from './queries.ts';
import { Reads } from './reads.ts';
import { ReadyLoop } from './ready-loop.ts';
import { Renewals } from './renewals.ts';
import { bounds, timing } from './timing.ts';
import type {
  MemberApi,
  MemberStatus,
  PeerTransport,
  Reply,
  Request,
  ServiceWatchRequest,
  StreamHandle,
  ViewSink,
  WatchRequest,
  WatchSink,
  WriteRequest,
} from './types.ts';
import { ViewStreams } from './view-streams.ts';
import { WatchHub } from './watch-hub.ts';

export interface MemberOptions {
  readonly memberId: string;
  readonly name: string;
  readonly birth: Birth;
  readonly storage: Storage;
  /** Loaded from the storage's checkpoint. */
  readonly machine: StateMachine;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Called once: the disk failed or an invariant broke, and the process must end. */
  readonly onFatal: (error: unknown) => void;
}

export class Member implements MemberApi {
  readonly #options: MemberOptions;
  readonly #clock: Clock;
  readonly #raft: Raft;
  readonly #loop: ReadyLoop;
  readonly #machine: StateMachine;
  readonly #applier: Applier;
  readonly #proposals = new Proposals({ ...bounds, timeoutMs: timing.requestTimeoutMs });
  readonly #reads: Reads;
  readonly #renewals: Renewals;
  readonly #queries: Queries;
  readonly #hub: WatchHub;
  readonly #views: ViewStreams;
  readonly #logClock: LogClock;
  readonly #logWindow: LogWindow;
  readonly #leadership: Leadership;
  readonly #listeners = new Set<() => void>();
  #requestId: RequestId = 0;
  #lastProposalMs = Number.NEGATIVE_INFINITY;
  #lastSweepMs = 0;
  /** What was committed when this node learned of its leader; ready once that is applied. */
  #readyIndex = Number.POSITIVE_INFINITY;
  #ticker: Timer | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: MemberOptions) {
    const { storage, machine, clock, birth } = options;
    this.#options = options;
    this.#clock = clock;
    this.#machine = machine;
    const last = storage.checkpoint?.applied ?? { term: 0, index: 0 };
    const configuration = storage.checkpoint?.configuration ?? birth.configuration;
    this.#raft = createRaft(raftOptions(options), {
      hardState: {
        ...storage.hardState,
        // On disk the commit index is a hint; what is applied was committed.
        commitIndex: Math.max(storage.hardState.commitIndex, last.index),
      },
      snapshot: { last, configuration },
      entries: storage.entries,
      lastApplied: last.index,
    });
    this.#leadership = new Leadership(clock.monotonic());
    this.#logClock = new LogClock(clock.monotonic(), machine.logTimeMs, timing.logTimeStepMsMax);
    this.#logClock.appended(storage.entries);
    this.#logWindow = new LogWindow(bounds.logBytesPerCut, last.index);
    this.#queries = new Queries(machine, clock, options.onFatal);
    this.#hub = new WatchHub(this.#queries, clock);
    this.#reads = new Reads(clock, {
      timeoutMs: timing.requestTimeoutMs,
      behindMs: timing.behindMs,
    });
    this.#views = new ViewStreams(this.#hub, this.#queries, this.#reads);
    this.#renewals = new Renewals(clock, timing.renewalGatherMs, (leaseIds, reply) =>
      this.#propose({ type: 'leaseKeepAlive', leaseIds }, reply),
    );
    this.#applier = new Applier({
      machine,
      storage,
      cluster: { clusterId: birth.clusterId, incarnation: birth.incarnation, featureLevel },
      last,
      configuration,
      handlers: {
        applied: (entry, outcomes) => this.#proposals.applied(entry, outcomes),
        changed: (revisions) => this.#hub.applied(revisions),
      },
    });
    this.#loop = new ReadyLoop(this.#raft, storage, options.transport, clock, {
      beforeTurn: () => this.#beforeTurn(),
      ready: (ready) => this.#ready(ready),
      afterTurn: () => this.#afterTurn(),
      failed: (error) => options.onFatal(error),
    });
    storage.onFailure = (error) => options.onFatal(error);
  }

  /** Begins to tick and to listen to the peers. */
  start(): void {
    this.#options.transport.attach({
      message: (message) => this.#loop.step({ type: 'message', message }),
      unreachable: (peer) => this.#loop.step({ type: 'peerUnreachable', peer }),
    });
    this.#scheduleTick();
    this.#loop.schedule();
  }

  submit(request: Request, reply: Reply): void {
    if (this.#closing !== null) {
      this.#clock.soon(() => reply(closedError()));
    } else if (!isRead(request)) {
      this.#submitWrite(request, reply);
    } else {
      const read = this.#queries.read(request, reply);
      if ('serializable' in request && request.serializable) {
        this.#reads.addSerializable(request.minRevision, read);
      } else {
        this.#reads.addLinearizable(read);
      }
      this.#loop.schedule();
    }
  }

  watch(request: WatchRequest, sink: WatchSink): StreamHandle {
    const revision = this.#machine.revision;
    const refusal = this.#streamRefusal();
    if (refusal !== null) return refuseStream(this.#clock, sink, refusal);
    sink.created(revision);
    const from = request.startRevision === 0 ? revision + 1 : request.startRevision;
    return this.#hub.watch({ ...request, space: 'kv', from }, sink);
  }

  watchService(request: ServiceWatchRequest, sink: ViewSink): StreamHandle {
    const refusal = this.#streamRefusal();
    if (refusal !== null) return refuseStream(this.#clock, sink, refusal);
    const handle = this.#views.open(request, sink);
    this.#loop.schedule();
    return handle;
  }

  status(): MemberStatus {
    const { birth, memberId, name } = this.#options;
    const { configuration, role, currentTerm, leaderId, commitIndex } = this.#raft.status();
    const leader = configuration.members.find((member) => member.id === leaderId);
    return {
      clusterId: birth.clusterId,
      incarnation: birth.incarnation,
      memberId,
      name,
      role,
      term: currentTerm,
      leaderId,
      leaderName: leader?.name ?? null,
      leaderAddress: leader?.clientAddress ?? null,
      commitIndex,
      appliedIndex: this.#applier.last.index,
      revision: this.#machine.revision,
      digest: this.#queries.digest,
    };
  }

  ready(): boolean {
    return this.#leadership.leaderId !== null && this.#applier.last.index >= this.#readyIndex;
  }

  onStatusChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends every wait and stream, writes out what is in memory, and closes the storage. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ticker?.cancel();
    this.#loop.close();
    this.#renewals.flush();
    const inDoubt = new RollcallError('closed', 'The node stopped before the write was decided', {
      definite: false,
    });
    this.#proposals.close(closedError(), inDoubt);
    this.#reads.close(closedError());
    this.#hub.endAll(closedError());
    await this.#options.storage.close();
  }

  #submitWrite(request: WriteRequest, reply: Reply): void {
    if (request.type === 'leaseKeepAlive') this.#renewals.add(request.leaseIds, reply);
    else this.#propose(commandOf(request, this.#options.random), reply);
  }

  #propose(command: Command, reply: Reply): void {
    const refusal = this.#admit(command, reply);
    if (refusal !== null) this.#clock.soon(() => reply(refusal));
    this.#loop.schedule();
  }

  #admit(command: Command, reply: Reply): RollcallError | null {
    if (this.#applier.full) {
      const details = { retryAfterMs: 100 };
      return new RollcallError('tooManyRequests', 'The disk is behind', { details });
    }
    // What no node could read must not enter the log.
    if (command.type === 'txn' && isTooDeep(command)) {
      return new RollcallError('tooManyOperations', 'The transaction is nested too deeply');
    }
    return this.#proposals.add(command, commandBytes(command), reply, this.#clock.monotonic());
  }

  #beforeTurn(): void {
    if (!this.#leadership.leads) {
      if (this.#proposals.gathered + this.#reads.gathered === 0) return;
      const refusal = this.#leadership.refusal(this.#raft.status().configuration.members);
      this.#proposals.refuseGathered(refusal);
      this.#reads.refuseGathered(refusal);
      return;
    }
    while (this.#mayPropose()) this.#proposeEntry();
    if (this.#reads.gathered > 0) {
      const id = ++this.#requestId;
      this.#reads.request(id);
      this.#raft.step({ type: 'readIndex', id });
    }
  }

  #mayPropose(): boolean {
    const { gathered, inFlight } = this.#proposals;
    if (this.#applier.full) return false;
    if (inFlight === 0) return gathered > 0;
    return gathered >= bounds.entryCommandsWorthwhile && inFlight < bounds.entriesInFlightMax;
  }

  /** What has gathered, as one entry; with nothing gathered, an entry that only carries the time. */
  #proposeEntry(): void {
    const id = ++this.#requestId;
    const nowMs = this.#clock.monotonic();
    const commands = this.#proposals.take(id, nowMs).map((command) => ({ session: null, command }));
    const command = encodeCommandEntry({
      logTimeMs: this.#logClock.stamp(nowMs),
      wallTimeMs: Math.floor(this.#clock.wall()),
      commands,
    });
    this.#lastProposalMs = nowMs;
    this.#raft.step({ type: 'propose', id, command });
  }

  #ready(ready: Ready): void {
    if (ready.append !== null) this.#logClock.appended(ready.append.entries);
    if (ready.softState !== null) this.#softStateChanged(ready.softState);
    for (const accepted of ready.accepted) this.#proposals.accepted(accepted);
    for (const { id } of ready.dropped) this.#dropped(id);
    for (const { id, index } of ready.readStates) this.#reads.confirmed(id, index);
    this.#applier.push(ready.committedEntries);
    const cut = this.#logWindow.applied(ready.committedEntries);
    if (cut !== null) this.#raft.step({ type: 'compacted', index: cut });
  }

  #softStateChanged(softState: NonNullable<Ready['softState']>): void {
    const { leaderId } = this.#leadership;
    const nowMs = this.#clock.monotonic();
    this.#leadership.update(softState, nowMs);
    this.#logClock.lead(softState.role === 'leader', nowMs);
    if (softState.leaderId === null) this.#readyIndex = Number.POSITIVE_INFINITY;
    else if (softState.leaderId !== leaderId) this.#readyIndex = this.#raft.status().commitIndex;
    for (const listener of this.#listeners) listener();
  }

  #dropped(id: RequestId): void {
    const refusal = this.#leadership.refusal(this.#raft.status().configuration.members);
    this.#proposals.dropped(id, refusal);
    this.#reads.dropped(id, refusal);
  }

  #afterTurn(): void {
    const startMs = this.#clock.monotonic();
    const mayGoOn = (): boolean => this.#clock.monotonic() - startMs < timing.turnMs;
    const entriesLeft = this.#applier.run(mayGoOn) && !this.#applier.full;
    const readsLeft = this.#reads.run(this.#applier.last.index, this.#machine.revision, mayGoOn);
    if (entriesLeft || readsLeft || this.#mayPropose()) this.#loop.schedule();
  }

  /**
   * The tick is stepped only once the sockets that are readable have been read: after a pause of the
   * process, timers fire before sockets, and heartbeats that wait in a socket would come too late to
   * prevent an election. Ticks that a pause swallowed are not made up for.
   */
  #scheduleTick(): void {
    this.#ticker = this.#clock.after(timing.tickMs, () => {
      this.#scheduleTick();
      this.#clock.soon(() => this.#tick());
    });
  }

  #tick(): void {
    if (this.#closing !== null) return;
    const nowMs = this.#clock.monotonic();
    this.#logClock.advance(nowMs);
    this.#loop.step({ type: 'tick' });
    if (this.#leadership.leads && this.#clockEntryDue(nowMs)) this.#proposeEntry();
    if (nowMs - this.#lastSweepMs < timing.sweepMs) return;
    this.#lastSweepMs = nowMs;
    this.#proposals.expire(nowMs);
    this.#reads.expire(this.#machine.revision);
    if (this.#leaderless()) this.#hub.endAll(noLeaderError());
  }

  #clockEntryDue(nowMs: number): boolean {
    if (this.#proposals.gathered > 0 || this.#proposals.inFlight > 0) return false;
    if (this.#machine.expiryUnfinished) return true;
    return this.#machine.deadlinesPending && nowMs - this.#lastProposalMs >= timing.clockEntryMs;
  }

  #streamRefusal(): RollcallError | null {
    if (this.#closing !== null) return closedError();
    return this.#leaderless() ? noLeaderError() : null;
  }

  #leaderless(): boolean {
    return this.#leadership.leaderlessMs(this.#clock.monotonic()) > timing.leaderlessMs;
  }
}

function raftOptions({ memberId, random }: MemberOptions): Parameters<typeof createRaft>[0] {
  return {
    id: memberId,
    random,
    electionTicks: timing.electionTicks,
    heartbeatTicks: timing.heartbeatTicks,
    entriesPerMessageMax: bounds.entriesPerMessageMax,
    bytesPerMessageMax: bounds.bytesPerMessageMax,
    inflightMessagesMax: bounds.inflightMessagesMax,
    inflightBytesMax: bounds.inflightBytesMax,
    earlyCampaignTicks: timing.earlyCampaignTicks,
  };
}

function refuseStream(
  clock: Clock,
  sink: Pick<WatchSink, 'end'>,
  refusal: RollcallError,
): StreamHandle {
  clock.soon(() => sink.end(refusal));
  return { resume() {}, cancel() {} };
}

function noLeaderError(): RollcallError {
  return new RollcallError('noLeader', 'This node has heard of no leader for a while');
}

function closedError(): RollcallError {
  return new RollcallError('closed', 'The node is stopping');
}
