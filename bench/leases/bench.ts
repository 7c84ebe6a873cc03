/** What it costs to keep very many leases, and to end them all at once: on Rollcall. */
import { join } from 'node:path';
import { connect } from '../../src/client/index.ts';
import { describeMachine, type MachineFacts } from '../machine.ts';
import { startModule } from '../processes.ts';
import { progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import { startRollcall } from '../systems/rollcall.ts';
import { WritersProcess } from '../writers/writers-process.ts';
import type { LeasesSettings } from './settings.ts';
import { type Promised, promisesOf, type Row, rowOf } from './summary.ts';
import { promiseTable, resultTable } from './tables.ts';
import { type Trial, tryLeases } from './trial.ts';

const valueBytes = 256;

interface LeasesResults {
  readonly machine: MachineFacts;
  readonly settings: LeasesSettings;
  readonly row: Row;
  readonly targets: readonly Promised[];
  /** In the order of the rounds. */
  readonly trials: readonly Trial[];
}

export class LeasesBench {
  readonly #settings: LeasesSettings;
  readonly #directory: string;

  constructor(settings: LeasesSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    const trials = await this.#measure();
    progress('');
    const row = rowOf(trials);
    const targets = promisesOf(row);
    process.stdout.write(`\n${resultTable(row)}\n\n${promiseTable(targets)}\n`);
    const results: LeasesResults = {
      ...{ machine: machine.facts, settings: this.#settings },
      ...{ row, targets, trials },
    };
    process.stdout.write(`\nWritten to ${await writeResults('leases', results)}\n`);
  }

  async #measure(): Promise<readonly Trial[]> {
    progress('Starting …');
    const cluster = await startRollcall(join(this.#directory, 'nodes'), 'sdk');
    const { endpoints } = cluster;
    const holders = startModule(new URL('./holders.js', import.meta.url));
    const writers = new WritersProcess(() => {});
    await writers.ask({ type: 'open', endpoints, valueBytes });
    const observer = await connect({ endpoints });
    const trials: Trial[] = [];
    for (let round = 0; round < this.#settings.rounds; round++) {
      trials.push(await tryLeases({ cluster, holders, writers, observer }, this.#settings));
    }
    await observer.close();
    await writers.end();
    return trials;
  }
}
