/**
 * What one member's log is by the words of its own disk: what it has handed over to be written, and what
 * its disk has finished. Each entry carries a hash of everything up to it, so that equal marks mean
 * equal logs.
 */
import { hash64 } from '../../../src/base/hash.ts';
import type {
  Append,
  Configuration,
  Entry,
  EntryId,
  HardState,
  Index,
  SnapshotMetadata,
} from '../../../src/raft/types.ts';
import { type Placed, type Step, textOf } from './configurations.ts';

export interface Mark {
  readonly term: number;
  readonly chain: number;
}

/** Where a log begins: an entry that was committed, and everything up to it. */
interface Base extends Mark {
  readonly index: Index;
}

interface InFlight {
  readonly hardState: HardState | null;
  readonly base: Base | null;
  readonly first: Index;
  readonly entries: readonly Entry[];
  readonly marks: readonly Mark[];
  /** Those of the log once this is durable. */
  readonly configurations: readonly Placed[];
}

const origin: Base = { index: 0, term: 0, chain: 0x2545f491 };

export class Mirror {
  /** What stands before `#durable[0]`; moved by an installed state. */
  #base = origin;
  readonly #durable: Mark[] = [];
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #inFlight: InFlight | null = null;
  /** Of the durable log, in order; the first is that of its beginning, or what it was born with. */
  #configurations: readonly Placed[];

  constructor(configuration: Configuration) {
    this.#configurations = [{ index: 0, configuration }];
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get durableLast(): Index {
    return this.#base.index + this.#durable.length;
  }

  /** The last index that was handed to the disk. */
  get last(): Index {
    const out = this.#inFlight;
    if (out === null || out.marks.length === 0) return this.durableLast;
    return out.first + out.marks.length - 1;
  }

  get hasInFlight(): boolean {
    return this.#inFlight !== null;
  }

  get inFlightChangesVote(): boolean {
    return this.#inFlight?.hardState != null;
  }

  get newestConfiguration(): Configuration {
    return (this.configurations.at(-1) as Placed).configuration;
  }

  /** In order, with those that are being written. */
  get configurations(): readonly Placed[] {
    return this.#inFlight?.configurations ?? this.#configurations;
  }

  /** The one in force at `index`, as far as it is remembered, and all newer ones. */
  configurationsFrom(index: Index): readonly Configuration[] {
    const first = this.configurations.findLastIndex((one) => one.index <= index);
    return this.configurations.slice(Math.max(first, 0)).map(({ configuration }) => configuration);
  }

  /** Null beyond the end, and before the beginning. */
  durableAt(index: Index): Mark | null {
    if (index === this.#base.index) return this.#base;
    return this.#durable[index - this.#base.index - 1] ?? null;
  }

  /** The disk holds the committed entry, or a state that it is part of. */
  holds(index: Index, committed: Mark): boolean {
    return index < this.#base.index || this.durableAt(index)?.chain === committed.chain;
  }

  at(index: Index): Mark | null {
    const out = this.#inFlight;
    if (out === null || out.marks.length === 0 || index < out.first) return this.durableAt(index);
    return out.marks[index - out.first] ?? null;
  }

  /**
   * An append is handed to the disk. Returns the marks of its entries and how many it cuts off.
   * `committed` gives the chain up to the last entry of a state that it installs.
   */
  handed(
    append: Append,
    committed: (last: EntryId) => number,
  ): { readonly marks: readonly Mark[]; readonly cut: number; readonly steps: readonly Step[] } {
    const { hardState, entries, snapshot } = append;
    const last = snapshot?.last ?? null;
    const base = last === null ? null : { ...last, chain: committed(last) };
    const first = entries[0]?.index ?? Math.max(this.durableLast, base?.index ?? 0) + 1;
    const before = base?.index === first - 1 ? base : this.durableAt(first - 1);
    const marks = marksAfter(before ?? origin, entries);
    const cut = entries.length === 0 ? 0 : Math.max(0, this.durableLast - first + 1);
    const kept = this.#keptConfigurations(snapshot, base, first);
    const steps = stepsOf(entries, kept.at(-1) as Placed);
    const added = steps.map(({ entry: { index }, configuration }) => ({ index, configuration }));
    const configurations = [...kept, ...added];
    this.#inFlight = { hardState, base, first, entries, marks, configurations };
    return { marks, cut, steps };
  }

  persisted(): void {
    const out = this.#inFlight;
    this.#inFlight = null;
    if (out === null) return;
    if (out.hardState !== null) this.#hardState = out.hardState;
    if (out.base !== null) this.#install(out.base);
    this.#configurations = out.configurations;
    if (out.marks.length === 0) return;
    this.#durable.length = out.first - 1 - this.#base.index;
    for (const mark of out.marks) this.#durable.push(mark);
  }

  /**
   * The member starts again from its disk: with all that was durable, and with what was being written
   * either whole or not at all. Says what is wrong, or what became of the write.
   */
  restarted(
    hardState: HardState,
    applied: Index,
    stored: readonly Entry[],
  ): { readonly wrong: string } | { readonly inFlight: 'none' | 'survived' | 'lost' } {
    const out = this.#inFlight;
    const without = this.#differs(hardState, applied, stored);
    if (without === null) {
      this.#inFlight = null;
      return { inFlight: out === null ? 'none' : 'lost' };
    }
    if (out === null) return { wrong: without };
    this.persisted();
    const within = this.#differs(hardState, applied, stored);
    if (within === null) return { inFlight: 'survived' };
    return { wrong: `${without}; and with the write that was under way: ${within}` };
  }

  /** Those before the entries from `first` on, after a state that begins the log anew. */
  #keptConfigurations(
    snapshot: SnapshotMetadata | null,
    base: Base | null,
    first: Index,
  ): readonly Placed[] {
    if (snapshot === null || base === null) {
      return this.#configurations.filter(({ index }, at) => at === 0 || index < first);
    }
    const agrees = this.durableAt(base.index)?.chain === base.chain;
    const after = agrees ? this.#configurations : [];
    const { index } = base;
    return [
      { index, configuration: snapshot.configuration },
      ...after.filter((one) => one.index > index && one.index < first),
    ];
  }

  /** What follows the last entry of the state stays if the log agrees there. */
  #install(base: Base): void {
    const agrees = this.durableAt(base.index)?.chain === base.chain;
    if (agrees) this.#durable.splice(0, base.index - this.#base.index);
    else this.#durable.length = 0;
    this.#base = base;
  }

