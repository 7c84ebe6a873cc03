import { Pool } from '../pool.ts';
import type { Mutant } from './mutant.ts';
import type { MutantTree } from './tree.ts';

export interface HuntOptions {
  readonly tree: MutantTree;
  readonly from: number;
  /** So many seeds a mutant may survive. */
  readonly seeds: number;
  readonly workers: number;
  /** Called after each seed. */
  readonly onSeed: (seed: number) => void;
  /** A seed fails without the mutant as well, and proves nothing. */
  readonly onUnsound: (seed: number) => void;
}

export interface HuntResult {
  readonly mutant: Mutant;
  /** One that fails with the mutant and not without it; null if there is none. */
  readonly seed: number | null;
  /** What failed, in the first line of its own words. */
  readonly caughtBy: string;
  readonly seconds: number;
}

/** A hundred times what a seed takes: what takes longer goes round in circles. */
const seedMsMax = 60_000;

export class Hunt {
  readonly #options: HuntOptions;
  /** Seeds that are known to pass without a mutant. */
  readonly #sound = new Set<number>();
  #pool: Pool | null = null;
  #isStopped = false;

  constructor(options: HuntOptions) {
    this.#options = options;
  }

  /**
   * Runs seed after seed on the mutant, which was compiled to `js`, until one catches it; first of all
   * `hopeful`, which did before.
   */
  async run(mutant: Mutant, js: string, hopeful: number | null = null): Promise<HuntResult> {
    const { from, seeds } = this.#options;
    const startedAtMs = performance.now();
    let found: Failure | null = null;
    if (hopeful !== null && hopeful >= from && hopeful < from + seeds) {
      found = await this.#search(mutant, js, hopeful, hopeful + 1);
    }
    found ??= await this.#search(mutant, js, from, from + seeds);
    return {
      mutant,
      seed: found?.seed ?? null,
      caughtBy: found?.violation ?? '',
      seconds: (performance.now() - startedAtMs) / 1000,
    };
  }

  /** Ends what is running. */
  stop(): void {
    this.#isStopped = true;
    this.#pool?.close();
  }

  /** The first seed from `from` on, below `end`, that fails with the mutant and not without it. */
  async #search(mutant: Mutant, js: string, from: number, end: number): Promise<Failure | null> {
    const { tree, onUnsound } = this.#options;
    let next = from;
    while (next < end && !this.#isStopped) {
      await tree.replace(mutant.file, js);
      const failure = await this.#firstFailure(next, end);
      if (failure === null) return null;
      next = failure.seed + 1;
      if (await this.#isSound(failure.seed)) return failure;
      onUnsound(failure.seed);
    }
    return null;
  }

  async #isSound(seed: number): Promise<boolean> {
    if (this.#sound.has(seed)) return true;
    await this.#options.tree.restore();
    const passes = (await this.#firstFailure(seed, seed + 1)) === null;
    if (passes && !this.#isStopped) this.#sound.add(seed);
    return passes;
  }

  /** The lowest failing seed from `from` on, below `end`. */
  async #firstFailure(from: number, end: number): Promise<Failure | null> {
    const { tree, workers, onSeed } = this.#options;
    let next = from;
    let first: Failure | null = null;
    const give = (): number | null => (first === null && next < end ? next++ : null);
    this.#pool = new Pool(
      give,
      ({ seed, violation }) => {
        onSeed(seed);
        if (violation === null || (first !== null && first.seed < seed)) return;
        first = { seed, violation: violation.split('\n')[0] ?? '' };
      },
      { program: tree.worker, seedMsMax },
    );
    await this.#pool.run(Math.min(workers, end - from));
    this.#pool = null;
    return first;
  }
}

interface Failure {
  readonly seed: number;
  readonly violation: string;
}
