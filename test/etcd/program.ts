/** One program on both stores: step by step, each answer compared, and at the end what watches have seen. */
import { isDeepStrictEqual } from 'node:util';
import { createPrng } from '../../src/base/prng.ts';
import { Draw } from './draw.ts';
import type { Answer, OpenWatch, Step, Store, WatchStep } from './step.ts';

export interface Pair {
  readonly ours: Store;
  readonly theirs: Store;
  /** The oldest revision that can be read; 0 before any compaction. */
  compactRevision: number;
}

export interface Tally {
  steps: number;
  failed: number;
  watches: number;
  events: number;
}

/** Two answers that are not alike. The stores may not be alike any more. */
export class Difference extends Error {
  readonly step: Step | WatchStep;
  readonly ours: unknown;
  readonly theirs: unknown;

  constructor(step: Step | WatchStep, ours: unknown, theirs: unknown) {
    super('The answers differ');
    this.step = step;
    this.ours = ours;
    this.theirs = theirs;
  }
}

const everything = { key: '\0', rangeEnd: '\0' };
const plainPut = { value: new Uint8Array(0), leaseId: null, previous: false } as const;
const keepsNothing = { ignoreValue: false, ignoreLease: false } as const;

export class Program {
  readonly #pair: Pair;
  readonly #tally: Tally;
  readonly #draw: Draw;
  readonly #watches: {
    readonly step: WatchStep;
    readonly ours: OpenWatch;
    readonly theirs: OpenWatch;
  }[] = [];
  #head = 0;

  constructor(pair: Pair, seed: number, tally: Tally) {
    this.#pair = pair;
    this.#tally = tally;
    this.#draw = new Draw(createPrng(seed));
  }

  /** Throws a Difference. Keys and leases that are there from before are removed first. */
  async run(steps: number): Promise<void> {
    await this.#clear();
    try {
      for (let at = 0; at < steps; at++) {
        const step = this.#draw.step(this.#head, this.#pair.compactRevision);
        if (step.type === 'watch') await this.#watch(step);
        else await this.#step(step);
      }
      for (const { step, ours, theirs } of this.#watches) await this.#finish(step, ours, theirs);
    } finally {
      for (const { ours, theirs } of this.#watches) {
        ours.close();
        theirs.close();
      }
    }
  }

  async #clear(): Promise<void> {
    const { leaseIds } = await this.#both({ type: 'leaseList' });
    for (const leaseId of leaseIds ?? []) await this.#both({ type: 'leaseRevoke', leaseId });
    await this.#both({ type: 'delete', ...everything, previous: false });
    await this.#touch('\0');
    await this.#both({ type: 'delete', key: '\0', rangeEnd: null, previous: false });
  }

  async #step(step: Step): Promise<void> {
    const answer = await this.#both(step);
    this.#tally.steps++;
    if (answer.error !== undefined) this.#tally.failed++;
    else if (step.type === 'compact') this.#pair.compactRevision = step.revision;
  }

  async #both(step: Step): Promise<Answer> {
    const { ours, theirs } = this.#pair;
    const [own, other] = await Promise.all([ours.run(step), theirs.run(step)]);
    expectSame(step, own, other);
    const { revision } = own;
    if (typeof revision === 'number') this.#head = Math.max(this.#head, revision);
    return own;
  }

  async #watch(step: WatchStep): Promise<void> {
    const [ours, theirs] = await Promise.all([
      this.#pair.ours.watch(step),
      this.#pair.theirs.watch(step),
    ]);
    this.#watches.push({ step, ours, theirs });
    this.#tally.watches++;
    // etcd reads history some time later: a compaction that comes first would end the watch there.
    if (step.startRevision <= this.#head) await this.#catchUp(step, ours, theirs);
  }

  async #finish(step: WatchStep, ours: OpenWatch, theirs: OpenWatch): Promise<void> {
    const last = await this.#catchUp(step, ours, theirs);
    const seen = ({ events, end }: OpenWatch) => ({
      events: events.filter(({ pair }) => pair.modRevision <= last),
      end,
    });
    const [own, other] = [seen(ours), seen(theirs)];
    // The first event that is not the same tells more than all of them.
    for (const [at, event] of own.events.entries()) {
      expectSame(step, event, other.events[at] ?? other.end);
    }
    expectSame(step, own, other);
    this.#tally.events += ours.events.length;
  }

  /**
   * Changes the first key of a watch until its start is reached, and waits until both have seen so. Returns
   * the revision that they have seen.
   */
  async #catchUp(step: WatchStep, ours: OpenWatch, theirs: OpenWatch): Promise<number> {
    const { key, rangeEnd, startRevision } = step;
    const isEmpty = rangeEnd !== null && rangeEnd !== '\0' && rangeEnd <= key;
    let last = this.#head;
    do {
      last = await this.#touch(key);
      const before = this.#head;
      await this.#both({ type: 'delete', key, rangeEnd: null, previous: false });
      if (step.only === 'delete' && this.#head > before) last = this.#head;
    } while (last < startRevision);
    if (!isEmpty) await Promise.all([ours.reaches(last), theirs.reaches(last)]);
    return last;
  }

  /** Returns the revision of the put. */
  async #touch(key: string): Promise<number> {
    await this.#both({ type: 'put', key, ...plainPut, ...keepsNothing });
    return this.#head;
  }
}

function expectSame(step: Step | WatchStep, ours: unknown, theirs: unknown): void {
  if (!isDeepStrictEqual(ours, theirs)) throw new Difference(step, ours, theirs);
}
