/** `npm run mutants`: plants one bug after the other and lets the simulator look for it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { mutants } from '../mutants/all.ts';
import { MutantCompiler } from '../mutants/compiler.ts';
import { Hunt, type HuntResult } from '../mutants/hunt.ts';
import type { Mutant } from '../mutants/mutant.ts';
import { Results } from '../mutants/results.ts';
import { MutantTree } from '../mutants/tree.ts';
import { Progress } from '../progress.ts';
import { run, whole } from './program.ts';

const help = `Usage: npm run mutants -- [options]

Plants single bugs in a copy of the program, one after the other, and runs the simulator on each copy
seed by seed until one fails that does not fail without the bug. The project itself stays as it is.

  --only NAME    this mutant only; may be given several times
  --seeds N      how many seeds each may survive (500)
  --from N       the first of them (1)
  --first LIST   of these the ones to begin with, as in 17,4,230
  --workers N    processes (one for each core)
  --seed N       with one mutant: run this one seed on it, as \`npm run sim\` does
  --trace FILE   with --seed: write what happens, event by event
  --results FILE what earlier hunts found: the seed that caught a mutant is tried first; new results are added
  --markdown     print what --results knows as the table of test/sim/README.md
  --list         say what the mutants are
  --help         this text

Ends with 1 if a mutant survived.`;

const root = fileURLToPath(new URL('../../../../', import.meta.url));

interface Options {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  readonly results: Results;
  readonly first: readonly number[];
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      seeds: { type: 'string' },
      from: { type: 'string' },
      first: { type: 'string' },
      workers: { type: 'string' },
      seed: { type: 'string' },
      trace: { type: 'string' },
      results: { type: 'string' },
      markdown: { type: 'boolean' },
      list: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const wanted = chosen(values.only);
  if (values.list) {
    for (const mutant of wanted) console.log(description(mutant));
    return 0;
  }
  const results = new Results(values.results ?? null);
  if (values.markdown) {
    console.log(results.markdown(wanted));
    return 0;
  }
  if (values.seed !== undefined) {
    const [mutant, ...others] = wanted;
    if (mutant === undefined || others.length > 0) throw new Error('--seed needs one --only');
    return await replay(mutant, whole(values.seed), values.trace ?? null);
  }
  return await huntAll(wanted, {
    from: whole(values.from ?? '1'),
    seeds: whole(values.seeds ?? '500'),
    results,
    first: (values.first?.split(',') ?? []).map(whole),
    workers: values.workers === undefined ? availableParallelism() : whole(values.workers),
  });
}

async function replay(mutant: Mutant, seed: number, trace: string | null): Promise<number> {
  const js = new MutantCompiler(root).compile(mutant);
  const tree = await MutantTree.make(root);
  try {
    await tree.replace(mutant.file, js);
    const parameters = ['--seed', String(seed), ...(trace === null ? [] : ['--trace', trace])];
    const child = spawn(process.execPath, [tree.simulator, ...parameters], { stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    return code ?? 1;
  } finally {
    await tree.remove();
  }
}

function chosen(names: readonly string[] | undefined): readonly Mutant[] {
  if (names === undefined) return mutants;
  return names.map((name) => {
    const mutant = mutants.find((one) => one.name === name);
    if (mutant === undefined) throw new Error(`There is no mutant called ${name}; see --list`);
    return mutant;
  });
}

function description({ name, file, story, shownBy }: Mutant): string {
  const when = shownBy.length === 0 ? 'shows by itself' : `shown by ${shownBy.join(' and ')}`;
  return `${name}\n    ${story}\n    ${file}; ${when}`;
}

async function huntAll(wanted: readonly Mutant[], options: Options): Promise<number> {
  const progress = new Progress(process.stderr, wanted.length);
  // All of them now: what is hunted is of one moment, whatever is edited meanwhile.
  const compiler = new MutantCompiler(root);
  const compiled = wanted.map((mutant) => ({ mutant, js: compiler.compile(mutant) }));
  const tree = await MutantTree.make(root);
  let name = '';
  const hunt = new Hunt({
    ...options,
    tree,
    onSeed: (seed) => progress.show(() => `${name}, seed ${seed}`),
    onUnsound: (seed) =>
      progress.say(`Seed ${seed} fails without ${name}, too, and proves nothing`),
  });
  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
    hunt.stop();
  });
  const results: HuntResult[] = [];
  try {
    for (const { mutant, js } of compiled) {
      name = mutant.name;
      const known = options.results.seedOf(mutant);
      const hopeful = known === null ? options.first : [known, ...options.first];
      const result = await hunt.run(mutant, js, hopeful);
      if (isInterrupted) break;
      results.push(result);
      options.results.add(result);
      progress.say(outcome(result));
      progress.advance(() => name);
    }
  } finally {
    await tree.remove();
    progress.end();
  }
  if (isInterrupted) return 130;
  const survivors = results.filter(({ seed }) => seed === null);
  console.log(`${results.length - survivors.length} of ${results.length} mutants were caught.`);
  for (const { mutant } of survivors) console.log(`Survived: ${mutant.name}`);
  return survivors.length === 0 ? 0 : 1;
}

function outcome({ mutant, seed, caughtBy, seconds }: HuntResult): string {
  const time = `${seconds.toFixed(1)} s`;
  if (seed === null) return `${mutant.name}: survived (${time})`;
  return `${mutant.name}: caught by seed ${seed} (${time}): ${caughtBy}`;
}

run(main);
