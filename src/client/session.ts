import type { WireSession } from '../wire/frame.ts';

/** So many writes may be without an answer: the cluster keeps no more results of one session. */
const windowMax = 256;

/**
 * One session of this client with the cluster. Writes are numbered in the order in which they first
 * leave. What is answered, or given up, needs no answer any more; all up to the first one that does is
 * acknowledged with whatever is sent next.
 */
export class Session {
  readonly id: string;
  readonly ttlMs: number;
  readonly #unanswered = new Set<number>();
  #last = 0;
  #acknowledgedThrough = 0;
  #confirmedAtMs: number;

  constructor(id: string, ttlMs: number, openedAtMs: number) {
    this.id = id;
    this.ttlMs = ttlMs;
    this.#confirmedAtMs = openedAtMs;
  }

  get acknowledgedThrough(): number {
    return this.#acknowledgedThrough;
  }

  get isIdle(): boolean {
    return this.#unanswered.size === 0;
  }

  get hasRoom(): boolean {
    return this.#last - this.#acknowledgedThrough < windowMax;
  }

  /** When something was sent that the cluster has taken as a sign of life. */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  confirmed(sentAtMs: number): void {
    this.#confirmedAtMs = Math.max(this.#confirmedAtMs, sentAtMs);
  }

  /** The number of the next write. Only with room. */
  next(): SessionPlace {
    this.#unanswered.add(++this.#last);
    return new SessionPlace(this, this.#last);
  }

  /** Nobody waits for the answer of this write any more. */
  settle(sequence: number): void {
    this.#unanswered.delete(sequence);
    while (this.#acknowledgedThrough < this.#last) {
      if (this.#unanswered.has(this.#acknowledgedThrough + 1)) return;
      this.#acknowledgedThrough++;
    }
  }
}

/** The place of one write in its session, which it keeps however often it is sent. */
export class SessionPlace {
  readonly session: Session;
  readonly sequence: number;

  constructor(session: Session, sequence: number) {
    this.session = session;
    this.sequence = sequence;
  }

  /** As it is to be sent now. */
  get header(): WireSession {
    const { id, acknowledgedThrough } = this.session;
    return { sessionId: id, sequence: this.sequence, acknowledgedThrough };
  }

  settle(): void {
    this.session.settle(this.sequence);
  }
}
