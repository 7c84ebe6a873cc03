/**
 * Revisions that are too large for a frame come in parts. They are put together, or, for a consumer that
 * wants to hold no more than a frame of them, handed on one by one. A revision of which a lost connection
 * has left a part comes again from its beginning, in the same order: what was handed on is left out then.
 */
import type { Items, WireEvent } from '../wire/results.ts';
import type { KeyPrefix } from './key-prefix.ts';
import { KeyValue } from './key-value.ts';
import type { WatchBatch, WatchEvent } from './watch-buffer.ts';

type WireEvents = Extract<Items['watch'], { type: 'events' }>;

/** The last that was read: other watches are told the very same by the same item. */
let read: {
  readonly wire: readonly WireEvent[];
  readonly prefix: KeyPrefix;
  readonly events: readonly WatchEvent[];
} | null = null;

export class WatchParts {
  readonly #prefix: KeyPrefix;
  readonly #fragments: boolean;
  #revision = 0;
  /** Of `#revision`: those that wait for the rest. */
  #events: WatchEvent[] = [];
  /** Of `#revision`: how many have come from this stream, and how many were ever handed on. */
  #come = 0;
  #handed = 0;

  constructor(prefix: KeyPrefix, fragments: boolean) {
    this.#prefix = prefix;
    this.#fragments = fragments;
  }

  /** A stream begins, with a whole revision. */
  begin(): void {
    this.#events = [];
    this.#come = 0;
  }

  /** What is to be handed on now; null when it waits for the rest. */
  take({ revision, events, ...rest }: WireEvents): WatchBatch | null {
    const more = rest.more === true;
    if (revision !== this.#revision) {
      this.#revision = revision;
      this.#events = [];
      this.#come = 0;
      this.#handed = 0;
    }
    const known = Math.min(events.length, Math.max(0, this.#handed - this.#come));
    this.#come += events.length;
    const news = watchEvents(events, this.#prefix).slice(known);
    if (this.#fragments) {
      this.#handed = Math.max(this.#handed, this.#come);
      return more && news.length === 0 ? null : { revision, events: news, more };
    }
    if (!more && this.#events.length === 0) return { revision, events: news, more };
    this.#events.push(...news);
    if (more) return null;
    const whole = this.#events;
    this.#events = [];
    return { revision, events: whole, more };
  }
}

function watchEvents(wire: readonly WireEvent[], prefix: KeyPrefix): readonly WatchEvent[] {
  if (read?.wire !== wire || read.prefix !== prefix) {
    read = { wire, prefix, events: wire.map((event) => watchEvent(event, prefix)) };
  }
  return read.events;
}

function watchEvent({ type, pair, previous }: WireEvent, prefix: KeyPrefix): WatchEvent {
  return {
    type,
    pair: new KeyValue(prefix.outOf(pair)),
    previous: previous && new KeyValue(prefix.outOf(previous)),
  };
}
