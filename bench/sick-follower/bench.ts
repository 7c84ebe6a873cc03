/** What it costs writers that a follower is sick: on Rollcall, beside the same cluster when it is well. */
import { join } from 'node:path';
import { describeMachine, type MachineFacts } from '../machine.ts';
import { elapse, progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import { Follower } from '../systems/follower.ts';
import { startRollcall } from '../systems/rollcall.ts';
import type { WriteCount } from '../writers/writers.ts';
import { WritersProcess } from '../writers/writers-process.ts';
import type { SickFollowerSettings } from './settings.ts';
import type { SicknessName } from './sicknesses.ts';
import { type Promised, promisesOf, type Row, rowOf } from './summary.ts';
import { promiseTable, resultTable } from './tables.ts';
import { type Trial, trySickness } from './trial.ts';

/** Until the processes have compiled what they run often. */
const warmUpMs = 8_000;

interface SickFollowerResults {
  readonly machine: MachineFacts;
  readonly settings: {
    readonly rounds: number;
    readonly seconds: number;
    readonly valueBytes: number;
    readonly rate: number;
  };
  readonly rows: readonly Row[];
  readonly targets: readonly Promised[];
  /** In the order of the rounds. */
  readonly trials: Readonly<Record<string, readonly Trial[]>>;
}

export class SickFollowerBench {
  readonly #settings: SickFollowerSettings;
  readonly #directory: string;
  readonly #trials = new Map<SicknessName, Trial[]>();

  constructor(settings: SickFollowerSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    const count = await this.#measure();
    progress('');
    const rows = [...this.#trials].map(([sickness, trials]) => rowOf(sickness, trials));
    const targets = promisesOf(rows, count);
    process.stdout.write(`\n${resultTable(rows)}\n\n${promiseTable(targets)}\n`);
    const { rounds, seconds, valueBytes, rate } = this.#settings;
    const results: SickFollowerResults = {
      ...{ machine: machine.facts, settings: { rounds, seconds, valueBytes, rate } },
      ...{ rows, targets, trials: Object.fromEntries(this.#trials) },
    };
    process.stdout.write(`\nWritten to ${await writeResults('sick-follower', results)}\n`);
  }

  async #measure(): Promise<WriteCount> {
    const { rounds, seconds, valueBytes, rate, sicknesses } = this.#settings;
    progress('Starting …');
    const cluster = await startRollcall(join(this.#directory, 'nodes'), 'sdk', { areLinked: true });
    const writers = new WritersProcess(() => {});
    await writers.ask({ type: 'open', endpoints: cluster.endpoints, valueBytes });
    await writers.ask({ type: 'begin', rate });
    await elapse(warmUpMs);
    for (let round = 0; round < rounds; round++) {
      for (const [number, sickness] of sicknesses.entries()) {
        const done = round * sicknesses.length + number + 1;
        const turn = `[${done}/${rounds * sicknesses.length}] ${sickness.name}`;
        progress(`${turn} …`);
        const follower = new Follower(cluster, await cluster.leader());
        const trial = await trySickness(sickness, follower, writers, seconds * 1000);
        this.#trials.set(sickness.name, [...(this.#trials.get(sickness.name) ?? []), trial]);
        const [well, sick] = [trial.well, trial.sick].map(({ p99Ms }) => p99Ms.toFixed(1));
        progress(`${turn}: p99 ${well} ms well, ${sick} ms sick`);
      }
    }
    progress('Reading back what was acknowledged …');
    const count = await writers.check();
    await writers.end();
    return count;
  }
}
