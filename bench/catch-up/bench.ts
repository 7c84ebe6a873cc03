/**
 * What it costs the others that a follower, which was away while much was written, catches up: by the
 * log, and by a state.
 */
import { describeMachine, type MachineFacts } from '../machine.ts';
import { progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import type { CatchUpSettings } from './settings.ts';
import { type Promised, promisesOf } from './summary.ts';
import { promiseTable, resultTable } from './tables.ts';
import { type Trial, tryWay } from './trial.ts';
import type { WayName } from './ways.ts';

interface CatchUpResults {
  readonly machine: MachineFacts;
  readonly settings: {
    readonly writes: number;
    readonly valueBytes: number;
    readonly rate: number;
  };
  readonly trials: Readonly<Record<string, Trial>>;
  readonly targets: readonly Promised[];
}

export class CatchUpBench {
  readonly #settings: CatchUpSettings;
  readonly #directory: string;

  constructor(settings: CatchUpSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    const { ways, writes, valueBytes, rate } = this.#settings;
    const trials = new Map<WayName, Trial>();
    const targets: Promised[] = [];
    for (const [number, way] of ways.entries()) {
      const say = (text: string) => progress(`[${number + 1}/${ways.length}] ${way.name}: ${text}`);
      const trial = await tryWay(way, this.#settings, this.#directory, say);
      trials.set(way.name, trial);
      targets.push(...promisesOf(way, trial));
    }
    progress('');
    process.stdout.write(`\n${resultTable(trials)}\n\n${promiseTable(targets)}\n`);
    for (const [way, { leaderChanged }] of trials) {
      if (leaderChanged) process.stdout.write(`\n${way}: another node leads at the end\n`);
    }
    const results: CatchUpResults = {
      ...{ machine: machine.facts, settings: { writes, valueBytes, rate } },
      ...{ trials: Object.fromEntries(trials), targets },
    };
    process.stdout.write(`\nWritten to ${await writeResults('catch-up', results)}\n`);
  }
}
