/** `npm run sim`: many seeds on all cores, or one seed with a trace to read. */

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Pool } from '../pool.ts';
import { Progress } from '../progress.ts';
import { runSeed, type SeedReport } from '../scenario.ts';
import { failureText, freshSeed, Summary } from '../summary.ts';
import { run, whole } from './program.ts';

const help = `Usage: npm run sim -- [options]

Runs whole clusters through faults, each from a seed that decides everything.

  --seeds N      how many seeds to run (1000)
  --from N       the first of them (drawn from the time)
  --seed N       run this one seed only
  --trace FILE   with --seed: write what happens, event by event
  --twice N      run the first N seeds a second time and compare the traces' hashes (200)
  --workers N    processes (one for each core)
  --help         this text

Ends with 1 if a seed failed, if two runs of a seed differed, if the median seed saw too little, or if
1000 seeds or more never took one of the rare paths that are looked for.`;

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly twice: number;
  readonly workers: number;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      from: { type: 'string' },
      seed: { type: 'string' },
      trace: { type: 'string' },
      twice: { type: 'string' },
      workers: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  if (values.seed !== undefined) return await runOne(whole(values.seed), values.trace ?? null);
  const seeds = values.seeds === undefined ? 1000 : whole(values.seeds);
  return await runMany({
    seeds,
    from: values.from === undefined ? freshSeed() : whole(values.from),
    twice: Math.min(seeds, values.twice === undefined ? 200 : whole(values.twice)),
    workers: values.workers === undefined ? availableParallelism() : whole(values.workers),
  });
}

async function runOne(seed: number, path: string | null): Promise<number> {
  const file = path === null ? null : createWriteStream(path);
  const report = await runSeed(seed, file === null ? null : (line) => file.write(`${line}\n`));
  if (file !== null) {
    file.end();
    await once(file, 'finish');
  }
  console.log(JSON.stringify({ ...report, probes: report.probes.length }, null, 2));
  if (report.violation !== null) console.log(`Failed: ${report.violation}`);
  return report.violation === null ? 0 : 1;
}

async function runMany({ seeds, from, twice, workers }: Options): Promise<number> {
  console.log(`Seeds ${from} to ${from + seeds - 1} on ${workers} processes`);
  const summary = new Summary();
  const progress = new Progress(process.stderr, seeds + twice);
  const hashes = new Map<number, string>();
  const differing: number[] = [];
  let given = 0;
  let again = 0;
  const next = (): number | null => {
    if (given < seeds) return from + given++;
    return again < twice ? from + again++ : null;
  };
  const pool = new Pool(next, (report) => {
    const known = hashes.get(report.seed);
    hashes.set(report.seed, report.hash);
    if (known === undefined) see(report, summary, progress);
    else if (known !== report.hash) differing.push(report.seed);
    progress.advance(() => `${summary.rate()}, ${summary.failures.length} failed`);
  });
  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
    pool.close();
  });
  await pool.run(workers);
  progress.end();
  console.log(summary.text());
  if (differing.length > 0) {
    console.log(`Two runs differed: seeds ${differing.join(', ')}`);
  } else if (!isInterrupted && twice > 0) {
    console.log(`${twice} seeds were run twice, each with the same trace both times.`);
  }
  if (isInterrupted) {
    console.log('Interrupted: this is what was done so far.');
    return 130;
  }
  const isWell = summary.failures.length + differing.length + summary.shortcomings().length === 0;
  return isWell ? 0 : 1;
}

function see(report: SeedReport, summary: Summary, progress: Progress): void {
  summary.add(report);
  if (report.violation !== null) progress.say(failureText(report));
}

run(main);
