/**
 * What clients did and were told, and whether one order of it all explains every answer.
 *
 * The order is the cluster's own: each answer carries the revision of the state it was made from, and at
 * the end the whole history of changes is read from a watch. The checker replays that history and asks
 * each answer whether it is true at its revision; that no answer is older than what was known when it
 * was asked for; that whatever was written stands in the history exactly once, and what failed for
 * certain does not; and that nothing stands there which nobody wrote. Such an order is a linearization:
 * a history that passes is linearizable, and no search is needed.
 */
import type { ErrorCode } from '../../../src/base/errors.ts';

export interface Pair {
  readonly value: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly leaseId: string | null;
}

export interface Change {
  readonly key: string;
  /** Null: deleted. */
  readonly after: Pair | null;
  readonly before: Pair | null;
}

export interface Revision {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** The state at one revision, and what the revision changed. */
export interface Moment {
  readonly changes: ReadonlyMap<string, Change>;
  after(key: string): Pair | null;
  before(key: string): Pair | null;
  /** In key order. */
  keys(prefix: string): readonly string[];
}

export interface Intent {
  readonly client: string;
  readonly text: string;
  /** The values that it writes, each unique. */
  readonly marks: readonly string[];
  /** The keys that it may delete. */
  readonly deletes: readonly string[];
  /** Answered from any node's state, however old, but not older than `floor`. */
  readonly serializable: boolean;
  /** The newest revision that the client has seen. */
  readonly floor: number;
}

export interface Answer {
  readonly revision: number;
  /** It made a revision of its own. */
  readonly changed: boolean;
  /** Null, or what is wrong with the answer. */
  verify(moment: Moment): string | null;
}

export type Outcome =
  | { readonly type: 'answered'; readonly answer: Answer }
  | { readonly type: 'failed' | 'unknown'; readonly code: ErrorCode };

interface Operation extends Intent {
  readonly beganMs: number;
  endedMs: number;
  outcome: Outcome | null;
}

export class History {
  readonly #operations: Operation[] = [];
  #answered = 0;

  get answered(): number {
    return this.#answered;
  }

  get size(): number {
    return this.#operations.length;
  }

  /** An operation begins; the result is to be called with its outcome. */
  begin(intent: Intent, nowMs: number): (outcome: Outcome, endMs: number) => void {
    const operation: Operation = {
      ...intent,
      beganMs: nowMs,
      endedMs: Number.POSITIVE_INFINITY,
      outcome: null,
    };
    this.#operations.push(operation);
    return (outcome, endMs) => {
      operation.outcome = outcome;
      operation.endedMs = endMs;
      if (outcome.type === 'answered') this.#answered++;
    };
  }

  /** Null, or the first thing that is wrong. `lastRevision` is the newest of the cluster. */
  check(revisions: readonly Revision[]): Verdict {
    return new Judge(this.#operations, revisions).verdict();
  }
}

export interface Verdict {
  readonly wrong: string | null;
  /** How many operations in doubt turned out to have happened, and how many did not. */
  readonly happened: number;
  readonly didNot: number;
  readonly staleReads: number;
}

class Judge {
  readonly #operations: readonly Operation[];
  readonly #revisions: readonly Revision[];
  readonly #byMark = new Map<string, Operation>();
  /** In which revision each mark was found. */
  readonly #found = new Map<Operation, number>();
  #staleReads = 0;
  #wrong: string | null = null;

  constructor(operations: readonly Operation[], revisions: readonly Revision[]) {
    this.#operations = operations;
    this.#revisions = revisions;
    for (const operation of operations) {
      for (const mark of operation.marks) this.#byMark.set(mark, operation);
    }
  }

