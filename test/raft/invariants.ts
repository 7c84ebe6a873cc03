/**
 * What must hold of any run of a cluster, whatever happens to messages, disks and members: the
 * safety properties of the paper's Figure 3 and what a member owes its disk. The observer is told of
 * every Ready, every finished write and every restart, and keeps its own idea of the truth; it
 * shares no code with the core. A violation throws at the step that shows it.
 */
import type {
  Append,
  Configuration,
  Entry,
  HardState,
  Index,
  Message,
  NodeId,
  Ready,
  SnapshotMetadata,
  Status,
  Term,
} from '../../src/raft/types.ts';
import type { Member } from './member.ts';

class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

export function must(condition: boolean, text: () => string): asserts condition {
  if (!condition) throw new InvariantViolation(text());
}

/** An entry with a hash of everything up to it: equal marks mean equal logs. */
interface Mark {
  readonly term: Term;
  readonly hash: number;
  /** The newest up to here; null is the one of birth. */
  readonly configuration: Configuration | null;
  readonly configurationIndex: Index;
}

interface Observed {
  /** What the member has handed to its disk, by index − 1. */
  log: Mark[];
  /** What its disk has finished. */
  durable: Mark[];
  durableState: HardState;
  appliedIndex: Index;
  status: Status | null;
}

export class Invariants {
  readonly #members = new Map<NodeId, Observed>();
  readonly #leaders = new Map<Term, NodeId>();
  /** Who got the vote of whom in which term, as far as anybody was told; outlives restarts. */
  readonly #votes = new Map<string, NodeId>();
  /** The one log prefix at each (term, index) that was ever seen. */
  readonly #marks = new Map<string, number>();
  /** The committed log, by index − 1. */
  readonly #committed: Mark[] = [];
  /** In which term, at the latest. */
  readonly #committedIn: Term[] = [];
  #commitIndex: Index = 0;
  readonly #birth: Configuration;

  constructor(birth: Configuration) {
    this.#birth = birth;
  }

  /** The highest index that any member has ever called committed. */
  get commitIndex(): Index {
    return this.#commitIndex;
  }

