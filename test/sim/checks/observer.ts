/**
 * What must hold of any run of a cluster, whatever happens to messages, disks and members (Raft,
 * Figure 3), and what a member owes its disk. The observer sees what leaves a member: its messages, its
 * status at the end of each turn, what it hands to its disk and what comes back after a restart. It
 * shares no code with the core and keeps its own idea of the truth.
 */

import type { MemberStatus } from '../../../src/node/types.ts';
import type {
  Append,
  Configuration,
  Entry,
  EntryId,
  HardState,
  Index,
  Message,
  NodeId,
  Term,
} from '../../../src/raft/types.ts';
import type { ProbeName } from '../probes.ts';
import { type Dated, probesOf } from './changes.ts';
import {
  Configurations,
  isQuorum,
  isSameConfiguration,
  type Placed,
  type Step,
  settled,
} from './configurations.ts';
import { Leaders } from './leaders.ts';
import { LedTime } from './led-time.ts';
import { type Mark, Mirror } from './mirror.ts';
import { RevisionTimes } from './revision-times.ts';
import { Words } from './words.ts';
import { Written } from './written.ts';

export interface ObserverOptions {
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly hit: (probe: ProbeName) => void;
  readonly violate: (text: string) => void;
  readonly nameOf: (id: NodeId) => string;
}

interface Observed {
  readonly mirror: Mirror;
  /** What it was born with, and a log index at which that was in force. */
  readonly birth: Placed;
  /** Of the present life; null while the member is down. */
  status: MemberStatus | null;
  /** Configurations that entered its log in the present turn. */
  steps: readonly Step[];
  /** Since when it says that it was removed; null while it does not. */
  removedSinceMs: number | null;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #members = new Map<NodeId, Observed>();
  readonly #configurations: Configurations;
  /** With their disks they have forgotten what they promised: they may never be heard again. */
  readonly #wiped = new Set<NodeId>();
  /** Whoever has led. */
  readonly leaders: Leaders;
  readonly #words: Words;
  /** The one log prefix at each term and index that ever was in a log. */
  readonly #chains = new Map<number, number>();
  /** By index − 1. */
  readonly #committed: Mark[] = [];
  /** The term of whoever first knew of each; by index − 1. It was committed in that term or before. */
  readonly #committedIn: Term[] = [];
  readonly #digests = new Map<Index, string>();
  readonly #written = new Written();
  readonly revisionTimes = new RevisionTimes();
  readonly ledTime: LedTime;

  constructor(options: ObserverOptions) {
    this.#options = options;
    this.#words = new Words(options);
    this.leaders = new Leaders(options.hit);
    this.ledTime = new LedTime(options.now);
    this.#configurations = new Configurations(options.configuration);
    for (const { id } of options.configuration.members) this.born(id, options.configuration, 0);
  }

  /** The newest that is committed. */
  get configuration(): Configuration {
    return this.#configurations.newest.configuration;
  }

  get configurations(): Configurations {
    return this.#configurations;
  }

  /** The newest that is committed, and every newer one in any log: some member may decide by it. */
  get inForce(): readonly Configuration[] {
    const { newest } = this.#configurations;
    const found = [newest.configuration];
    for (const [id, { mirror }] of this.#members) {
      if (this.#wiped.has(id)) continue;
      for (const { index, configuration } of mirror.configurations) {
        if (index > newest.index) found.push(configuration);
      }
    }
    return found;
  }

  isWiped(id: NodeId): boolean {
    return this.#wiped.has(id);
  }

  get commitIndex(): Index {
    return this.#committed.length;
  }

  /** The member that leads in the highest term, by its own word. */
  leader(): NodeId | null {
    let found: NodeId | null = null;
    let term = -1;
    for (const [id, { status }] of this.#members) {
      if (status?.role !== 'leader' || status.term <= term) continue;
      found = id;
      term = status.term;
    }
    return found;
  }

  status(id: NodeId): MemberStatus | null {
    return this.#members.get(id)?.status ?? null;
  }

  mirror(id: NodeId): Mirror {
    return this.#of(id).mirror;
  }

  /** A member is handed the configuration that has taken it in. */
  born(id: NodeId, configuration: Configuration, index: Index): void {
    if (this.#members.has(id)) return;
    this.#members.set(id, {
      mirror: new Mirror(configuration),
      birth: { index, configuration },
      ...{ status: null, steps: [], removedSinceMs: null },
    });
  }

