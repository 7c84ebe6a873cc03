/**
 * How long writes stop when the process that leads is killed, stopped or paused: on Rollcall and on
 * etcd. Both clusters run the whole time and only one is written to at a time; in each round the
 * faults follow each other, and for each the systems take turns.
 */
import { join } from 'node:path';
import { describeMachine, type MachineFacts } from '../machine.ts';
import { progress } from '../progress.ts';
import { writeResults } from '../results.ts';
import { findEtcd, startEtcd } from '../systems/etcd.ts';
import { startRollcall } from '../systems/rollcall.ts';
import type { ElectedCluster, SystemName } from '../systems/system.ts';
import type { FaultName } from './faults.ts';
import type { Measurement } from './measurement.ts';
import type { FailoverSettings } from './settings.ts';
import { isMet, type Promised, promisesOf, type Row, rowOf } from './summary.ts';
import { promiseTable, resultTable } from './tables.ts';
import { measureMs, Subject } from './trial.ts';

interface FailoverResults {
  readonly machine: MachineFacts;
  readonly settings: { readonly rounds: number; readonly measureMs: number };
  readonly rows: readonly Row[];
  readonly targets: readonly (Promised & { readonly met: boolean })[];
  /** Every single measurement, by fault and system, in the order of the rounds. */
  readonly measurements: Readonly<Record<string, readonly Measurement[]>>;
}

export class FailoverBench {
  readonly #settings: FailoverSettings;
  readonly #directory: string;
  readonly #subjects: Subject[] = [];
  readonly #measurements = new Map<string, Measurement[]>();
  #done = 0;

  constructor(settings: FailoverSettings, directory: string) {
    this.#settings = settings;
    this.#directory = directory;
  }

  async run(): Promise<void> {
    const machine = await describeMachine(this.#directory);
    for (const line of machine.lines) process.stdout.write(`${line}\n`);
    await this.#start();
    for (let round = 0; round < this.#settings.rounds; round++) await this.#runRound(round);
    const rows = await this.#rows();
    progress('');
    const targets = this.#targets(rows);
    process.stdout.write(`\n${resultTable(rows)}\n`);
    if (targets.length > 0) process.stdout.write(`\n${promiseTable(targets)}\n`);
    const results: FailoverResults = {
      machine: machine.facts,
      settings: { rounds: this.#settings.rounds, measureMs },
      rows,
      targets: targets.map((promised) => ({ ...promised, met: isMet(promised) })),
      measurements: Object.fromEntries(this.#measurements),
    };
    process.stdout.write(`\nWritten to ${await writeResults('failover', results)}\n`);
  }

  async #start(): Promise<void> {
    for (const system of this.#settings.systems) {
      progress(`Starting ${system} …`);
      const cluster = await this.#startSystem(system);
      if (cluster === null) continue;
      const subject = new Subject(cluster);
      await subject.open();
      this.#subjects.push(subject);
    }
  }

  async #startSystem(system: 'ours' | 'etcd'): Promise<ElectedCluster | null> {
    const directory = join(this.#directory, system);
    if (system === 'ours') return startRollcall(directory, 'sdk');
    const programs = await findEtcd();
    return programs === null ? null : startEtcd(directory, programs);
  }

  async #runRound(round: number): Promise<void> {
    const { rounds, faults } = this.#settings;
    const order = round % 2 === 0 ? this.#subjects : this.#subjects.toReversed();
    const total = rounds * faults.length * order.length;
    for (const fault of faults) {
      for (const subject of order) {
        const { name } = subject.cluster;
        const turn = `[${++this.#done}/${total}] round ${round + 1}: ${fault.name} on ${name}`;
        progress(`${turn} …`);
        const measurement = await subject.measure(fault);
        const key = nameOf(fault.name, name);
        this.#measurements.set(key, [...(this.#measurements.get(key) ?? []), measurement]);
        progress(`${turn}: ${measurement.nextWriteMs.toFixed(1)} ms`);
      }
    }
  }

  async #rows(): Promise<Row[]> {
    const rows: Row[] = [];
    for (const subject of this.#subjects) {
      const { name } = subject.cluster;
      progress(`Reading back what ${name} acknowledged …`);
      const counts = await subject.check();
      for (const fault of this.#settings.faults) {
        const measurements = this.#measurements.get(nameOf(fault.name, name)) ?? [];
        rows.push(rowOf(fault.name, name, measurements, counts));
      }
    }
    const order = this.#settings.faults.map(({ name }) => name);
    return rows.sort((left, right) => order.indexOf(left.fault) - order.indexOf(right.fault));
  }

  #targets(rows: readonly Row[]): Promised[] {
    return this.#settings.faults.flatMap((fault) => {
      const row = rows.find(({ fault: name, system }) => name === fault.name && system === 'ours');
      return row === undefined ? [] : promisesOf(fault, row);
    });
  }
}

function nameOf(fault: FaultName, system: SystemName): string {
  return `${fault} ${system}`;
}
