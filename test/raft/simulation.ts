/**
 * A cluster of cores under a hostile network and failing members, all from one seed. The seed first
 * draws which troubles there are and how much of each, then the run: a phase with troubles, in which
 * nothing may go wrong, and one without, in which everything must come right within a bound.
 */
import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';
import type { Index, Message, NodeId, RequestId } from '../../src/raft/types.ts';
import { Invariants, must } from './invariants.ts';
import { Member, type Setup } from './member.ts';

const troubledTicks = 400;
const healedTicksMax = 300;
/** A window of one message with one entry takes this long for each entry that is missing. */
const ticksPerEntry = 5;

interface Troubles {
  readonly loss: number;
  readonly duplication: number;
  readonly replay: number;
  readonly delayMax: number;
  readonly diskDelayMax: number;
  readonly crash: number;
  readonly pause: number;
  readonly partition: number;
  readonly lazyReady: number;
  readonly compaction: number;
  readonly logReadDelayMax: number;
  readonly failedLogRead: number;
}

const noTroubles: Troubles = {
  loss: 0,
  duplication: 0,
  replay: 0,
  delayMax: 0,
  diskDelayMax: 0,
  crash: 0,
  pause: 0,
  partition: 0,
  lazyReady: 0,
  compaction: 0,
  logReadDelayMax: 0,
  failedLogRead: 0,
};

export interface Outcome {
  readonly committed: Index;
  readonly terms: number;
  readonly reads: number;
  readonly logReads: number;
  readonly crashes: number;
  /** Differs if anything went another way. */
  readonly fingerprint: string;
}

export class Simulation {
  readonly #random: Random;
  readonly #invariants = new Invariants();
  readonly #members: Member[] = [];
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
  #messages = 0;

