import { assert } from '../base/assert.ts';
import { limits } from '../base/limits.ts';
import { type Deadline, DeadlineHeap } from './deadline-heap.ts';

/** What became of one write. The bytes are for whoever keeps and reads them; there is at least one. */
export interface KeptResult {
  readonly revision: number;
  readonly bytes: Uint8Array;
}

export interface SessionState {
  /** In log time. The session is alive before it and gone from it on. */
  readonly deadlineMs: number;
  /** Results up to this sequence are no longer needed, and not kept. */
  readonly acknowledgedThrough: number;
}

export interface Session extends SessionState {
  readonly id: string;
  /** By sequence, in the order in which the writes were done. Invariant: all above `acknowledgedThrough`. */
  readonly results: ReadonlyMap<number, KeptResult>;
}

/** What a result counts beside its bytes: as much as it takes in memory, most of it for results of a few bytes. */
const resultOverheadBytes = 256;

class OwnSession implements Session, Deadline {
  readonly id: string;
  deadlineMs: number;
  acknowledgedThrough: number;
  readonly results = new Map<number, KeptResult>();
  bytes = 0;
  heapDeadlineMs = 0;
  heapAt = -1;

  constructor(id: string, state: SessionState) {
    this.id = id;
    this.deadlineMs = state.deadlineMs;
    this.acknowledgedThrough = state.acknowledgedThrough;
  }
}

/**
 * The sessions of clients, with the results of their writes that may be asked for again (thesis §6.3).
 * Time is log time, handed in by whoever calls; a session lives on for a fixed time after each command
 * or renewal.
 *
 * Writes of a session are numbered by its client and may come in any order. A number above
 * `acknowledgedThrough` is either in `results`, done, or was never done.
 */
export class Sessions {
  readonly #sessions = new Map<string, OwnSession>();
  readonly #deadlines = new DeadlineHeap<OwnSession>();
  #bytes = 0;

  /** Those that have ended and are not removed yet included. */
  get size(): number {
    return this.#sessions.size;
  }

  get ids(): Iterable<string> {
    return this.#sessions.keys();
  }

  /** Of all results that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  has(id: string): boolean {
    return this.#sessions.has(id);
  }

  get(id: string): Session | null {
    return this.#sessions.get(id) ?? null;
  }

  alive(id: string, nowMs: number): Session | null {
    const session = this.#sessions.get(id);
    return session !== undefined && session.deadlineMs > nowMs ? session : null;
  }

  /** Adds a session whose id is free: one that is opened, or one that was stored. */
  add(id: string, state: SessionState): Session {
    assert(!this.#sessions.has(id), () => `Session ${id} exists`);
    const session = new OwnSession(id, state);
    this.#sessions.set(id, session);
    this.#deadlines.add(session);
    return session;
  }

  /** The client was heard of, and needs no results up to `acknowledgedThrough`. */
  heard(id: string, acknowledgedThrough: number, nowMs: number): void {
    const session = this.#own(id);
    assert(session.deadlineMs > nowMs, () => `Session ${id} has ended`);
    session.deadlineMs = nowMs + limits.sessionTtlMs;
    const before = session.acknowledgedThrough;
    if (acknowledgedThrough <= before) return;
    session.acknowledgedThrough = acknowledgedThrough;
    if (acknowledgedThrough - before <= session.results.size) {
      for (let at = before + 1; at <= acknowledgedThrough; at++) this.#drop(session, at);
    } else {
      for (const at of session.results.keys())
        if (at <= acknowledgedThrough) this.#drop(session, at);
    }
  }

  /** Whether a result of up to so many bytes can be kept. */
  hasRoom(id: string, bytes: number): boolean {
    const more = bytes + resultOverheadBytes;
    const { sessionBytesMax, sessionsBytesMax } = limits;
    return this.#own(id).bytes + more <= sessionBytesMax && this.#bytes + more <= sessionsBytesMax;
  }

  /** Also in the place of the one that was kept before. */
  keep(id: string, sequence: number, result: KeptResult): void {
    const session = this.#own(id);
    assert(sequence > session.acknowledgedThrough, () => `${sequence} of ${id} is acknowledged`);
    const before = session.results.get(sequence);
    session.results.set(sequence, result);
    this.#count(session, sizeOf(result) - (before === undefined ? 0 : sizeOf(before)));
  }

  remove(id: string): void {
    const session = this.#own(id);
    this.#deadlines.remove(session);
    this.#sessions.delete(id);
    this.#bytes -= session.bytes;
  }

  /** The ended session whose turn it is, by (deadline, id). */
  ended(nowMs: number): Session | null {
    return this.#deadlines.due(nowMs);
  }

  #drop(session: OwnSession, sequence: number): void {
    const result = session.results.get(sequence);
    if (result === undefined) return;
    session.results.delete(sequence);
    this.#count(session, -sizeOf(result));
  }

  #count(session: OwnSession, bytes: number): void {
    session.bytes += bytes;
    this.#bytes += bytes;
  }

  #own(id: string): OwnSession {
    const session = this.#sessions.get(id);
    assert(session !== undefined, () => `Session ${id} does not exist`);
    return session;
  }
}

function sizeOf({ bytes }: KeptResult): number {
  return bytes.length + resultOverheadBytes;
}
