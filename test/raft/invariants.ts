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
  Status,
  Term,
} from '../../src/raft/types.ts';

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
  #commitIndex: Index = 0;

  /** The highest index that any member has ever called committed. */
  get commitIndex(): Index {
    return this.#commitIndex;
  }

  /** A member starts, at birth or again: from what its disk holds, and no more. */
  started(id: NodeId, hardState: HardState, stored: readonly Entry[], lastApplied: Index): void {
    const known = this.#members.get(id);
    const log: Mark[] = [];
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
      appliedIndex: lastApplied,
      status: null,
    });
  }

  /** A write is done, whether the core has heard of it or not. */
  persisted(id: NodeId, append: Append): void {
    const member = this.#member(id);
    write(member.durable, append.entries);
    member.durableState = append.hardState ?? member.durableState;
  }

  /** A Ready was taken; `status` is what the core says afterwards. */
  ready(id: NodeId, ready: Ready, status: Status): void {
    const member = this.#member(id);
    if (ready.append !== null) this.#checkAppend(member, ready.append, status);
    this.#checkDelta(member, status);
    if (status.role === 'leader') this.#checkLeader(member, status);
    for (const message of ready.messages) this.#checkMessage(member, message, status);
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
    const first = append.entries[0];
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
    }
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
      this.#checkCompleteness(member, id);
    }
    // What it committed before it led, it may have been told by the leader before it.
    const before = member.status;
    if (before?.role !== 'leader' || before.currentTerm !== currentTerm) return;
    if (commitIndex === before.commitIndex) return;
    // The followers' disks may be ahead of the leader's own.
    const { voters: all, votersOutgoing: outgoing } = configuration;
    const marks = [...all, ...outgoing].map((voter) => this.#durableAt(voter, commitIndex));
    const mark = marks.find((held) => held?.term === currentTerm);
    must(mark !== undefined, () => `${id} commits ${commitIndex} of an old term by counting`);
    const holders = (voters: readonly NodeId[]): number =>
      voters.filter((voter) => this.#durableAt(voter, commitIndex)?.hash === mark.hash).length;
    must(
      isMajority(holders(all), all) &&
        (outgoing.length === 0 || isMajority(holders(outgoing), outgoing)),
      () => `${id} commits ${commitIndex}, which ${holders(all)} of ${all} hold`,
    );
  }

  /** Leader completeness: whatever was committed is in the log of each new leader. */
  #checkCompleteness(member: Observed, id: NodeId): void {
    const last = this.#committed.length;
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
    if (known === undefined) this.#committed.push(mark);
    else must(known.hash === mark.hash, () => `${id} applies another entry at ${index}`);
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
  return { term: entry.term, hash: hash >>> 0 };
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

function idsOf({ voters, votersOutgoing, learners }: Configuration): string {
  return [voters, votersOutgoing, learners].map((ids) => ids.join()).join(';');
}

function isMajority(count: number, voters: readonly NodeId[]): boolean {
  return count > voters.length / 2;
}
