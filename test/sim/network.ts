/**
 * The network between all parties, nodes and clients alike: links in both directions of each pair, which
 * can be cut or clogged, under a weather that delays, loses, repeats and replays. What travels is the
 * matter of `peers.ts` and `sockets.ts`.
 */
import type { Random } from '../../src/base/prng.ts';
import type { VirtualClock } from './clock.ts';
import type { ProbeName } from './probes.ts';

export interface Weather {
  readonly delayMsMin: number;
  /** Added to the least delay, exponentially distributed. */
  readonly delayMsMean: number;
  /** Share of frames that take very long, and how long. */
  readonly tail: number;
  readonly tailMs: number;
  /** Shares of frames that are lost, that arrive twice, and that arrive again up to `replayMs` later. */
  readonly loss: number;
  readonly repeat: number;
  readonly replay: number;
  readonly replayMs: number;
}

export const fairWeather: Weather = {
  delayMsMin: 0.05,
  delayMsMean: 0.2,
  tail: 0,
  tailMs: 0,
  loss: 0,
  repeat: 0,
  replay: 0,
  replayMs: 0,
};

export type Party = string;

interface Link {
  readonly from: Party;
  readonly to: Party;
  /** How many faults cut it at the moment. */
  cuts: number;
  /** What a clogged link holds back; null while it flows. */
  held: (() => void)[] | null;
  clogs: number;
  sent: number;
  deliveredOrder: number;
}

/** What a clogged link holds at most; more is lost. */
const heldMax = 200;
/** The newest frames that a record keeps. */
const recordedMax = 200;

/** Frames to one party, to be delivered once more. */
export interface Recording {
  replay(): void;
  stop(): void;
}

export class SimNetwork {
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #hit: (probe: ProbeName) => void;
  readonly #links = new Map<string, Link>();
  readonly #records = new Map<Party, Set<(() => void)[]>>();
  weather: Weather = fairWeather;

  constructor(clock: VirtualClock, random: Random, hit: (probe: ProbeName) => void) {
    this.#clock = clock;
    this.#random = random;
    this.#hit = hit;
  }

  /** Whether anything gets from one party to the other. */
  isOpen(from: Party, to: Party): boolean {
    return this.#link(from, to).cuts === 0;
  }

  isClogged(from: Party, to: Party): boolean {
    return this.#link(from, to).held !== null;
  }

  /** Returns the way to mend it; cuts of several faults add up. */
  cut(from: Party, to: Party): () => void {
    const link = this.#link(from, to);
    link.cuts++;
    return once(() => {
      link.cuts--;
    });
  }

  /** Nothing arrives until the clog is gone; then everything does, at once and in order. */
  clog(from: Party, to: Party): () => void {
    const link = this.#link(from, to);
    link.clogs++;
    link.held ??= [];
    return once(() => {
      link.clogs--;
      if (link.clogs > 0) return;
      const held = link.held ?? [];
      link.held = null;
      if (held.length > 0) this.#hit('clogReleased');
      for (const [at, deliver] of held.entries()) {
        this.#clock.after((0.5 * (at + this.#random())) / held.length, deliver);
      }
    });
  }

  /** Keeps what is sent to the party from now on. What is on a cut link when it is replayed is lost. */
  record(to: Party): Recording {
    const kept: (() => void)[] = [];
    const records = this.#records.get(to) ?? new Set();
    this.#records.set(to, records.add(kept));
    return {
      replay: () => {
        for (const send of kept.splice(0)) send();
      },
      stop: () => {
        records.delete(kept);
      },
    };
  }

  delayMs(): number {
    const { delayMsMin, delayMsMean, tail, tailMs } = this.weather;
    const delay = delayMsMin - Math.log(1 - this.#random()) * delayMsMean;
    return tail > 0 && this.#random() < tail ? delay + this.#random() * tailMs : delay;
  }

  /** What a connection carries once or never: late, or lost with it. */
  packet(from: Party, to: Party, deliver: () => void): void {
    const link = this.#link(from, to);
    const { loss } = this.weather;
    if (link.cuts > 0 || (loss > 0 && this.#random() < loss)) return;
    this.#send(link, this.delayMs(), deliver);
  }

  /** A frame that may be lost, late, repeated and overtaken. `deliver` runs once per arrival. */
  datagram(from: Party, to: Party, deliver: () => void): void {
    const link = this.#link(from, to);
    const { loss, repeat, replay, replayMs } = this.weather;
    this.#keep(link, deliver);
    if (link.cuts > 0 || (loss > 0 && this.#random() < loss)) return;
    const order = ++link.sent;
    this.#send(link, this.delayMs(), () => {
      if (order < link.deliveredOrder) this.#hit('messageReordered');
      else link.deliveredOrder = order;
      deliver();
    });
    if (repeat > 0 && this.#random() < repeat) {
      this.#send(link, this.delayMs(), () => {
        this.#hit('duplicateDelivered');
        deliver();
      });
    }
    if (replay > 0 && this.#random() < replay) {
      this.#send(link, this.#random() * replayMs, () => {
        this.#hit('replayDelivered');
        deliver();
      });
    }
  }

  #keep(link: Link, deliver: () => void): void {
    for (const kept of this.#records.get(link.to) ?? []) {
      if (kept.length === recordedMax) kept.shift();
      kept.push(() => {
        this.#send(link, this.delayMs(), () => {
          this.#hit('replayDelivered');
          deliver();
        });
      });
    }
  }

  #send(link: Link, delayMs: number, deliver: () => void): void {
    this.#clock.after(delayMs, () => {
      if (link.cuts > 0) return;
      if (link.held === null) deliver();
      else if (link.held.length < heldMax) link.held.push(deliver);
    });
  }

  #link(from: Party, to: Party): Link {
    const name = `${from}>${to}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = { from, to, cuts: 0, held: null, clogs: 0, sent: 0, deliveredOrder: 0 };
      this.#links.set(name, link);
    }
    return link;
  }
}

function once(action: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    action();
  };
}
