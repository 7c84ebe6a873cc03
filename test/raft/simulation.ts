/**
 * A cluster of cores under a hostile network and failing members, all from one seed. The seed first
 * draws which troubles there are and how much of each, then the run: a phase with troubles, in which
 * nothing may go wrong, and one without, in which everything must come right within a bound.
 */
import type {
  ConfigurationRefusal,
  Index,
  Message,
  NodeId,
  Ready,
  RequestId,
} from '../../src/raft/types.ts';
import { Dice } from './dice.ts';
import { Invariants, must } from './invariants.ts';
import { Member } from './member.ts';
import { drawChanges, drawSetup, drawTroubles, noTroubles, type Troubles } from './troubles.ts';

const ids: readonly NodeId[] = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

const troubledTicks = 400;
const healedTicksMax = 300;
/** A window of one message with one entry takes this long for each entry that is missing. */
const ticksPerEntry = 10;

export interface Outcome {
  readonly committed: Index;
  readonly terms: number;
  readonly reads: number;
  readonly logReads: number;
  readonly crashes: number;
  /** Changes of the configuration that were taken. */
  readonly changes: number;
  readonly refusals: ReadonlySet<ConfigurationRefusal>;
  readonly transfers: number;
  readonly earlyCampaigns: number;
  readonly restored: number;
  /** Differs if anything went another way. */
  readonly fingerprint: string;
}

export class Simulation {
  readonly #dice: Dice;
  readonly #invariants: Invariants;
  readonly #members: readonly Member[];
  readonly #down = new Map<NodeId, number>();
  /** Stopped until then; what comes in waits for them. */
  readonly #paused = new Map<NodeId, number>();
  readonly #agenda = new Map<number, (() => void)[]>();
  /** Old messages, to be replayed much later. */
  readonly #archive: Message[] = [];
  readonly #cut = new Set<string>();
  /** What was committed when a read was asked for, by member and read. */
  readonly #floors = new Map<string, Index>();
  /** How often each member's clock misses a tick: they drift apart. */
  readonly #drift = new Map<NodeId, number>();
  #troubles: Troubles;
  #now = 0;
  #nextRequest: RequestId = 1;
  #reads = 0;
  #logReads = 0;
  #crashes = 0;
  #changes = 0;
  readonly #refusals = new Set<ConfigurationRefusal>();
  #transfers = 0;
  #earlyCampaigns = 0;
  #restored = 0;
  #messages = 0;
  /** Who fetches a state; one at a time each. */
  readonly #fetching = new Set<NodeId>();

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.#troubles = drawTroubles(this.#dice);
    const setup = drawSetup(this.#dice, ids);
    this.#members = ids.map((id) => new Member(id, setup));
    this.#invariants = new Invariants((this.#members[0] as Member).status.configuration);
    for (const member of this.#members) {
      this.#drift.set(member.id, this.#dice.chance(0.5) ? this.#dice.random() / 2 : 0);
      this.#invariants.started(member.id, member);
    }
  }