  verdict(): Verdict {
    this.#attribute();
    if (this.#wrong === null) this.#checkOutcomes();
    if (this.#wrong === null) this.#checkTime();
    if (this.#wrong === null) this.#replay();
    let happened = 0;
    let didNot = 0;
    for (const operation of this.#operations) {
      if (operation.outcome?.type === 'answered' || operation.marks.length === 0) continue;
      if (this.#found.has(operation)) happened++;
      else if (operation.outcome?.type !== 'failed') didNot++;
    }
    return { wrong: this.#wrong, happened, didNot, staleReads: this.#staleReads };
  }

  /** Whose is each change? */
  #attribute(): void {
    for (const { revision, changes } of this.#revisions) {
      for (const { key, after } of changes) {
        if (after === null) continue;
        const operation = this.#byMark.get(after.value);
        if (operation === undefined) {
          this.#fail(`Revision ${revision} put ${after.value} under ${key}: nobody wrote that`);
          return;
        }
        const known = this.#found.get(operation);
        if (known !== undefined && known !== revision) {
          this.#fail(`${about(operation)} happened twice: at ${known} and at ${revision}`);
          return;
        }
        this.#found.set(operation, revision);
      }
    }
  }

  #checkOutcomes(): void {
    const takenBy = new Map<number, Operation>();
    for (const operation of this.#operations) {
      const { outcome } = operation;
      const found = this.#found.get(operation);
      if (outcome?.type === 'failed' && found !== undefined) {
        this.#fail(`${about(operation)} failed with ${outcome.code}, yet it happened at ${found}`);
        return;
      }
      if (outcome?.type !== 'answered') continue;
      const { revision, changed } = outcome.answer;
      if (found !== undefined && found !== revision) {
        this.#fail(`${about(operation)} was answered with ${revision}, but happened at ${found}`);
        return;
      }
      if (changed && operation.marks.length > 0 && found === undefined) {
        this.#fail(`${about(operation)} was acknowledged at ${revision} and is lost`);
        return;
      }
      const other = takenBy.get(revision);
      if (changed && other !== undefined) {
        this.#fail(`${about(operation)} and ${about(other)} both made revision ${revision}`);
        return;
      }
      if (changed) takenBy.set(revision, operation);
    }
  }

  /** An answer is at least as new as every answer that was given before it was asked for. */
  #checkTime(): void {
    const ends = this.#operations
      .filter(({ outcome, serializable }) => outcome?.type === 'answered' && !serializable)
      .sort((left, right) => left.endedMs - right.endedMs);
    const begins = [...this.#operations].sort((left, right) => left.beganMs - right.beganMs);
    let known = 0;
    let at = 0;
    for (const operation of begins) {
      for (; at < ends.length; at++) {
        const ended = ends[at] as Operation;
        if (ended.endedMs >= operation.beganMs) break;
        if (ended.outcome?.type === 'answered') {
          known = Math.max(known, ended.outcome.answer.revision);
        }
      }
      this.#checkAge(operation, known);
      if (this.#wrong !== null) return;
    }
  }

  #checkAge(operation: Operation, known: number): void {
    const { outcome, serializable, floor } = operation;
    if (outcome?.type !== 'answered') {
      const found = this.#found.get(operation);
      if (found !== undefined && found <= known) {
        this.#fail(`${about(operation)} happened at ${found}, when ${known} was known already`);
      }
      return;
    }
    const { revision, changed } = outcome.answer;
    if (serializable) {
      if (revision < known) this.#staleReads++;
      if (revision < floor) this.#fail(`${about(operation)} saw ${revision} after ${floor}`);
    } else if (revision < known || (changed && revision === known)) {
      this.#fail(`${about(operation)} was answered from ${revision}, when ${known} was known`);
    }
  }

  /** Goes through the history and asks every answer at its revision, and every change for its cause. */
  #replay(): void {
    const answered = this.#operations
      .filter(({ outcome }) => outcome?.type === 'answered')
      .sort((left, right) => revisionOf(left) - revisionOf(right));
    const deleters = this.#deletersInDoubt();
    const state = new Map<string, Pair>();
    let at = 0;
    const ask = (through: number, changes: ReadonlyMap<string, Change>, own: number): void => {
      for (; at < answered.length; at++) {
        const operation = answered[at] as Operation;
        const revision = revisionOf(operation);
        if (revision > through || this.#wrong !== null) return;
        const moment = momentOf(state, revision === own ? changes : new Map());
        this.#ask(operation, moment);
      }
    };
    for (const { revision, changes } of this.#revisions) {
      ask(revision - 1, new Map(), -1);
      for (const change of changes) this.#take(state, revision, change, deleters);
      ask(revision, new Map(changes.map((change) => [change.key, change])), revision);
      if (this.#wrong !== null) return;
    }
    ask(Number.POSITIVE_INFINITY, new Map(), -1);
  }

  #take(
    state: Map<string, Pair>,
    revision: number,
    { key, before, after }: Change,
    deleters: (key: string, revision: number) => boolean,
  ): void {
    const known = state.get(key) ?? null;
    if (!equalPairs(known, before)) {
      this.#fail(
        `Revision ${revision} says that ${key} was ${show(before)}; it was ${show(known)}`,
      );
    }
    if (after === null) {
      if (known === null) this.#fail(`Revision ${revision} deletes ${key}, which is not there`);
      else if (known.leaseId === null && !deleters(key, revision)) {
        this.#fail(`Revision ${revision} deletes ${key}, which nobody asked for`);
      }
      state.delete(key);
      return;
    }
    const version = (known?.version ?? 0) + 1;
    const createRevision = known?.createRevision ?? revision;
    const expected = { ...after, version, createRevision, modRevision: revision };
    if (!equalPairs(after, expected)) {
      this.#fail(`Revision ${revision} made ${key} ${show(after)} instead of ${show(expected)}`);
    }
    state.set(key, after);
  }

  #ask(operation: Operation, moment: Moment): void {
    if (operation.outcome?.type !== 'answered') return;
    const wrong = operation.outcome.answer.verify(moment);
    if (wrong !== null) {
      this.#fail(`${about(operation)} at revision ${revisionOf(operation)}: ${wrong}`);
    }
  }

  /** Whether somebody's deletion may explain that a key went at a revision. */
  #deletersInDoubt(): (key: string, revision: number) => boolean {
    const known = new Set<string>();
    const doubtful = new Set<string>();
    for (const operation of this.#operations) {
      for (const key of operation.deletes) {
        if (operation.outcome?.type === 'answered') {
          if (operation.outcome.answer.changed) known.add(`${revisionOf(operation)} ${key}`);
        } else if (operation.outcome?.type !== 'failed') doubtful.add(key);
      }
    }
    return (key, revision) => known.has(`${revision} ${key}`) || doubtful.has(key);
  }

