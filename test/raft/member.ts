/** A core with a model of its disk and of what it applied: what the tests drive by hand. */
import { createRaft } from '../../src/raft/raft.ts';
import type {
  Accepted,
  Append,
  Configuration,
  Dropped,
  Entry,
  EntryId,
  HardState,
  Index,
  LogRead,
  Message,
  NodeId,
  Raft,
  RaftOptions,
  ReadState,
  Ready,
  Refused,
  SnapshotMetadata,
  Term,
} from '../../src/raft/types.ts';

export interface Setup {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing?: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  /** The terms of the stored entries, from index 1 on. */
  readonly log?: readonly Term[];
  readonly term?: Term;
  readonly votedFor?: NodeId | null;
  readonly commitIndex?: Index;
  readonly options?: Partial<RaftOptions>;
}

const defaultOptions = {
  electionTicks: 10,
  heartbeatTicks: 2,
  entriesPerMessageMax: 8,
  bytesPerMessageMax: 1 << 20,
  inflightMessagesMax: 4,
  inflightBytesMax: 1 << 20,
  earlyCampaignTicks: 3,
  /** The longest timeout: 2 × electionTicks − 1. */
  random: () => 0.99,
} as const;

export function configurationOf(
  voters: readonly NodeId[],
  votersOutgoing: readonly NodeId[] = [],
  learners: readonly NodeId[] = [],
): Configuration {
  const ids = new Set([...voters, ...votersOutgoing, ...learners]);
  const members = [...ids].map((id) => ({
    id,
    name: id,
    peerAddress: `${id}:4641`,
    clientAddress: `${id}:4640`,
    featureLevel: 1,
    replaces: null,
    autoPromote: false,
  }));
  return { members, voters, votersOutgoing, learners, learnersNext: [] };
}

export function command(term: Term, index: Index, text = ''): Entry {
  return { term, index, type: 'command', command: new TextEncoder().encode(text) };
}

/** Applies one append the way a write-ahead log does: cut, then append. */
export function writeEntries(stored: readonly Entry[], entries: readonly Entry[]): Entry[] {
  const first = entries[0]?.index;
  const kept = first === undefined ? stored : stored.filter(({ index }) => index < first);
  return [...kept, ...entries];
}

export class Member {
  readonly id: NodeId;
  readonly options: RaftOptions;
  raft: Raft;
  /** What a crash leaves. A restart takes up of the stored log what follows the checkpoint. */
  hardState: HardState;
  stored: readonly Entry[];
  /** Where the stored log begins: at birth, or after what was released or came as a snapshot. */
  storedBase: SnapshotMetadata;
  checkpoint: SnapshotMetadata;
  /** The append that is on its way to the disk. */
  pending: Append | null = null;
  applied: Entry[] = [];
  /** What came out since it was last looked at. */
  messages: Message[] = [];
  readStates: ReadState[] = [];
  accepted: Accepted[] = [];
  dropped: Dropped[] = [];
  refused: Refused[] = [];
  logReads: LogRead[] = [];

  constructor(id: NodeId, setup: Setup) {
    this.id = id;
    this.options = { ...defaultOptions, ...setup.options, id };
    const birth = configurationOf(setup.voters, setup.votersOutgoing, setup.learners);
    const log = setup.log ?? [];
    this.stored = log.map((term, at) => command(term, at + 1, `${term}.${at + 1}`));
    this.hardState = {
      currentTerm: setup.term ?? log.at(-1) ?? 0,
      votedFor: setup.votedFor ?? null,
      commitIndex: setup.commitIndex ?? 0,
    };
    this.checkpoint = { last: { term: 0, index: 0 }, configuration: birth };
    this.storedBase = this.checkpoint;
    this.raft = this.#start();
  }

  get status() {
    return this.raft.status();
  }

  get role() {
    return this.status.role;
  }

  tick(times = 1): this {
    for (let at = 0; at < times; at++) this.raft.step({ type: 'tick' });
    return this;
  }

  propose(...texts: string[]): this {
    for (const text of texts) {
      const bytes = new TextEncoder().encode(text);
      this.raft.step({ type: 'propose', id: this.accepted.length, command: bytes });
    }
    return this;
  }

  receive(message: Message): this {
    this.raft.step({ type: 'message', message });
    return this;
  }

