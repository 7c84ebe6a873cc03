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
import { type Mark, Mirror } from './mirror.ts';

export interface ObserverOptions {
  readonly configuration: Configuration;
  readonly now: () => number;
  readonly hit: (probe: ProbeName) => void;
  readonly violate: (text: string) => void;
  readonly nameOf: (id: NodeId) => string;
}

interface Observed {
  readonly mirror: Mirror;
  /** Of the present life; null while the member is down. */
  status: MemberStatus | null;
}

export class Observer {
  readonly #options: ObserverOptions;
  readonly #members = new Map<NodeId, Observed>();
  readonly #leaders = new Map<Term, NodeId>();
  readonly #leadersInOrder: NodeId[] = [];
  /** Whom each member has voted for in each term, as far as anybody was told; outlives restarts. */
  readonly #votes = new Map<string, NodeId>();
  /** The one log prefix at each term and index that ever was in a log. */
  readonly #chains = new Map<number, number>();
  /** By index − 1. */
  readonly #committed: Mark[] = [];
  /** The term of whoever first knew of each; by index − 1. It was committed in that term or before. */
  readonly #committedIn: Term[] = [];
  readonly #digests = new Map<Index, string>();
  /** When each revision first stood in any member's state; by revision. */
  readonly #revisionTimes: number[] = [];

  constructor(options: ObserverOptions) {
    this.#options = options;
  }

  /** How often leadership came to another node than the one before. */
  get leaderChanges(): number {
    let changes = 0;
    for (let at = 1; at < this.#leadersInOrder.length; at++) {
      if (this.#leadersInOrder[at] !== this.#leadersInOrder[at - 1]) changes++;
    }
    return changes;
  }

  get commitIndex(): Index {
    return this.#committed.length;
  }

  /** The newest revision of any member's state. */
  get revision(): number {
    return this.#revisionTimes.length - 1;
  }

  /** When the revision was first seen in a state, or infinity. */
  revisionTimeMs(revision: number): number {
    return this.#revisionTimes[revision] ?? Number.POSITIVE_INFINITY;
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

  crashed(id: NodeId): void {
    const observed = this.#of(id);
    if (observed.status?.role === 'leader') this.#options.hit('crashOfLeader');
    if (observed.mirror.inFlightChangesVote) this.#options.hit('voteInFlight');
    observed.status = null;
  }

  /** A member starts from what its disk gave back: a log that follows the entry `applied`. */
  started(id: NodeId, hardState: HardState, applied: Index, stored: readonly Entry[]): void {
    const { mirror } = this.#of(id);
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
    const { mirror, status } = this.#of(id);
    if (mirror.hasInFlight) this.#violate(id, `append ${append.number} while another one is out`);
    const { marks, cut } = mirror.handed(append, (last) => this.#installed(id, last));
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
      const { index } = append.entries[at] as Entry;
      this.#match(id, index, mark);
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

  sent(message: Message): void {
    const { from, to, term } = message;
    switch (message.type) {
      case 'requestVote':
        if (!message.preVote) this.#voted(from, from, term);
        return;
      case 'requestVoteResponse':
        if (!message.voteGranted) {
          this.#options.hit(message.preVote ? 'preVoteRefused' : 'voteRefused');
        } else if (!message.preVote) this.#voted(from, to, term);
        return;
      case 'appendEntries':
      case 'heartbeat':
        if (this.#leaders.get(term) !== from) {
          this.#violate(from, `sends a ${message.type} of term ${term}, which it does not lead`);
        }
        return;
      case 'appendEntriesResponse':
        if (message.success) this.#acknowledged(from, term, message.matchIndex);
        else this.#options.hit('appendRejected');
        return;
      default:
        return;
    }
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
    if (before?.role === 'candidate' && status.role !== 'leader' && status.role !== 'candidate') {
      this.#options.hit('electionLost');
    }
    if (before?.role === 'leader' && status.role !== 'leader' && before.term === status.term) {
      this.#options.hit('leaderSteppedDown');
    }
    if (status.role === 'leader') this.#leads(id, status, observed.mirror);
    this.#commits(id, status, observed.mirror);
    this.#applies(id, status, observed.mirror);
    const nowMs = this.#options.now();
    while (this.#revisionTimes.length <= status.revision) this.#revisionTimes.push(nowMs);
  }

  #leads(id: NodeId, { term }: MemberStatus, mirror: Mirror): void {
    const known = this.#leaders.get(term);
    if (known === id) return;
    if (known !== undefined) {
      this.#violate(id, `leads term ${term} beside ${this.#options.nameOf(known)}`);
      return;
    }
    this.#leaders.set(term, id);
    if (this.#leadersInOrder.at(-1) !== id) {
      if (this.#leadersInOrder.length > 0) this.#options.hit('leaderChanged');
      if (this.#leadersInOrder.includes(id)) this.#options.hit('leaderReturned');
    }
    this.#leadersInOrder.push(id);
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
    const source = holders[0]?.[1].mirror;
    const ids = new Set(holders.map(([holder]) => holder));
    if (source === undefined || !isQuorum(ids, source.configuration)) {
      const names = [...ids].map((holder) => this.#options.nameOf(holder)).join(', ');
      this.#violate(id, `commits entry ${index} of term ${mark.term}, durable on ${names} only`);
      return;
    }
    const voters = source.configuration.voters.filter((voter) => ids.has(voter));
    if (voters.length === Math.floor(source.configuration.voters.length / 2) + 1) {
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

  #voted(voter: NodeId, candidate: NodeId, term: Term): void {
    const name = `${voter} ${term}`;
    const known = this.#votes.get(name);
    if (known !== undefined && known !== candidate) {
      this.#violate(voter, `votes for two candidates in term ${term}`);
    }
    this.#votes.set(name, candidate);
    const { hardState } = this.#of(voter).mirror;
    const isDurable =
      hardState.currentTerm > term ||
      (hardState.currentTerm === term && hardState.votedFor === candidate);
    if (!isDurable) {
      this.#violate(
        voter,
        `tells its vote of term ${term} while its disk says term ${hardState.currentTerm} and ${hardState.votedFor}`,
      );
    }
  }

  #acknowledged(id: NodeId, term: Term, index: Index): void {
    const { hardState, durableLast } = this.#of(id).mirror;
    if (index > durableLast) {
      this.#violate(id, `acknowledges ${index}, with ${durableLast} on its disk`);
    }
    // A crash would take it back to a term in which it may let another leader cut what it holds.
    if (hardState.currentTerm < term) {
      const durable = `while its disk says term ${hardState.currentTerm}`;
      this.#violate(id, `acknowledges ${index} in term ${term} ${durable}`);
    }
  }

  #match(id: NodeId, index: Index, mark: Mark): void {
    const name = key(mark.term, index);
    const known = this.#chains.get(name);
    if (known === undefined) this.#chains.set(name, mark.chain);
    else if (known !== mark.chain) {
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
    let observed = this.#members.get(id);
    if (observed === undefined) {
      observed = { mirror: new Mirror(this.#options.configuration), status: null };
      this.#members.set(id, observed);
    }
    return observed;
  }

  #violate(id: NodeId, text: string): void {
    this.#options.violate(`${this.#options.nameOf(id)}: ${text}`);
  }
}

function isQuorum(ids: ReadonlySet<NodeId>, configuration: Configuration): boolean {
  const { voters, votersOutgoing } = configuration;
  return [voters, votersOutgoing].every((set) => {
    const count = set.filter((id) => ids.has(id)).length;
    return set.length === 0 || count > set.length / 2;
  });
}

function key(term: Term, index: Index): number {
  return term * 0x100_0000 + index;
}
