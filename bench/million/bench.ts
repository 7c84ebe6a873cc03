/** What a million keys with their history cost: memory, the start, the rates of requests, the disk. */
import { join } from 'node:path';
import { describeMachine, type MachineFacts } from '../machine.ts';
import { progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import { LoneNode } from './node.ts';
import type { MillionSettings } from './settings.ts';
import { type Measured, type Promised, promisesOf } from './summary.ts';
import { measuredTable, promiseTable } from './tables.ts';
import { timeRates, writeAll } from './trial.ts';

/** An empty store has these alone. */
const emptyKeys = 1000;

interface MillionResults {
  readonly machine: MachineFacts;
  readonly settings: MillionSettings;
  readonly measured: Measured;
  readonly targets: readonly Promised[];
}

export class MillionBench {
  readonly #settings: MillionSettings;
  readonly #directory: string;

  constructor(settings: MillionSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    const measured = await this.#measure();
    progress('');
    const { keys, versions, valueBytes, seconds, rounds } = this.#settings;
    const settings = { keys, versions, valueBytes, seconds, rounds };
    const targets = promisesOf(measured, settings);
    process.stdout.write(`\n${measuredTable(measured)}\n\n${promiseTable(targets)}\n`);
    const results: MillionResults = { machine: machine.facts, settings, measured, targets };
    process.stdout.write(`\nWritten to ${await writeResults('million', results)}\n`);
  }

  async #measure(): Promise<Measured> {
    const { keys, versions } = this.#settings;
    progress('Timing an empty store …');
    const node = await LoneNode.start(join(this.#directory, 'node'));
    const { client } = node;
    try {
      await timeRates(client, { ...this.#settings, seconds: 3 }, emptyKeys);
      const empty = await timeRates(client, this.#settings, emptyKeys);
      const startMs = performance.now();
      for (let version = 0; version < versions; version++) await this.#write(node, version);
      const fillSeconds = (performance.now() - startMs) / 1000;
      progress('Timing a full store …');
      const full = await timeRates(client, this.#settings, keys);
      const { residentMebibytes } = node;
      progress('Starting it again …');
      const startSeconds = await node.restart();
      await client.get('million/');
      const startedMebibytes = node.residentMebibytes;
      const diskMebibytes = await this.#compact(node);
      return {
        ...{ empty, full, fillSeconds, residentMebibytes, startSeconds, startedMebibytes },
        diskMebibytes,
      };
    } finally {
      await client.close();
    }
  }

  async #compact(node: LoneNode): Promise<number[]> {
    const sizes: number[] = [];
    for (let round = 0; round < this.#settings.rounds; round++) {
      await this.#write(node, this.#settings.versions + round);
      progress(`Compacting, round ${round + 1} …`);
      await node.client.compact(node.client.revision, { physical: true });
      sizes.push(await node.diskMebibytes());
    }
    return sizes;
  }

  #write(node: LoneNode, round: number): Promise<void> {
    return writeAll(node.client, this.#settings, round, (share) =>
      progress(`Writing all keys for the ${round + 1}. time: ${Math.round(share * 100)} % …`),
    );
  }
}