  /** A member says that this configuration is committed, and was in force at this log index. */
  configured(id: NodeId, configuration: Configuration, index: Index): void {
    const { birth } = this.#of(id);
    // Who was taken in later goes through what was before with the configuration that it was born with.
    const isOfBirth =
      index < birth.index && isSameConfiguration(configuration, birth.configuration);
    if (isOfBirth || isSameConfiguration(configuration, this.#configurations.at(index))) return;
    this.#violate(id, `its configuration at ${index} is not the committed one`);
  }

  lostDisk(id: NodeId): void {
    this.#wiped.add(id);
    this.ledTime.ended(id);
    const observed = this.#members.get(id);
    if (observed !== undefined) observed.status = null;
  }

  crashed(id: NodeId): void {
    const observed = this.#members.get(id);
    this.ledTime.ended(id);
    // It had not got as far as to be a member.
    if (observed === undefined) return;
    observed.steps = [];
    observed.removedSinceMs = null;
    if (observed.status?.role === 'leader') this.#options.hit('crashOfLeader');
    if (observed.mirror.inFlightChangesVote) this.#options.hit('voteInFlight');
    observed.status = null;
  }

  /** The member is closed, while its process goes on. */
  closed(id: NodeId): void {
    this.#of(id).status = null;
    this.ledTime.leads(id, false);
  }

  /** A member starts from what its disk gave back: a log that follows the entry `applied`. */
  started(id: NodeId, hardState: HardState, applied: Index, stored: readonly Entry[]): void {
    const observed = this.#of(id);
    const { mirror } = observed;
    observed.status = null;
    if (this.#wiped.has(id)) this.#violate(id, 'it comes back, after its disk was lost');
    const found = mirror.restarted(hardState, applied, stored);
    if ('wrong' in found) {
      this.#violate(id, found.wrong);
      return;
    }
    if (found.inFlight === 'survived') this.#options.hit('inFlightSurvived');
    if (found.inFlight === 'lost') this.#options.hit('inFlightLost');
    if (applied > 0) this.#options.hit('restartFromCheckpoint');
    if (stored.length > 0) this.#options.hit('restartReplayedLog');
    if (applied > this.#committed.length) {
      this.#violate(id, `its state is at ${applied}, of ${this.#committed.length} committed`);
    }
  }

  handed(id: NodeId, append: Append): void {
    const observed = this.#of(id);
    const { mirror, status } = observed;
    if (mirror.hasInFlight) this.#violate(id, `append ${append.number} while another one is out`);
    const newest = mirror.configurations.at(-1)?.index ?? 0;
    const { marks, cut, steps } = mirror.handed(append, (last) => this.#installed(id, last));
    observed.steps = [...observed.steps, ...steps];
    if (append.snapshot !== null) {
      if (observed.birth.index > 0) this.#options.hit('joinerTookState');
      this.configured(id, append.snapshot.configuration, append.snapshot.last.index);
    } else if ((append.entries[0]?.index ?? newest + 1) <= newest) {
      this.#options.hit('configurationCut');
    }
    if (cut > 0) {
      this.#options.hit('logTruncated');
      const first = append.entries[0]?.index ?? 0;
      const kept = this.#committedOn(mirror, first);
      if (kept >= first && marks[kept - first]?.chain !== this.#committed[kept - 1]?.chain) {
        this.#violate(id, `cuts entry ${kept}, which is committed`);
      }
      if (status?.role === 'leader' && status.term === append.entries[0]?.term) {
        this.#violate(id, `cuts its own log at ${first} as leader of term ${status.term}`);
      }
    }
    if (marks.length >= 20) this.#options.hit('largeAppend');
    for (const [at, mark] of marks.entries()) {
      this.#match(id, append.entries[at] as Entry, mark);
    }
  }

  persisted(id: NodeId): void {
    this.#of(id).mirror.persisted();
  }

  /** The state stands at an entry boundary. */
  applied(id: NodeId, index: Index, digest: string): void {
    const known = this.#digests.get(index);
    if (known === undefined) this.#digests.set(index, digest);
    else if (known !== digest) {
      this.#violate(id, `its state at ${index} has digest ${digest}, another one's ${known}`);
    }
  }

  /** A member tells a client that its write of `values` surely did not happen, nor ever will. */
  refused(id: NodeId, values: readonly string[], code: string): void {
    for (const { term, index, chain } of values.flatMap((value) => this.#written.placesOf(value))) {
      const what = `says ${code}, definite, of ${values.join(' ')} in entry ${index} of term ${term}`;
      const committed = this.#committed[index - 1];
      if (committed?.chain === chain) this.#violate(id, `${what}, which is committed`);
      if (committed !== undefined) continue;
      const holder = [...this.#members].find(([, { mirror }]) => mirror.at(index)?.chain === chain);
      if (holder !== undefined) {
        this.#violate(id, `${what}, which ${this.#options.nameOf(holder[0])} may yet commit`);
      }
    }
  }

  sent(message: Message): void {
    const { from } = message;
    const { mirror, birth, removedSinceMs } = this.#of(from);
    const wrong = this.#words.sent(message, {
      hardState: mirror.hardState,
      durableLast: mirror.durableLast,
      leads: this.leaders.of(message.term) === from,
      votes: () => this.#mayVote(from),
      differs: (index) => this.#differsFromLeader(mirror, message.term, index),
      isWiped: this.#wiped.has(from),
      removedSinceMs,
    });
    if (wrong !== null) this.#violate(message.from, wrong);
    const isOut = !mirror.newestConfiguration.voters.includes(from);
    if (message.type === 'timeoutNow' && isOut) this.leaders.leaves(message.term);
    const isVote = message.type === 'requestVoteResponse' && !message.preVote;
    if (isVote && message.voteGranted && birth.index > 0) this.#options.hit('newcomerVoted');
  }

  /** At the end of a turn, before its messages leave. */
  turned(id: NodeId, status: MemberStatus): void {
    const observed = this.#of(id);
    const before = observed.status;
    observed.status = status;
    if (status.term < (before?.term ?? observed.mirror.hardState.currentTerm)) {
      this.#violate(id, `its term fell from ${before?.term} to ${status.term}`);
    }
    if (before !== null && status.commitIndex < before.commitIndex) {
      this.#violate(id, `its commit index fell to ${status.commitIndex} of ${before.commitIndex}`);
    }
    if (before !== null && status.appliedIndex < before.appliedIndex) {
      this.#violate(id, `its state went back to ${status.appliedIndex} of ${before.appliedIndex}`);
    }
    if (before !== null) this.leaders.turned(before, status);
    if (status.role === 'leader') this.#leads(id, status, observed.mirror);
    this.#commits(id, status, observed.mirror);
    this.#changes(id, observed, status);
    if (status.standing !== 'removed') observed.removedSinceMs = null;
    else observed.removedSinceMs ??= this.#options.now();
    this.#applies(id, status, observed.mirror);
    this.ledTime.leads(id, status.role === 'leader');
    this.revisionTimes.saw(status.revision, this.#options.now(), this.ledTime.ms);
  }

  /** By the configuration that it knows to be committed, or by one that may be in force somewhere. */
  #mayVote(id: NodeId): boolean {
    const { mirror, status } = this.#of(id);
    const known = status?.commitIndex ?? mirror.hardState.commitIndex;
    return [...mirror.configurationsFrom(known), ...this.inForce].some(
      ({ voters, votersOutgoing }) => voters.includes(id) || votersOutgoing.includes(id),
    );
  }

  /** Whether what the disk holds at `index` is surely another entry than in the log of the term's leader. */
  #differsFromLeader(mirror: Mirror, term: Term, index: Index): boolean {
    const leader = this.#members.get(this.leaders.of(term) ?? '');
    if (leader?.status?.role !== 'leader' || leader.status.term !== term) return false;
    const theirs = leader.mirror.at(index);
    const own = mirror.durableAt(index);
    return theirs !== null && own !== null && theirs.chain !== own.chain;
  }

  #leads(id: NodeId, { term }: MemberStatus, mirror: Mirror): void {
    const known = this.leaders.of(term);
    if (known === id) return;
    if (known !== null) {
      this.#violate(id, `leads term ${term} beside ${this.#options.nameOf(known)}`);
      return;
    }
    this.leaders.add(id, term);
    const configuration = mirror.newestConfiguration;
    if (
      !isQuorum(configuration, (voter) => voter === id || this.#words.voteOf(voter, term) === id)
    ) {
      this.#violate(id, `leads term ${term}, for which no majority has voted`);
    }
    for (const [other, { status }] of this.#members) {
      if (other !== id && status?.role === 'leader') this.#options.hit('twoLeaders');
    }
    // Votes that were late elect a leader of an older term than what is committed by now (Raft §5.4.3).
    const last = this.#committedIn.findLastIndex((committedIn) => committedIn < term) + 1;
    const newest = this.#committed[last - 1];
    if (newest !== undefined && !mirror.holds(last, newest)) {
      this.#violate(id, `leads term ${term} without entry ${last}, which is committed`);
    }
  }

  #commits(id: NodeId, status: MemberStatus, mirror: Mirror): void {
    const index = status.commitIndex;
    const known = this.#committed.length;
    if (index <= known) {
      // Of a follower the disk may still hold what its memory has cut.
      const mark = status.role === 'leader' && index > 0 ? mirror.at(index) : null;
      if (mark !== null && mark.chain !== this.#committed[index - 1]?.chain) {
        this.#violate(id, `its committed entry ${index} is another one`);
      }
      return;
    }
    // Without the entry in its own log yet, a leader has committed one of its own term.
    const term = mirror.at(index)?.term ?? status.term;
    const chain = this.#chains.get(key(term, index));
    if (chain === undefined || (status.role === 'leader' && term !== status.term)) {
      this.#violate(id, `commits entry ${index} of term ${term} in term ${status.term}`);
      return;
    }
    this.#commitTo(id, index, { term, chain }, status.term);
  }

  #commitTo(id: NodeId, index: Index, mark: Mark, committedIn: Term): void {
    const holders = [...this.#members].filter(([, { mirror }]) => mirror.holds(index, mark));
    // A lost disk has held it as long as it counted; what else was on it may be forgotten.
    const source = (holders.find(([holder]) => !this.#wiped.has(holder)) ?? holders[0])?.[1].mirror;
    const ids = new Set(holders.map(([holder]) => holder));
    const decisive = this.#decisive(id, ids);
    if (source === undefined || decisive === null) {
      const names = [...ids].map((holder) => this.#options.nameOf(holder)).join(', ');
      this.#violate(id, `commits entry ${index} of term ${mark.term}, durable on ${names} only`);
      return;
    }
    const voters = decisive.voters.filter((voter) => ids.has(voter));
    if (voters.length === Math.floor(decisive.voters.length / 2) + 1) {
      this.#options.hit('committedOnBareMajority');
    }
    const first = this.#committed.length;
    if (first > 0 && source.durableAt(first)?.chain !== this.#committed[first - 1]?.chain) {
      this.#violate(id, `commits a log that differs from what is committed up to ${first}`);
      return;
    }
    for (let at = first + 1; at <= index; at++) {
      const committed = source.durableAt(at) as Mark;
      if (committed.term < mark.term) this.#options.hit('commitOfOlderTerm');
      this.#committed.push(committed);
      this.#committedIn.push(committedIn);
    }
    for (const placed of source.configurations) {
      if (placed.index <= first || placed.index > index) continue;
      this.#changeCommitted(id, placed, committedIn);
    }
  }

  #changeCommitted(id: NodeId, placed: Placed, committedIn: Term): void {
    const dated = ({ index, configuration }: Placed): Dated => ({
      configuration,
      term: this.#committed[index - 1]?.term ?? 0,
    });
    const leader = this.leaders.of(committedIn);
    for (const probe of probesOf(dated(this.#configurations.newest), dated(placed), leader)) {
      this.#options.hit(probe);
    }
    const wrong = this.#configurations.commit(placed);
    if (wrong !== null) this.#violate(id, wrong);
  }

  /**
   * A configuration by which these ids decide, among those that the leader may go by: the newest in its
   * log or in that of somebody who has its entries. A joint one that both majorities hold it has left
   * already, though that may not have come to any disk.
   */
  #decisive(leader: NodeId, ids: ReadonlySet<NodeId>): Configuration | null {
    const has = (id: NodeId): boolean => ids.has(id);
    for (const id of [leader, ...ids]) {
      const { mirror } = this.#of(id);
      const { index, configuration } = mirror.configurations.at(-1) as Placed;
      if (isQuorum(configuration, has)) return configuration;
      if (configuration.votersOutgoing.length === 0 || !this.#isHeld(mirror, index, configuration))
        continue;
      const next = settled(configuration);
      if (isQuorum(next, has)) return next;
    }
    return null;
  }

  /** Whether the entry that brought the joint configuration is where it has to be to be committed. */
  #isHeld(mirror: Mirror, index: Index, configuration: Configuration): boolean {
    if (index <= this.#committed.length) return true;
    const mark = mirror.at(index);
    if (mark === null) return false;
    return isQuorum(
      configuration,
      (id) => this.#members.get(id)?.mirror.holds(index, mark) === true,
    );
  }

  /** What a leader has put into its log in this turn, after what the turn has committed. */
  #changes(id: NodeId, observed: Observed, { role, term, commitIndex }: MemberStatus): void {
    const { mirror, steps } = observed;
    observed.steps = [];
    for (const step of steps) {
      const { entry } = step;
      if (role !== 'leader' || term !== entry.term) continue;
      const last = Math.min(commitIndex, entry.index - 1);
      const committed = mirror.at(last) ?? this.#committed[last - 1];
      const wrong = this.#configurations.check(step, commitIndex, committed?.term ?? 0);
      if (wrong !== null) this.#violate(id, wrong);
    }
  }

  #applies(id: NodeId, { appliedIndex }: MemberStatus, mirror: Mirror): void {
    if (appliedIndex === 0) return;
    const committed = this.#committed[appliedIndex - 1];
    if (committed === undefined) {
      this.#violate(id, `applied ${appliedIndex}, of ${this.#committed.length} committed`);
    } else if (!mirror.holds(appliedIndex, committed)) {
      this.#violate(id, `applied ${appliedIndex}, which is not what its disk holds`);
    }
    if (this.#committed.length - appliedIndex >= 100) this.#options.hit('followerFarBehind');
  }

  #match(id: NodeId, entry: Entry, mark: Mark): void {
    const { index } = entry;
    const name = key(mark.term, index);
    const known = this.#chains.get(name);
    if (known === undefined) {
      this.#chains.set(name, mark.chain);
      this.#written.entered(entry, mark.chain);
    } else if (known !== mark.chain) {
      this.#violate(id, `its log up to ${index} of term ${mark.term} is not the known one`);
    }
  }

  /** Up to where the disk holds what is committed, looked at from `first` on. */
  #committedOn(mirror: Mirror, first: Index): Index {
    let last = first - 1;
    const most = Math.min(mirror.durableLast, this.#committed.length);
    while (last < most && mirror.durableAt(last + 1)?.chain === this.#committed[last]?.chain)
      last++;
    return last;
  }

  /** A member takes over a state, whose last entry has to be committed. Returns the chain up to it. */
  #installed(id: NodeId, { term, index }: EntryId): number {
    const committed = this.#committed[index - 1];
    if (committed?.term === term) return committed.chain;
    this.#violate(id, `installs a state at entry ${index} of term ${term}, which is not committed`);
    return 0;
  }

  #of(id: NodeId): Observed {
    const observed = this.#members.get(id);
    if (observed === undefined) throw new Error(`${this.#options.nameOf(id)} is no member yet`);
    return observed;
  }

  #violate(id: NodeId, text: string): void {
    this.#options.violate(`${this.#options.nameOf(id)}: ${text}`);
  }
}

function key(term: Term, index: Index): number {
  return term * 0x100_0000 + index;
}