  /** A member starts, at birth or again: from what its disk holds, and no more. */
  started(
    id: NodeId,
    {
      hardState,
      stored,
      storedBase,
      checkpoint,
    }: Pick<Member, 'hardState' | 'stored' | 'storedBase' | 'checkpoint'>,
  ): void {
    const known = this.#members.get(id);
    // What is not stored any more was committed.
    this.#checkPoint(id, storedBase);
    this.#checkPoint(id, checkpoint);
    const log = this.#committed.slice(0, storedBase.last.index);
    for (const entry of stored) log.push(markAfter(log.at(-1), entry));
    for (const [at, mark] of log.entries()) this.#checkMatching(id, at + 1, mark);
    if (known !== undefined) {
      must(
        hardState.currentTerm >= known.durableState.currentTerm,
        () =>
          `${id} came back in term ${hardState.currentTerm} of ${known.durableState.currentTerm}`,
      );
    }
    this.#members.set(id, {
      log,
      durable: [...log],
      durableState: hardState,
      appliedIndex: checkpoint.last.index,
      status: null,
    });
  }

  /** A write is done, whether the core has heard of it or not. */
  persisted(id: NodeId, append: Append): void {
    const member = this.#member(id);
    if (append.snapshot !== null) this.#install(member.durable, append.snapshot);
    write(member.durable, append.entries);
    member.durableState = append.hardState ?? member.durableState;
  }

  /** A Ready was taken; `status` is what the core says afterwards. */
  ready(id: NodeId, ready: Ready, status: Status): void {
    const member = this.#member(id);
    if (ready.append !== null) this.#checkAppend(member, ready.append, status);
    this.#checkDelta(member, status);
    if (ready.append !== null) this.#checkConfiguration(member, status);
    if (status.role === 'leader') this.#checkLeader(member, status);
    for (const message of ready.messages) this.#checkMessage(member, message, status);
    if (ready.restored !== null) this.#checkRestored(member, ready.restored, status);
    for (const entry of ready.committedEntries) this.#checkApplied(member, entry, status);
    member.status = status;
    this.#commitIndex = Math.max(this.#commitIndex, status.commitIndex);
  }

  /** A read was asked for when the cluster had committed `floor`, and is answered at `index`. */
  read(id: NodeId, index: Index, floor: Index): void {
    must(index >= floor, () => `${id} answers a read at ${index}, ${floor} was committed before`);
  }

  #checkAppend(member: Observed, append: Append, status: Status): void {
    const { id } = status;
    const { snapshot } = append;
    const first = append.entries[0];
    if (snapshot !== null) {
      this.#checkPoint(id, snapshot);
      must(status.role !== 'leader', () => `Leader ${id} takes a snapshot`);
      this.#install(member.log, snapshot);
    }
    if (first !== undefined) {
      must(
        first.index <= member.log.length + 1,
        () => `${id} writes ${first.index} after ${member.log.length}`,
      );
      must(
        first.index > member.appliedIndex,
        () => `${id} overwrites ${first.index}, applied up to ${member.appliedIndex}`,
      );
      // Leader append-only: within its term nothing of its log is cut.
      const led = member.status;
      must(
        led === null ||
          led.role !== 'leader' ||
          led.currentTerm !== status.currentTerm ||
          first.index === member.log.length + 1,
        () => `Leader ${id} rewrites its log from ${first.index}`,
      );
    }
    for (const mark of write(member.log, append.entries)) {
      this.#checkMatching(id, mark.index, mark);
      must(
        mark.term <= status.currentTerm,
        () => `${id} in term ${status.currentTerm} writes an entry of term ${mark.term}`,
      );
      if (mark.configurationIndex === mark.index) this.#checkChange(member, mark.index, status);
    }
  }

  /**
   * Config safety: each configuration is one step from the one before, so that their quorums overlap,
   * and a leader begins no step before it knows that the last one is over.
   */
  #checkChange(member: Observed, index: Index, status: Status): void {
    const { id, role, currentTerm, commitIndex } = status;
    const mark = member.log[index - 1] as Mark;
    const before = member.log[index - 2];
    checkStep(before?.configuration ?? this.#birth, mark.configuration ?? this.#birth);
    if (role !== 'leader' || mark.term !== currentTerm) return;
    must(
      (before?.configurationIndex ?? 0) <= commitIndex,
      () => `${id} changes the configuration at ${index}, the one before is not committed`,
    );
    must(
      member.log[commitIndex - 1]?.term === currentTerm,
      () => `${id} changes the configuration before an entry of its term is committed`,
    );
  }

  /** The configuration in force is the newest in the log, be it committed or not. */
  #checkConfiguration(member: Observed, { id, configuration }: Status): void {
    const newest = member.log.at(-1)?.configuration ?? this.#birth;
    must(
      idsOf(configuration) === idsOf(newest),
      () => `${id} goes by ${idsOf(configuration)}, its log ends with ${idsOf(newest)}`,
    );
  }

  /** A point at which a log begins is a committed one, with the configuration that is in force there. */
  #checkPoint(id: NodeId, { last, configuration }: SnapshotMetadata): void {
    if (last.index === 0) return;
    const mark = this.#committed[last.index - 1];
    must(
      mark?.term === last.term,
      () => `${id} begins after ${last.term}.${last.index}, which is not committed`,
    );
    must(
      idsOf(mark.configuration ?? this.#birth) === idsOf(configuration),
      () => `${id} begins after ${last.index} with another configuration`,
    );
  }

  #install(log: Mark[], { last }: SnapshotMetadata): void {
    if (log[last.index - 1]?.term === last.term) return;
    log.splice(0, log.length, ...this.#committed.slice(0, last.index));
  }

  #checkRestored(member: Observed, { last }: SnapshotMetadata, status: Status): void {
    const { id } = status;
    must(
      last.index > member.appliedIndex,
      () => `${id} goes on from ${last.index}, applied up to ${member.appliedIndex}`,
    );
    must(
      member.durable[last.index - 1]?.hash === this.#committed[last.index - 1]?.hash,
      () => `${id} goes on from ${last.index}, which is not on its disk`,
    );
    member.appliedIndex = last.index;
  }

  /** Log matching: one term and index, one log up to there. */
  #checkMatching(id: NodeId, index: Index, mark: Mark): void {
    const key = `${mark.term}.${index}`;
    const known = this.#marks.get(key);
    must(known === undefined || known === mark.hash, () => `The log of ${id} differs at ${key}`);
    this.#marks.set(key, mark.hash);
  }

  /** Nothing goes back while a member runs. */
  #checkDelta(member: Observed, status: Status): void {
    const before = member.status;
    if (before === null) return;
    const { id, currentTerm, commitIndex, votedFor } = status;
    must(
      currentTerm >= before.currentTerm,
      () => `${id} goes from term ${before.currentTerm} to ${currentTerm}`,
    );
    must(
      commitIndex >= before.commitIndex,
      () => `${id} goes from commit index ${before.commitIndex} to ${commitIndex}`,
    );
    must(
      currentTerm > before.currentTerm || before.votedFor === null || votedFor === before.votedFor,
      () => `${id} changes its vote in term ${currentTerm}: ${before.votedFor}, ${votedFor}`,
    );
  }

  #checkLeader(member: Observed, status: Status): void {
    const { id, currentTerm, commitIndex, configuration } = status;
    const known = this.#leaders.get(currentTerm);
    must(known === undefined || known === id, () => `${known} and ${id} lead term ${currentTerm}`);
    if (known === undefined) {
      this.#leaders.set(currentTerm, id);
      this.#checkCompleteness(member, id, currentTerm);
    }
    // What it committed before it led, it may have been told by the leader before it.
    const before = member.status;
    if (before?.role !== 'leader' || before.currentTerm !== currentTerm) return;
    if (commitIndex === before.commitIndex) return;
    // The followers' disks may be ahead of the leader's own.
    // A change may have begun since it was committed, with the same Ready.
    must(
      [before.configuration, configuration].some((one) => this.#isHeldBy(one, commitIndex, status)),
      () => `${id} commits ${commitIndex} of its term, which no majority of ${configuration} holds`,
    );
  }

  /** Does a majority, or each of two, have an entry of the leader's own term at the index? */
  #isHeldBy(configuration: Configuration, index: Index, { currentTerm }: Status): boolean {
    return [configuration.voters, configuration.votersOutgoing].every((voters) => {
      const marks = voters.map((voter) => this.#durableAt(voter, index));
      const holders = marks.filter((mark) => mark?.term === currentTerm).length;
      return voters.length === 0 || isMajority(holders, voters);
    });
  }

  /** Leader completeness: whatever was committed in a term is in the log of each later leader. */
  #checkCompleteness(member: Observed, id: NodeId, term: Term): void {
    const last = this.#committedIn.findLastIndex((one) => one <= term) + 1;
    must(
      last === 0 || member.log[last - 1]?.hash === this.#committed[last - 1]?.hash,
      () => `Leader ${id} lacks the committed entry ${last}`,
    );
  }

  #durableAt(voter: NodeId, index: Index): Mark | undefined {
    return this.#members.get(voter)?.durable[index - 1];
  }

  /** What is said on the strength of the disk is on the disk, and no vote is given twice. */
  #checkMessage(member: Observed, message: Message, status: Status): void {
    const { id } = status;
    const { durableState, durable } = member;
    if (message.type === 'requestVote') {
      const committed = member.log[status.commitIndex - 1]?.configuration ?? this.#birth;
      must(
        [status.configuration, committed].some(
          ({ voters, votersOutgoing }) => voters.includes(id) || votersOutgoing.includes(id),
        ),
        () => `${id} campaigns, but is no voter of its configuration`,
      );
    }
    if (message.type === 'requestVote' && !message.preVote) {
      this.#checkVote(id, message.term, id, durableState);
    } else if (message.type === 'requestVoteResponse' && !message.preVote && message.voteGranted) {
      this.#checkVote(id, message.term, message.to, durableState);
    } else if (message.type === 'appendEntriesResponse' && message.success) {
      must(
        message.matchIndex <= durable.length && durableState.currentTerm === message.term,
        () => `${id} acknowledges ${message.matchIndex}, its disk has ${durable.length}`,
      );
      const held = durable[message.matchIndex - 1]?.hash;
      must(
        held === member.log[message.matchIndex - 1]?.hash,
        () => `${id} acknowledges ${message.matchIndex}, its disk has something else there`,
      );
    }
  }

  #checkVote(voter: NodeId, term: Term, candidate: NodeId, durable: HardState): void {
    must(
      durable.currentTerm === term && durable.votedFor === candidate,
      () => `${voter} tells its vote for ${candidate} in term ${term} before it is on disk`,
    );
    const key = `${voter} ${term}`;
    const known = this.#votes.get(key);
    must(
      known === undefined || known === candidate,
      () => `${voter} votes for ${known} and ${candidate} in term ${term}`,
    );
    this.#votes.set(key, candidate);
  }

  /** State machine safety: everybody applies the same, in order, each once, from its own disk. */
  #checkApplied(member: Observed, entry: Entry, status: Status): void {
    const { id } = status;
    const { index } = entry;
    must(
      index === member.appliedIndex + 1,
      () => `${id} applies ${index} after ${member.appliedIndex}`,
    );
    member.appliedIndex = index;
    const mark = member.durable[index - 1];
    must(mark !== undefined, () => `${id} applies ${index} before it is on its disk`);
    must(
      mark.hash === markAfter(member.durable[index - 2], entry).hash,
      () => `${id} applies at ${index} what its disk does not hold`,
    );
    const known = this.#committed[index - 1];
    if (known === undefined) {
      this.#committed.push(mark);
      this.#committedIn.push(status.currentTerm);
    } else must(known.hash === mark.hash, () => `${id} applies another entry at ${index}`);
  }

  #member(id: NodeId): Observed {
    const member = this.#members.get(id);
    must(member !== undefined, () => `${id} has not been started`);
    return member;
  }
}

