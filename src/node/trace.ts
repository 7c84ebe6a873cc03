/**
 * The newest events of a node, as lines of JSON, for people and programs that look for what went wrong.
 * Bounded: the oldest go first. Events are numbered without gaps from 1 on, so a reader that comes too
 * late sees that it has missed some.
 */
import type { Clock } from '../base/clock.ts';

/** Ids, numbers and short names only: what clients store does not belong in a trace. */
export type TraceFields = Readonly<Record<string, unknown>>;

const bytesMaxDefault = 4 * 1024 * 1024;

export class Trace {
  readonly #clock: Pick<Clock, 'monotonic' | 'wall'>;
  readonly #bytesMax: number;
  #lines: string[] = [];
  /** The oldest line that is still there, as a position in `#lines`. */
  #head = 0;
  #bytes = 0;
  #count = 0;

  constructor(clock: Pick<Clock, 'monotonic' | 'wall'>, bytesMax = bytesMaxDefault) {
    this.#clock = clock;
    this.#bytesMax = bytesMax;
  }

  add(event: string, fields: TraceFields): void {
    const sequence = ++this.#count;
    const ms = Math.round(this.#clock.monotonic() * 1000) / 1000;
    const wallMs = Math.floor(this.#clock.wall());
    const line = `${JSON.stringify({ sequence, ms, wallMs, event, ...fields })}\n`;
    this.#lines.push(line);
    this.#bytes += line.length;
    while (this.#bytes > this.#bytesMax) {
      this.#bytes -= (this.#lines[this.#head] as string).length;
      this.#head++;
    }
    if (this.#head * 2 < this.#lines.length) return;
    this.#lines = this.#lines.slice(this.#head);
    this.#head = 0;
  }

  /** The events with numbers above `after` that are still there, a line each, the oldest first. */
  read(after: number): string {
    const oldest = this.#count - (this.#lines.length - this.#head) + 1;
    return this.#lines.slice(this.#head + Math.max(0, after + 1 - oldest)).join('');
  }
}
