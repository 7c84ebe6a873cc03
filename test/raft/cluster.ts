/** Members and a network in which nothing moves by itself. */
import type { Message, NodeId, Ready } from '../../src/raft/types.ts';
import { Member, type Setup } from './member.ts';

export interface Observer {
  ready(id: NodeId, ready: Ready): void;
  lost(message: Message): void;
}

const blind: Observer = { ready: () => {}, lost: () => {} };

export class Cluster {
  readonly members = new Map<NodeId, Member>();
  readonly slowDisks = new Set<NodeId>();
  readonly isolated = new Set<NodeId>();
  inFlight: Message[] = [];
  readonly #observer: Observer;

  constructor(observer: Observer = blind) {
    this.#observer = observer;
  }

  add(id: NodeId, setup: Setup): Member {
    const member = new Member(id, setup);
    this.members.set(id, member);
    return member;
  }

  /** `n1`, `n2` … that vote together. */
  addVoters(count: number, setup: Omit<Setup, 'voters'> = {}): this {
    const voters = Array.from({ length: count }, (_, at) => `n${at + 1}`);
    for (const id of voters) this.add(id, { ...setup, voters });
    return this;
  }

  member(id: NodeId): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`No member ${id}`);
    return member;
  }

  /** Takes every Ready of a member; its disk answers at once unless it is slow. */
  work(id: NodeId): boolean {
    const member = this.member(id);
    let hasWorked = false;
    for (let ready = member.take(); ready !== null; ready = member.take()) {
      hasWorked = true;
      this.#observer.ready(id, ready);
      this.#post(member.said());
      this.#answerLogReads(member);
      if (!this.slowDisks.has(id)) member.persist();
    }
    return hasWorked;
  }

  workAll(): void {
    for (const id of this.members.keys()) this.work(id);
  }

  /** Delivers what is in flight now and passes the filter, in order. */
  deliver(filter: (message: Message) => boolean = () => true): boolean {
    const chosen = this.inFlight.filter(filter);
    this.inFlight = this.inFlight.filter((message) => !chosen.includes(message));
    for (const message of chosen) {
      if (this.isolated.has(message.to)) {
        this.#observer.lost(message);
        continue;
      }
      this.member(message.to).receive(message);
      this.work(message.to);
    }
    return chosen.length > 0;
  }

  /** Loses what is in flight now and passes the filter. */
  lose(filter: (message: Message) => boolean = () => true): void {
    for (const message of this.inFlight.filter(filter)) this.#observer.lost(message);
    this.inFlight = this.inFlight.filter((message) => !filter(message));
  }

  /** Works and delivers until all is quiet. */
  stabilize(): this {
    this.workAll();
    for (let rounds = 0; this.deliver(); rounds++) {
      if (rounds > 1000) throw new Error('The cluster does not come to rest');
      this.workAll();
    }
    return this;
  }

  tick(id: NodeId, times = 1): this {
    for (let at = 0; at < times; at++) {
      this.member(id).tick();
      this.work(id);
    }
    return this;
  }

  /** Ticks a member until it campaigns. */
  campaign(id: NodeId): this {
    const member = this.member(id);
    const { electionTicks } = member.options;
    for (let ticks = 0; member.role !== 'preCandidate' && ticks < 2 * electionTicks; ticks++) {
      member.tick();
    }
    this.work(id);
    return this;
  }

  /**
   * Lets the others forget their leader, then a member win an election, and hear that its no-op is
   * committed.
   */
  elect(id: NodeId): this {
    for (const other of this.members.values()) {
      if (other.role === 'follower') other.tick(other.options.electionTicks);
    }
    return this.campaign(id).stabilize().tick(id).stabilize();
  }

  propose(id: NodeId, ...texts: string[]): this {
    this.member(id).propose(...texts);
    this.work(id);
    return this;
  }

  #post(messages: readonly Message[]): void {
    for (const message of messages) {
      if (this.isolated.has(message.from)) this.#observer.lost(message);
      else this.inFlight.push(message);
    }
  }

  #answerLogReads(member: Member): void {
    const reads = member.logReads;
    member.logReads = [];
    for (const { peer, from } of reads) {
      member.raft.step({ type: 'logRead', peer, ...member.readStored(from) });
    }
  }
}
