/** What watchers cost writers and each other, and how late their events are. */
import { join } from 'node:path';
import { describeMachine, type MachineFacts } from '../machine.ts';
import { elapse, progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import { startRollcall } from '../systems/rollcall.ts';
import { WritersProcess } from '../writers/writers-process.ts';
import type { Scene } from './scenes.ts';
import type { WatchSettings } from './settings.ts';
import {
  crowdPromises,
  matchingPromise,
  type Promised,
  type Row,
  rowOf,
  stalledPromises,
} from './summary.ts';
import { promiseTable, resultTable } from './tables.ts';
import { type Bed, type Trial, tryCrowd, tryStalled } from './trial.ts';

interface WatchResults {
  readonly machine: MachineFacts;
  readonly settings: Omit<WatchSettings, 'scenes'>;
  readonly rows: readonly Row[];
  readonly targets: readonly Promised[];
  /** How long it took after a stall to tell everything; null where that was not measured. */
  readonly drainSeconds: number | null;
}

/** Until the processes have compiled what they run often. */
const warmUpMs = 8_000;
const crowdRate = 100;
const crowdWatches = 1000;
const keys = 10_000;

export class WatchBench {
  readonly #settings: WatchSettings;
  readonly #directory: string;
  readonly #rows: Row[] = [];
  readonly #targets: Promised[] = [];
  #drainSeconds: number | null = null;

  constructor(settings: WatchSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    progress('Starting …');
    const cluster = await startRollcall(join(this.#directory, 'nodes'), 'sdk');
    const writers = new WritersProcess(() => {});
    const { rounds, seconds, valueBytes, rate, writes, scenes } = this.#settings;
    await writers.ask({ type: 'open', endpoints: cluster.endpoints, valueBytes });
    await writers.ask({ type: 'begin', rate, keys });
    await elapse(warmUpMs);
    for (const [number, scene] of scenes.entries()) {
      progress(`[${number + 1}/${scenes.length}] ${scene} …`);
      await this.#play(scene, { cluster, writers });
    }
    await writers.end();
    progress('');
    process.stdout.write(`\n${resultTable(this.#rows)}\n\n${promiseTable(this.#targets)}\n`);
    if (this.#drainSeconds !== null) {
      const drained = this.#drainSeconds.toFixed(1);
      process.stdout.write(`\nAfter the stall all that was missed was told in ${drained} s\n`);
    }
    const results: WatchResults = {
      ...{ machine: machine.facts, settings: { rounds, seconds, valueBytes, rate, writes } },
      ...{ rows: this.#rows, targets: this.#targets, drainSeconds: this.#drainSeconds },
    };
    process.stdout.write(`\nWritten to ${await writeResults('watch', results)}\n`);
  }

  async #play(scene: Scene, bed: Bed): Promise<void> {
    const { rate } = this.#settings;
    const isCrowd = scene === 'crowd-20' || scene === 'crowd-1000';
    await bed.writers.ask({ type: 'begin', rate: isCrowd ? crowdRate : rate, keys });
    if (scene === 'matching') await this.#match(bed);
    else if (scene === 'stalled') await this.#stall(bed);
    else await this.#crowd(scene, bed);
  }

  async #match(bed: Bed): Promise<void> {
    const { rounds, seconds } = this.#settings;
    const one: Trial[] = [];
    const many: Trial[] = [];
    for (let round = 0; round < rounds; round++) {
      const lone = { sockets: 1, watches: 1, ownKeys: false };
      one.push(await tryCrowd(bed, lone, seconds * 1000));
      const crowd = { sockets: 20, watches: keys, ownKeys: true };
      many.push(await tryCrowd(bed, crowd, seconds * 1000));
    }
    this.#rows.push(rowOf('matching', 'one', one), rowOf('matching', '10,000', many));
    this.#targets.push(matchingPromise(one, many));
  }

  async #crowd(scene: 'crowd-20' | 'crowd-1000', bed: Bed): Promise<void> {
    const sockets = scene === 'crowd-20' ? 20 : 1000;
    const crowd = { sockets, watches: crowdWatches, ownKeys: false };
    const trial = await tryCrowd(bed, crowd, this.#settings.seconds * 1000);
    this.#rows.push(rowOf(scene, '1,000', [trial]));
    this.#targets.push(...crowdPromises(scene, trial, crowdWatches));
  }

  async #stall(bed: Bed): Promise<void> {
    const { writes, rate } = this.#settings;
    const trial = await tryStalled(bed, (writes / rate) * 1000);
    this.#rows.push(rowOf('stalled', '20 alone', [trial.alone]));
    this.#rows.push(rowOf('stalled', '20 beside', [trial.beside]));
    this.#targets.push(...stalledPromises(trial));
    this.#drainSeconds = trial.drainSeconds;
  }
}
