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
   * Runs seed after seed on the mutant, which was compiled to `js`, until one catches it; those of them
   * that are `hopeful` come first.
   */
  async run(mutant: Mutant, js: string, hopeful: readonly number[] = []): Promise<HuntResult> {
    const { from, seeds } = this.#options;
    const startedAtMs = performance.now();
    const all = Array.from({ length: seeds }, (_, at) => from + at);
    const first = hopeful.filter((seed) => seed >= from && seed < from + seeds);
    const found = await this.#search(mutant, js, [...new Set([...first, ...all])]);
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

  /** The first of the seeds that fails with the mutant and not without it. */
  async #search(mutant: Mutant, js: string, seeds: readonly number[]): Promise<Failure | null> {
    const { tree, onUnsound } = this.#options;
    let next = 0;
    while (next < seeds.length && !this.#isStopped) {
      await tree.replace(mutant.file, js);
      const failure = await this.#firstFailure(seeds.slice(next));
      if (failure === null) return null;
      next += failure.at + 1;
      if (await this.#isSound(failure.seed)) return failure;
      onUnsound(failure.seed);
    }
    return null;
  }

  async #isSound(seed: number): Promise<boolean> {
    if (this.#sound.has(seed)) return true;
    await this.#options.tree.restore();
    const passes = (await this.#firstFailure([seed])) === null;
    if (passes && !this.#isStopped) this.#sound.add(seed);
    return passes;
  }

  /** The first of the seeds that fails on the tree as it is. */
  async #firstFailure(seeds: readonly number[]): Promise<Failure | null> {
    const { tree, workers, onSeed } = this.#options;
    let next = 0;
    let first: Failure | null = null;
    const give = (): number | null => (first === null ? (seeds[next++] ?? null) : null);
    this.#pool = new Pool(
      give,
      ({ seed, violation }) => {
        onSeed(seed);
        const at = seeds.indexOf(seed);
        if (violation === null || (first !== null && first.at < at)) return;
        first = { at, seed, violation: violation.split('\n')[0] ?? '' };
      },
      { program: tree.worker, seedMsMax },
    );
    await this.#pool.run(Math.min(workers, seeds.length));
    this.#pool = null;
    return first;
  }
}

interface Failure {
  /** Its position among the seeds that were tried. */
  readonly at: number;
  readonly seed: number;
  readonly violation: string;
}