  #fail(text: string): void {
    this.#wrong ??= text;
  }
}

function momentOf(state: ReadonlyMap<string, Pair>, changes: ReadonlyMap<string, Change>): Moment {
  return {
    changes,
    after: (key) => state.get(key) ?? null,
    before: (key) => {
      const change = changes.get(key);
      return change === undefined ? (state.get(key) ?? null) : change.before;
    },
    keys: (prefix) => [...state.keys()].filter((key) => key.startsWith(prefix)).sort(),
  };
}

function revisionOf({ outcome }: Operation): number {
  return outcome?.type === 'answered' ? outcome.answer.revision : 0;
}

function about({ client, text, beganMs, endedMs }: Operation): string {
  return `${client}'s "${text}" of ${beganMs.toFixed(2)} to ${endedMs.toFixed(2)} ms`;
}

export function equalPairs(left: Pair | null, right: Pair | null): boolean {
  if (left === null || right === null) return left === right;
  return (
    left.value === right.value &&
    left.version === right.version &&
    left.createRevision === right.createRevision &&
    left.modRevision === right.modRevision &&
    left.leaseId === right.leaseId
  );
}

export function show(pair: Pair | null): string {
  if (pair === null) return 'nothing';
  const { value, version, createRevision, modRevision, leaseId } = pair;
  const lease = leaseId === null ? '' : ` with lease ${leaseId}`;
  return `${value} (version ${version}, ${createRevision} to ${modRevision}${lease})`;
}