  #differs(hardState: HardState, applied: Index, stored: readonly Entry[]): string | null {
    const { currentTerm, votedFor } = this.#hardState;
    if (hardState.currentTerm !== currentTerm || hardState.votedFor !== votedFor) {
      return `it came back in term ${hardState.currentTerm} with a vote for ${hardState.votedFor}, after term ${currentTerm} and ${votedFor} were durable`;
    }
    const last = applied + stored.length;
    if (last !== this.durableLast) {
      return `its log came back up to ${last}, after ${this.durableLast} was durable`;
    }
    const before = this.durableAt(applied);
    if (before === null) return `its state is at ${applied}, beyond its log`;
    for (const [at, mark] of marksAfter(before, stored).entries()) {
      if (mark.chain !== this.durableAt(applied + at + 1)?.chain) {
        return `entry ${applied + at + 1} came back different`;
      }
    }
    return null;
  }
}

function stepsOf(entries: readonly Entry[], before: Placed): readonly Step[] {
  const steps: Step[] = [];
  let last = before;
  for (const entry of entries) {
    if (entry.type !== 'configuration') continue;
    const { term, index, configuration } = entry;
    steps.push({ entry: { term, index }, configuration, before: last });
    last = { index, configuration };
  }
  return steps;
}

function marksAfter(before: Mark, entries: readonly Entry[]): Mark[] {
  const marks: Mark[] = [];
  let last = before;
  for (const entry of entries) {
    last = { term: entry.term, chain: chained(last.chain, entry) };
    marks.push(last);
  }
  return marks;
}

function chained(chain: number, entry: Entry): number {
  let mixed = Math.imul(chain ^ entry.term, 0xcc9e2d51) ^ entry.index;
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x1b873593);
  if (entry.type === 'command') mixed ^= hash64(entry.command, mixed).low;
  if (entry.type === 'configuration') {
    mixed ^= hash64(new TextEncoder().encode(textOf(entry.configuration)), mixed).low;
  }
  return mixed >>> 0;
}