  run(): Outcome {
    for (let tick = 0; tick < troubledTicks; tick++) this.#troubledTick();
    this.#heal();
    const longest = Math.max(...this.#members.map(({ status }) => status.lastIndex));
    const deadline = this.#now + healedTicksMax + ticksPerEntry * longest;
    while (!this.#hasConverged()) {
      must(this.#now < deadline, () => `No agreement though all is well: ${this.#describe()}`);
      if (this.#now % 20 === 0) for (const member of this.#members) this.#propose(member);
      this.#tick();
    }
    return {
      committed: this.#invariants.commitIndex,
      terms: Math.max(...this.#members.map(({ status }) => status.currentTerm)),
      reads: this.#reads,
      logReads: this.#logReads,
      crashes: this.#crashes,
      changes: this.#changes,
      refusals: this.#refusals,
      transfers: this.#transfers,
      earlyCampaigns: this.#earlyCampaigns,
      restored: this.#restored,
      fingerprint: `${this.#now} ${this.#messages} ${this.#describe()}`,
    };
  }

  #troubledTick(): void {
    const { partition, crash, pause, compaction, replay, change, strayFetch } = this.#troubles;
    if (this.#dice.chance(partition)) this.#partition();
    if (this.#dice.chance(crash)) this.#crash(this.#anyOrLeader());
    if (this.#dice.chance(pause)) this.#pause(this.#leaderOrAny());
    if (this.#dice.chance(compaction)) this.#compact(this.#anyOrLeader());
    if (this.#dice.chance(0.5)) this.#propose(this.#anyOrLeader());
    if (this.#dice.chance(0.2)) for (const member of this.#members) this.#read(member);
    if (this.#dice.chance(0.02)) this.#upset();
    if (this.#dice.chance(change)) this.#change(this.#leaderOrAny());
    if (this.#dice.chance(this.#troubles.transfer)) this.#transfer(this.#leaderOrAny());
    if (this.#dice.chance(this.#troubles.falseAlarm)) this.#giveUp(this.#dice.pick(this.#members));
    if (this.#dice.chance(strayFetch)) this.#fetch(this.#dice.pick(this.#members), 0);
    if (this.#archive.length > 0 && this.#dice.chance(replay))
      this.#deliver(this.#dice.pick(this.#archive));
    this.#tick();
  }

  #tick(): void {
    this.#now++;
    const due = this.#agenda.get(this.#now) ?? [];
    this.#agenda.delete(this.#now);
    while (due.length > 0) due.splice(this.#dice.below(due.length), 1)[0]?.();
    for (const member of this.#members) {
      const { id } = member;
      if ((this.#down.get(id) ?? 0) > this.#now) continue;
      if (this.#down.delete(id)) this.#restart(member);
      if (this.#isPaused(id)) continue;
      if (!this.#dice.chance(this.#drift.get(id) ?? 0)) member.tick();
      this.#work(member);
    }
  }

  /** Takes what is ready, at times later than it could. */
  #work(member: Member): void {
    if (this.#dice.chance(this.#troubles.lazyReady)) return;
    for (let ready = member.take(); ready !== null; ready = member.take()) {
      this.#invariants.ready(member.id, ready, member.status);
      for (const message of member.said()) this.#send(message);
      this.#changed(member, ready);
      for (const { id, index } of ready.readStates) this.#answered(member, id, index);
      if (ready.append !== null) this.#write(member, ready.append.number);
      for (const { peer, from } of ready.logReads) this.#readLog(member, peer, from);
    }
  }

  #changed(member: Member, ready: Ready): void {
    this.#changes +=
      ready.append?.entries.filter(({ type }) => type === 'configuration').length ?? 0;
    for (const { reason } of ready.refused) this.#refusals.add(reason);
    if (ready.restored !== null) this.#restored++;
    if (ready.snapshotOffer !== null) this.#fetch(member, ready.snapshotOffer.last.index);
  }

  #after(delay: number, action: () => void): void {
    const at = this.#now + 1 + delay;
    const actions = this.#agenda.get(at);
    if (actions === undefined) this.#agenda.set(at, [action]);
    else actions.push(action);
  }

  #send(message: Message): void {
    this.#messages++;
    if (message.type === 'timeoutNow') this.#transfers++;
    if (message.type === 'requestVote' && message.isEarly) this.#earlyCampaigns++;
    const { loss, duplication, delayMax } = this.#troubles;
    if (this.#archive.length < 2000) this.#archive.push(message);
    const copies = (this.#dice.chance(loss) ? 0 : 1) + (this.#dice.chance(duplication) ? 1 : 0);
    for (let copy = 0; copy < copies; copy++) {
      this.#after(this.#dice.below(delayMax + 1), () => this.#deliver(message));
    }
  }

  #deliver(message: Message): void {
    const member = this.#members.find(({ id }) => id === message.to);
    if (member === undefined || this.#down.has(message.to)) return;
    if (this.#cut.has(`${message.from} ${message.to}`)) return;
    if (this.#postpone(message.to, () => this.#deliver(message))) return;
    member.receive(message);
    this.#work(member);
  }

  #write(member: Member, number: number): void {
    const { raft } = member;
    const finish = (): void => {
      if (this.#postpone(member.id, finish)) return;
      // A crash in between has decided what became of it.
      if (member.raft !== raft || member.pending?.number !== number) return;
      this.#invariants.persisted(member.id, member.pending);
      member.persist();
      this.#work(member);
    };
    this.#after(this.#dice.below(this.#troubles.diskDelayMax + 1), finish);
  }

  #readLog(member: Member, peer: NodeId, from: Index): void {
    const { raft } = member;
    this.#logReads++;
    const finish = (): void => {
      if (this.#postpone(member.id, finish)) return;
      if (member.raft !== raft || this.#down.has(member.id)) return;
      const { prev, entries } = member.readStored(from);
      const hasFailed = this.#dice.chance(this.#troubles.failedLogRead);
      raft.step({ type: 'logRead', peer, prev, entries: hasFailed ? [] : entries });
      this.#work(member);
    };
    this.#after(this.#dice.below(this.#troubles.logReadDelayMax + 1), finish);
  }

  /** A state of at least `from` is fetched from anybody who has one, if it does not fail. */
  #fetch(member: Member, from: Index): void {
    const { id } = member;
    const sources = this.#members.filter(
      (other) => !this.#isAbsent(other.id) && other.status.lastApplied >= from,
    );
    if (this.#fetching.has(id) || this.#isAbsent(id) || sources.length === 0) return;
    const { snapshot, term } = this.#dice.pick(sources).snapshot();
    const { raft } = member;
    this.#fetching.add(id);
    const finish = (): void => {
      if (this.#postpone(id, finish)) return;
      this.#fetching.delete(id);
      if (member.raft !== raft || this.#down.has(id) || this.#dice.chance(this.#troubles.loss))
        return;
      raft.step({ type: 'snapshotReceived', snapshot, term });
      this.#work(member);
    };
    this.#after(this.#dice.below(this.#troubles.fetchDelayMax + 1), finish);
  }

  #change(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const changes = drawChanges(this.#dice, member.status, ids);
    member.raft.step({ type: 'changeConfiguration', id: this.#nextRequest++, changes });
    this.#work(member);
  }

  #transfer(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const to = this.#dice.chance(0.5) ? null : this.#dice.pick(ids);
    member.raft.step({ type: 'transferLeadership', to });
    this.#work(member);
  }

  /** Takes the leader for gone. */
  #giveUp(member: Member): void {
    const { leaderId } = member.status;
    if (this.#isAbsent(member.id) || leaderId === null) return;
    member.raft.step({ type: 'leaderGone', leader: leaderId });
    this.#work(member);
  }

  /** The process stops, and later goes on as if nothing had happened. */
  #pause(member: Member): void {
    if (!this.#isAbsent(member.id))
      this.#paused.set(member.id, this.#now + 1 + this.#dice.below(60));
  }

  #isPaused(id: NodeId): boolean {
    return (this.#paused.get(id) ?? 0) > this.#now;
  }

  #isAbsent(id: NodeId): boolean {
    return this.#down.has(id) || this.#isPaused(id);
  }

  /** Whatever happens to a stopped member happens some time after it goes on. */
  #postpone(id: NodeId, action: () => void): boolean {
    if (!this.#isPaused(id)) return false;
    this.#after((this.#paused.get(id) ?? 0) - this.#now + this.#dice.below(3), action);
    return true;
  }

  #crash(member: Member): void {
    if (this.#down.has(member.id)) return;
    this.#crashes++;
    this.#down.set(member.id, this.#now + 1 + this.#dice.below(60));
    for (const other of this.#members) {
      if (other.status.leaderId !== member.id || other === member) continue;
      if (!this.#dice.chance(this.#troubles.noticedCrash)) continue;
      this.#after(this.#dice.below(5), () => {
        if (other.status.leaderId === member.id) this.#giveUp(other);
      });
    }
    // The write that was under way is on the disk or not.
    if (member.pending === null || this.#dice.chance(0.5)) return;
    this.#invariants.persisted(member.id, member.pending);
    member.write(member.pending);
  }

  #restart(member: Member): void {
    member.restart();
    this.#fetching.delete(member.id);
    this.#invariants.started(member.id, member);
  }

  #compact(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const base = member.checkpoint.last.index;
    const { lastApplied } = member.status;
    if (lastApplied > base) member.compact(base + 1 + this.#dice.below(lastApplied - base));
    if (this.#dice.chance(this.#troubles.release)) member.release();
  }

  /** Cuts any links, in one direction or both, or one member off, or mends them all. */
  #partition(): void {
    this.#cut.clear();
    if (this.#dice.chance(0.3)) return;
    const lonely = this.#dice.chance(0.5) ? this.#leaderOrAny() : null;
    for (const { id: from } of this.#members) {
      for (const { id: to } of this.#members) {
        const isCut =
          lonely === null ? this.#dice.chance(0.3) : from === lonely.id || to === lonely.id;
        if (isCut) this.#cut.add(`${from} ${to}`);
      }
    }
  }

  /** Most trouble comes from cutting off a leader. */
  #leaderOrAny(): Member {
    const leaders = this.#members.filter(({ role }) => role === 'leader');
    return this.#dice.pick(leaders.length > 0 ? leaders : this.#members);
  }

  #anyOrLeader(): Member {
    return this.#dice.chance(0.5) ? this.#dice.pick(this.#members) : this.#leaderOrAny();
  }

  #upset(): void {
    const member = this.#dice.pick(this.#members);
    if (this.#isAbsent(member.id)) return;
    const peer = this.#dice.pick(this.#members).id;
    if (this.#dice.chance(0.5)) member.raft.step({ type: 'peerUnreachable', peer });
    else member.raft.step({ type: 'eligible', campaign: this.#dice.chance(0.7) });
    this.#work(member);
  }

  #propose(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const count = 1 + this.#dice.below(4);
    for (let at = 0; at < count; at++) member.propose(`${this.#nextRequest++}`);
    this.#work(member);
  }

  #read(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const id = this.#nextRequest++;
    this.#floors.set(`${member.id} ${id}`, this.#invariants.commitIndex);
    member.raft.step({ type: 'readIndex', id });
    this.#work(member);
  }

  #answered(member: Member, id: RequestId, index: Index): void {
    const floor = this.#floors.get(`${member.id} ${id}`);
    must(floor !== undefined, () => `${member.id} answers read ${id} twice or unasked`);
    this.#floors.delete(`${member.id} ${id}`);
    this.#invariants.read(member.id, index, floor);
    this.#reads++;
  }

  #heal(): void {
    this.#troubles = noTroubles;
    this.#cut.clear();
    this.#drift.clear();
    this.#paused.clear();
    for (const member of this.#members) {
      if (this.#down.delete(member.id)) this.#restart(member);
      member.raft.step({ type: 'eligible', campaign: true });
    }
  }

  /** One leader, whom all members follow, and each has applied something that it proposed since. */
  #hasConverged(): boolean {
    const leading = this.#members
      .map(({ status }) => status)
      .filter((one) => one.role === 'leader');
    const leader = leading.sort((left, right) => right.currentTerm - left.currentTerm)[0];
    if (leader === undefined || leader.configuration.votersOutgoing.length > 0) return false;
    const ids = leader.configuration.members.map(({ id }) => id);
    return this.#members.every(({ id, applied, status }) => {
      // Who was left out on the way may never hear of it.
      if (!ids.includes(id)) return true;
      if (status.leaderId !== leader.id) return false;
      const newest = applied.at(-1);
      const isNear = status.lastApplied >= leader.commitIndex - 20;
      return isNear && newest?.term === leader.currentTerm && newest.type === 'command';
    });
  }

  #describe(): string {
    return this.#members
      .map(({ status: { id, role, leaderId, currentTerm, lastIndex, commitIndex, lastApplied } }) =>
        [id, role, leaderId, currentTerm, lastIndex, commitIndex, lastApplied].join(' '),
      )
      .join(', ');
  }
}