function write(log: Mark[], entries: readonly Entry[]): (Mark & { readonly index: Index })[] {
  const first = entries[0];
  if (first !== undefined) log.length = Math.min(log.length, first.index - 1);
  return entries.map((entry) => {
    const mark = markAfter(log.at(-1), entry);
    log.push(mark);
    return { ...mark, index: entry.index };
  });
}

function markAfter(before: Mark | undefined, entry: Entry): Mark {
  let hash = Math.imul((before?.hash ?? 0x811c9dc5) ^ entry.term, 0x01000193);
  hash = Math.imul(hash ^ entry.index, 0x01000193);
  for (const byte of contentOf(entry)) hash = Math.imul(hash ^ byte, 0x01000193);
  const { configuration, configurationIndex } =
    entry.type === 'configuration'
      ? { configuration: entry.configuration, configurationIndex: entry.index }
      : { configuration: null, configurationIndex: 0, ...before };
  return { term: entry.term, hash: hash >>> 0, configuration, configurationIndex };
}

/** One step: into a joint configuration, out of it, or one that leaves the voters as they are. */
function checkStep(before: Configuration, after: Configuration): void {
  const { voters, votersOutgoing, learners, learnersNext, members } = after;
  const deciding = new Set([...voters, ...votersOutgoing]);
  const known = members.map(({ id }) => id);
  const text = (): string => `from ${idsOf(before)} to ${idsOf(after)}`;
  must(voters.length > 0, () => `No voters ${text()}`);
  must(new Set(known).size === known.length, () => `An id stands twice ${text()}`);
  must(
    known.sort().join() === [...new Set([...deciding, ...learners])].sort().join(),
    () => `Members are not those who vote or learn ${text()}`,
  );
  must(!learners.some((id) => deciding.has(id)), () => `A learner votes ${text()}`);
  must(
    learnersNext.every((id) => votersOutgoing.includes(id) && !voters.includes(id)),
    () => `A voter is to become a learner, but was none before or stays ${text()}`,
  );
  const isEntered = votersOutgoing.length > 0 && isSame(votersOutgoing, before.voters);
  const isLeft = votersOutgoing.length === 0 && isSame(voters, before.voters);
  must(isEntered || isLeft, () => `Not one step ${text()}`);
  must(!isEntered || before.votersOutgoing.length === 0, () => `Two joint phases ${text()}`);
}

function isSame(left: readonly NodeId[], right: readonly NodeId[]): boolean {
  return [...left].sort().join() === [...right].sort().join();
}

function contentOf(entry: Entry): Uint8Array {
  switch (entry.type) {
    case 'noop':
      return Uint8Array.of(0);
    case 'command':
      return entry.command;
    case 'configuration':
      return new TextEncoder().encode(idsOf(entry.configuration));
  }
}

function idsOf({ members, ...sets }: Configuration): string {
  const { voters, votersOutgoing, learners, learnersNext } = sets;
  const ids = members.map(({ id }) => id);
  return [ids, voters, votersOutgoing, learners, learnersNext].map((set) => set.join()).join(';');
}

function isMajority(count: number, voters: readonly NodeId[]): boolean {
  return count > voters.length / 2;
}
