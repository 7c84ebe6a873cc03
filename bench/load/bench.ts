/**
 * The same work on Rollcall, on etcd and on the limit of this machine, side by side.
 *
 * All clusters run the whole time and only one is asked at a time; for each load the systems take
 * turns, in another order every round, so that a slow minute of the machine meets all alike.
 */
import { join } from 'node:path';
import type { DriverName } from '../drivers/driver.ts';
import { describeMachine, type MachineFacts } from '../machine.ts';
import { elapse, progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import {
  type CheckPerf,
  checkPerf,
  type EtcdPrograms,
  findEtcd,
  startEtcd,
} from '../systems/etcd.ts';
import { startLimit } from '../systems/limit.ts';
import { startRollcall } from '../systems/rollcall.ts';
import type { Cluster, ElectedCluster, SystemName } from '../systems/system.ts';
import type { Load } from './loads.ts';
import type { LoadSettings } from './settings.ts';
import { betterOf, type Ratio, type Row, ratioOf, rowOf } from './summary.ts';
import { ratioTable, resultTable } from './tables.ts';
import { Generator, type Trial } from './trial.ts';

const warmUpMs = 1_000;
/** What a system still does after its turn must not cost the next one. */
const settleMs = 300;
/** `etcdctl check perf` writes from many clients at once; it is compared with this load. */
const checkPerfLoad = 'put-500';

interface LoadResults {
  readonly machine: MachineFacts;
  readonly settings: {
    readonly rounds: number;
    readonly seconds: number;
    readonly driver: string;
  };
  readonly rows: readonly Row[];
  readonly ratios: readonly Ratio[];
  readonly checkPerf: CheckPerf | null;
  /** Every single measurement, by load and system. */
  readonly trials: Readonly<Record<string, readonly Trial[]>>;
}

export class LoadBench {
  readonly #settings: LoadSettings;
  readonly #directory: string;
  readonly #clusters: Cluster[] = [];
  readonly #generators = new Map<DriverName, Generator>();
  readonly #trials = new Map<string, Trial[]>();
  #etcd: { readonly programs: EtcdPrograms; readonly cluster: ElectedCluster } | null = null;
  #done = 0;

  constructor(settings: LoadSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    await this.#start();
    for (let round = 0; round < this.#settings.rounds; round++) await this.#runRound(round);
    const perf = await this.#checkPerf();
    progress('');
    const { loads } = this.#settings;
    const rows = loads.flatMap((load) => this.#rows(load, perf));
    const ratios = loads.map((load) => ratioOf(load, rows));
    this.#print(rows, ratios);
    const trials = Object.fromEntries(this.#trials);
    const { rounds, seconds, driver } = this.#settings;
    const settings = { rounds, seconds, driver };
    const results: LoadResults = {
      ...{ machine: machine.facts, settings, rows, ratios, checkPerf: perf, trials },
    };
    const path = await writeResults('load', results);
    process.stdout.write(`\nWritten to ${path}\n`);
  }

  async #start(): Promise<void> {
    for (const system of this.#settings.systems) {
      progress(`Starting ${system} …`);
      const cluster = await this.#startSystem(system);
      if (cluster === null) continue;
      this.#clusters.push(cluster);
      await this.#generator(cluster).fill(cluster);
    }
  }

  async #startSystem(system: SystemName): Promise<Cluster | null> {
    const directory = join(this.#directory, system);
    if (system === 'ours') return startRollcall(directory, this.#settings.driver);
    if (system === 'limit') return startLimit(directory);
    const programs = await findEtcd();
    if (programs === null) return null;
    const cluster = await startEtcd(directory, programs);
    this.#etcd = { programs, cluster };
    return cluster;
  }

  /** One generator for each protocol: what it has been warmed up with stays of one kind. */
  #generator({ driver }: Cluster): Generator {
    const generator = this.#generators.get(driver) ?? new Generator();
    this.#generators.set(driver, generator);
    return generator;
  }

  async #runRound(round: number): Promise<void> {
    const { rounds, loads, seconds } = this.#settings;
    const shift = round % Math.max(1, this.#clusters.length);
    const order = [...this.#clusters.slice(shift), ...this.#clusters.slice(0, shift)];
    for (const load of loads) {
      for (const cluster of order) {
        this.#done++;
        const total = rounds * loads.length * order.length;
        progress(`[${this.#done}/${total}] round ${round + 1}: ${load.name} on ${cluster.name} …`);
        await elapse(settleMs);
        const window = { warmUpMs, measureMs: seconds * 1000 };
        const trial = await this.#generator(cluster).measure(cluster, load, window);
        const name = trialName(load, cluster.name);
        this.#trials.set(name, [...(this.#trials.get(name) ?? []), trial]);
      }
    }
  }

  async #checkPerf(): Promise<CheckPerf | null> {
    const isCompared = this.#settings.loads.some(({ name }) => name === checkPerfLoad);
    if (!this.#settings.isCheckPerfWanted || !isCompared || this.#etcd === null) return null;
    progress('etcdctl check perf --load=xl on etcd (60 s) …');
    return checkPerf(this.#etcd.programs, this.#etcd.cluster);
  }

  #rows(load: Load, perf: CheckPerf | null): Row[] {
    return this.#clusters.map(({ name }) => {
      const row = rowOf(load, name, this.#trials.get(trialName(load, name)) ?? []);
      return name === 'etcd' && load.name === checkPerfLoad && perf !== null
        ? betterOf(row, perf)
        : row;
    });
  }

  #print(rows: readonly Row[], ratios: readonly Ratio[]): void {
    process.stdout.write(`\n${resultTable(rows)}\n`);
    if (ratios.some(({ toEtcd, toLimit }) => toEtcd !== null || toLimit !== null)) {
      process.stdout.write(`\n${ratioTable(ratios)}\n`);
    }
  }
}

function trialName(load: Load, system: SystemName): string {
  return `${load.name} ${system}`;
}
