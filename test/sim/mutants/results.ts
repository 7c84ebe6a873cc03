import { readFileSync, writeFileSync } from 'node:fs';
import type { HuntResult } from './hunt.ts';
import type { Mutant } from './mutant.ts';

interface Known {
  /** Null: it survived. */
  readonly seed: number | null;
  readonly caughtBy: string;
}

const caughtByLengthMax = 110;

/** What earlier hunts have found, in a file, so that an interrupted one goes on where it was. */
export class Results {
  readonly #path: string | null;
  readonly #known: Map<string, Known>;

  /** Without a path nothing is remembered. */
  constructor(path: string | null) {
    this.#path = path;
    this.#known = new Map(path === null ? [] : read(path));
  }

  /** The seed that caught it last; null if none is known. */
  seedOf({ name }: Mutant): number | null {
    return this.#known.get(name)?.seed ?? null;
  }

  add({ mutant, seed, caughtBy }: HuntResult): void {
    this.#known.set(mutant.name, { seed, caughtBy });
    if (this.#path === null) return;
    writeFileSync(this.#path, `${JSON.stringify([...this.#known], null, 1)}\n`);
  }

  /** As a table of Markdown, in the order of the mutants. */
  markdown(mutants: readonly Mutant[]): string {
    const rows = mutants.map((mutant) => {
      const known = this.#known.get(mutant.name);
      const seed = known === undefined ? 'open' : (known.seed ?? 'survived');
      return [`\`${mutant.name}\``, mutant.story, mutant.shownBy.join(', '), seed, excerpt(known)];
    });
    const header = [
      ['Mutant', 'What is wrong', 'Shown by', 'Seed', 'Caught by'],
      ['---', '---', '---', '--:', '---'],
    ];
    return [...header, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
  }
}

function read(path: string): readonly (readonly [string, Known])[] {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as (readonly [string, Known])[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function excerpt(known: Known | undefined): string {
  const text = (known?.caughtBy ?? '').replaceAll('|', '¦');
  return text.length <= caughtByLengthMax ? text : `${text.slice(0, caughtByLengthMax)} …`;
}