  constructor(seed: number) {
    this.#random = createPrng(seed);
    this.#troubles = this.#drawTroubles();
    const setup = this.#drawSetup();
    const { voters, votersOutgoing = [], learners = [] } = setup;
    for (const id of new Set([...voters, ...votersOutgoing, ...learners])) {
      const member = new Member(id, setup);
      this.#members.push(member);
      this.#drift.set(id, this.#chance(0.5) ? this.#random() / 2 : 0);
      this.#invariants.started(id, member.hardState, member.stored, 0);
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
      fingerprint: `${this.#now} ${this.#messages} ${this.#describe()}`,
    };
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #below(bound: number): number {
    return randomBelow(this.#random, bound);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)] as T;
  }

  #drawTroubles(): Troubles {
    // Each kind is absent in half of the runs: all of them all the time would hide much.
    const maybe = (most: number): number => (this.#chance(0.5) ? this.#random() * most : 0);
    return {
      loss: maybe(0.3),
      duplication: maybe(0.3),
      replay: maybe(0.2),
      delayMax: this.#pick([0, 1, 3, 15]),
      diskDelayMax: this.#pick([0, 1, 4, 25]),
      crash: maybe(0.02),
      pause: maybe(0.02),
      partition: maybe(0.05),
      lazyReady: maybe(0.5),
      compaction: maybe(0.1),
      logReadDelayMax: this.#pick([0, 4]),
      failedLogRead: maybe(0.5),
    };
  }

  #drawSetup(): Setup {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    const shapes: readonly Pick<Setup, 'voters' | 'votersOutgoing' | 'learners'>[] = [
      { voters: ids.slice(0, 3) },
      { voters: ids.slice(0, 3) },
      { voters: ids },
      { voters: ids.slice(0, 1) },
      { voters: ids.slice(0, 2) },
      { voters: ids.slice(0, 3), learners: ids.slice(3) },
      { voters: ids.slice(0, 3), votersOutgoing: ids.slice(2) },
    ];
    return {
      ...this.#pick(shapes),
      options: {
        random: this.#random,
        entriesPerMessageMax: this.#pick([1, 3, 100]),
        bytesPerMessageMax: this.#pick([1, 200, 1 << 20]),
        inflightMessagesMax: this.#pick([1, 2, 16]),
      },
    };
  }

  #troubledTick(): void {
    const { partition, crash, pause, compaction, replay } = this.#troubles;
    if (this.#chance(partition)) this.#partition();
    if (this.#chance(crash)) this.#crash(this.#pick(this.#members));
    if (this.#chance(pause)) this.#pause(this.#leaderOrAny());
    if (this.#chance(compaction)) this.#compact(this.#pick(this.#members));
    if (this.#chance(0.5)) this.#propose(this.#pick(this.#members));
    if (this.#chance(0.2)) for (const member of this.#members) this.#read(member);
    if (this.#chance(0.02)) this.#upset();
    if (this.#archive.length > 0 && this.#chance(replay)) this.#deliver(this.#pick(this.#archive));
    this.#tick();
  }

  #tick(): void {
    this.#now++;
    const due = this.#agenda.get(this.#now) ?? [];
    this.#agenda.delete(this.#now);
    while (due.length > 0) due.splice(this.#below(due.length), 1)[0]?.();
    for (const member of this.#members) {
      const { id } = member;
      if ((this.#down.get(id) ?? 0) > this.#now) continue;
      if (this.#down.delete(id)) this.#restart(member);
      if (this.#isPaused(id)) continue;
      if (!this.#chance(this.#drift.get(id) ?? 0)) member.tick();
      this.#work(member);
    }
  }

  /** Takes what is ready, at times later than it could. */
  #work(member: Member): void {
    if (this.#chance(this.#troubles.lazyReady)) return;
    for (let ready = member.take(); ready !== null; ready = member.take()) {
      this.#invariants.ready(member.id, ready, member.status);
      for (const message of member.said()) this.#send(message);
      for (const { id, index } of ready.readStates) this.#answered(member, id, index);
      if (ready.append !== null) this.#write(member, ready.append.number);
      for (const { peer, from } of ready.logReads) this.#readLog(member, peer, from);
    }
  }

  #after(delay: number, action: () => void): void {
    const at = this.#now + 1 + delay;
    const actions = this.#agenda.get(at);
    if (actions === undefined) this.#agenda.set(at, [action]);
    else actions.push(action);
  }

  #send(message: Message): void {
    this.#messages++;
    const { loss, duplication, delayMax } = this.#troubles;
    if (this.#archive.length < 2000) this.#archive.push(message);
    const copies = (this.#chance(loss) ? 0 : 1) + (this.#chance(duplication) ? 1 : 0);
    for (let copy = 0; copy < copies; copy++) {
      this.#after(this.#below(delayMax + 1), () => this.#deliver(message));
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
    this.#after(this.#below(this.#troubles.diskDelayMax + 1), finish);
  }

  #readLog(member: Member, peer: NodeId, from: Index): void {
    const { raft } = member;
    this.#logReads++;
    const finish = (): void => {
      if (this.#postpone(member.id, finish)) return;
      if (member.raft !== raft || this.#down.has(member.id)) return;
      const { prev, entries } = member.readStored(from);
      const hasFailed = this.#chance(this.#troubles.failedLogRead);
      raft.step({ type: 'logRead', peer, prev, entries: hasFailed ? [] : entries });
      this.#work(member);
    };
    this.#after(this.#below(this.#troubles.logReadDelayMax + 1), finish);
  }

  /** The process stops, and later goes on as if nothing had happened. */
  #pause(member: Member): void {
    if (!this.#isAbsent(member.id)) this.#paused.set(member.id, this.#now + 1 + this.#below(60));
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
    this.#after((this.#paused.get(id) ?? 0) - this.#now + this.#below(3), action);
    return true;
  }

  #crash(member: Member): void {
    if (this.#down.has(member.id)) return;
    this.#crashes++;
    this.#down.set(member.id, this.#now + 1 + this.#below(60));
    // The write that was under way is on the disk or not.
    if (member.pending === null || this.#chance(0.5)) return;
    this.#invariants.persisted(member.id, member.pending);
    member.write(member.pending);
  }

  #restart(member: Member): void {
    member.restart();
    const { hardState, stored, checkpoint } = member;
    this.#invariants.started(member.id, hardState, stored, checkpoint.last.index);
  }

  #compact(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const base = member.checkpoint.last.index;
    const { lastApplied } = member.status;
    if (lastApplied > base) member.compact(base + 1 + this.#below(lastApplied - base));
  }

  /** Cuts any links, in one direction or both, or one member off, or mends them all. */
  #partition(): void {
    this.#cut.clear();
    if (this.#chance(0.3)) return;
    const lonely = this.#chance(0.5) ? this.#leaderOrAny() : null;
    for (const { id: from } of this.#members) {
      for (const { id: to } of this.#members) {
        const isCut = lonely === null ? this.#chance(0.3) : from === lonely.id || to === lonely.id;
        if (isCut) this.#cut.add(`${from} ${to}`);
      }
    }
  }

  /** Most trouble comes from cutting off a leader. */
  #leaderOrAny(): Member {
    const leaders = this.#members.filter(({ role }) => role === 'leader');
    return this.#pick(leaders.length > 0 ? leaders : this.#members);
  }

  #upset(): void {
    const member = this.#pick(this.#members);
    if (this.#isAbsent(member.id)) return;
    const peer = this.#pick(this.#members).id;
    if (this.#chance(0.5)) member.raft.step({ type: 'peerUnreachable', peer });
    else member.raft.step({ type: 'eligible', campaign: this.#chance(0.7) });
    this.#work(member);
  }

  #propose(member: Member): void {
    if (this.#isAbsent(member.id)) return;
    const count = 1 + this.#below(4);
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