  /** Takes one Ready and files what is in it; the append stays on its way. */
  take(): Ready | null {
    const ready = this.raft.ready();
    if (ready === null) return null;
    if (ready.append !== null) {
      if (this.pending !== null) throw new Error(`${this.id} has two appends out`);
      this.pending = ready.append;
    }
    if (ready.restored !== null) this.applied = [];
    this.applied.push(...ready.committedEntries);
    this.messages.push(...ready.messages);
    this.readStates.push(...ready.readStates);
    this.accepted.push(...ready.accepted);
    this.dropped.push(...ready.dropped);
    this.refused.push(...ready.refused);
    this.logReads.push(...ready.logReads);
    return ready;
  }

  /** The disk finishes what is out, if anything is. */
  persist(): this {
    const append = this.pending;
    if (append === null) return this;
    this.pending = null;
    this.write(append);
    this.raft.step({ type: 'persisted', append: append.number });
    return this;
  }

  /** Makes an append durable without telling the core: what a crash may find done. */
  write(append: Append): void {
    const { snapshot } = append;
    if (snapshot !== null) {
      this.stored = this.#has(snapshot.last)
        ? this.stored.filter(({ index }) => index > snapshot.last.index)
        : [];
      this.storedBase = snapshot;
      this.checkpoint = snapshot;
    }
    this.stored = writeEntries(this.stored, append.entries);
    this.hardState = append.hardState ?? this.hardState;
  }

  /** Works, with a disk that answers at once, until nothing is left to do. Returns what it said. */
  settle(): Message[] {
    for (let rounds = 0; this.take() !== null; rounds++) {
      if (rounds > 1000) throw new Error(`${this.id} does not come to rest`);
      this.persist();
    }
    return this.said();
  }

  /** The messages since this was last asked. */
  said(): Message[] {
    const messages = this.messages;
    this.messages = [];
    return messages;
  }

  /** Drops the log up to `index` from memory, and restarts from there on. */
  compact(index: Index): void {
    this.checkpoint = this.pointAt(index);
    this.raft.step({ type: 'compacted', index });
  }

  /** Drops the log up to the checkpoint from the disk. */
  release(): void {
    const { last } = this.checkpoint;
    if (last.index <= this.storedBase.last.index) return;
    this.stored = this.stored.filter(({ index }) => index > last.index);
    this.storedBase = this.checkpoint;
  }

  /** The state as of now, as another member would receive it. */
  snapshot(): { readonly snapshot: SnapshotMetadata; readonly term: Term } {
    const { lastApplied, currentTerm } = this.status;
    return { snapshot: this.pointAt(lastApplied), term: currentTerm };
  }

  /** A point of the stored log, and the configuration in force there. */
  pointAt(index: Index): SnapshotMetadata {
    const { last, configuration } = this.storedBase;
    if (index === last.index) return this.storedBase;
    const { term } = this.stored.find((entry) => entry.index === index) as Entry;
    const newest = this.stored.findLast(
      (entry) => entry.type === 'configuration' && entry.index <= index,
    );
    return {
      last: { term, index },
      configuration: newest?.type === 'configuration' ? newest.configuration : configuration,
    };
  }

  /** What the stored log answers to a LogRead. */
  readStored(from: Index): { readonly prev: EntryId | null; readonly entries: readonly Entry[] } {
    const { last } = this.storedBase;
    if (from <= last.index) return { prev: null, entries: [] };
    const before = this.stored.find(({ index }) => index === from - 1);
    const prev = { term: before?.term ?? last.term, index: from - 1 };
    return { prev, entries: this.stored.filter(({ index }) => index >= from) };
  }

  /** Loses everything that is not on the disk, and comes back. */
  restart(): this {
    this.pending = null;
    this.applied = this.applied.filter(({ index }) => index <= this.checkpoint.last.index);
    this.messages = [];
    this.readStates = [];
    this.logReads = [];
    this.raft = this.#start();
    return this;
  }

  #has({ term, index }: EntryId): boolean {
    return this.stored.some((entry) => entry.index === index && entry.term === term);
  }

  #start(): Raft {
    const { last } = this.checkpoint;
    return createRaft(this.options, {
      hardState: this.hardState,
      snapshot: this.checkpoint,
      entries: this.stored.filter(({ index }) => index > last.index),
      lastApplied: last.index,
    });
  }
}
