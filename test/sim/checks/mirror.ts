/**
 * What one member's log is by the words of its own disk: what it has handed over to be written, and what
 * its disk has finished. Each entry carries a hash of everything up to it, so that equal marks mean
 * equal logs.
 */
import { hash64 } from '../../../src/base/hash.ts';
import type { Append, Configuration, Entry, HardState, Index } from '../../../src/raft/types.ts';

export interface Mark {
  readonly term: number;
  readonly chain: number;
}

interface InFlight {
  readonly number: number;
  readonly hardState: HardState | null;
  readonly first: Index;
  readonly entries: readonly Entry[];
  readonly marks: readonly Mark[];
}

const origin: Mark = { term: 0, chain: 0x2545f491 };

export class Mirror {
  readonly #durable: Mark[] = [];
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #inFlight: InFlight | null = null;
  /** By the index of the entry; what was born with stands at 0. */
  #configurations: { readonly index: Index; readonly configuration: Configuration }[];

  constructor(configuration: Configuration) {
    this.#configurations = [{ index: 0, configuration }];
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  get durableLast(): Index {
    return this.#durable.length;
  }

  /** The last index that was handed to the disk. */
  get last(): Index {
    const out = this.#inFlight;
    if (out === null || out.marks.length === 0) return this.#durable.length;
    return out.first + out.marks.length - 1;
  }

  get hasInFlight(): boolean {
    return this.#inFlight !== null;
  }

  get inFlightChangesVote(): boolean {
    return this.#inFlight?.hardState != null;
  }

  /** The newest configuration in the durable log. */
  get configuration(): Configuration {
    return (this.#configurations.at(-1) as { configuration: Configuration }).configuration;
  }

  /** Null beyond the end. */
  durableAt(index: Index): Mark | null {
    return index === 0 ? origin : (this.#durable[index - 1] ?? null);
  }

  at(index: Index): Mark | null {
    const out = this.#inFlight;
    if (out === null || out.marks.length === 0 || index < out.first) return this.durableAt(index);
    return out.marks[index - out.first] ?? null;
  }

  /** An append is handed to the disk. Returns the marks of its entries and how many it cuts off. */
  handed(append: Append): { readonly marks: readonly Mark[]; readonly cut: number } {
    const { number, hardState, entries } = append;
    const first = entries[0]?.index ?? this.#durable.length + 1;
    const marks = marksAfter(this.durableAt(first - 1) ?? origin, entries);
    const cut = entries.length === 0 ? 0 : Math.max(0, this.#durable.length - first + 1);
    this.#inFlight = { number, hardState, first, entries, marks };
    return { marks, cut };
  }

  persisted(): void {
    const out = this.#inFlight;
    this.#inFlight = null;
    if (out === null) return;
    if (out.hardState !== null) this.#hardState = out.hardState;
    if (out.marks.length === 0) return;
    this.#durable.length = out.first - 1;
    for (const mark of out.marks) this.#durable.push(mark);
    this.#configurations = this.#configurations.filter(({ index }) => index < out.first);
    for (const entry of out.entries) {
      if (entry.type !== 'configuration') continue;
      this.#configurations.push({ index: entry.index, configuration: entry.configuration });
    }
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

  #differs(hardState: HardState, applied: Index, stored: readonly Entry[]): string | null {
    const { currentTerm, votedFor } = this.#hardState;
    if (hardState.currentTerm !== currentTerm || hardState.votedFor !== votedFor) {
      return `it came back in term ${hardState.currentTerm} with a vote for ${hardState.votedFor}, after term ${currentTerm} and ${votedFor} were durable`;
    }
    const last = applied + stored.length;
    if (last !== this.#durable.length) {
      return `its log came back up to ${last}, after ${this.#durable.length} was durable`;
    }
    const before = this.durableAt(applied);
    if (before === null) return `its state is at ${applied}, beyond its log`;
    for (const [at, mark] of marksAfter(before, stored).entries()) {
      if (mark.chain !== this.#durable[applied + at]?.chain) {
        return `entry ${applied + at + 1} came back different`;
      }
    }
    return null;
  }
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
    mixed ^= hash64(new TextEncoder().encode(JSON.stringify(entry.configuration)), mixed).low;
  }
  return mixed >>> 0;
}
