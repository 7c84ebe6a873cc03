/** One measurement: a load on a running cluster, with what it cost the servers. */
import { converse, cpuMicros, residentMebibytes, startModule } from '../processes.ts';
import { type Cluster, pidsOf } from '../systems/system.ts';
import type { Job, Measurement, MeasurementWindow, Report } from './generator.ts';
import { keySpace, type Load } from './loads.ts';

export interface Trial extends Measurement {
  readonly operationsPerSecond: number;
  /** Processor time of the three servers together, for each operation. */
  readonly serverMicros: number;
  /** Resident memory of each server at the end of the load. */
  readonly residentMebibytes: readonly number[];
}

/** A generator process that takes one job after the other. */
export class Generator {
  readonly #process = startModule(new URL('./generator.js', import.meta.url));

  /** Writes every key once, so that each get finds a value. */
  async fill(cluster: Cluster): Promise<void> {
    const job: Job = {
      driver: cluster.driver,
      endpoint: await cluster.leader(),
      load: { operation: 'put', connections: 10, outstanding: Math.min(50, keySpace / 10) },
      window: null,
    };
    await converse(this.#process, job, () => {});
  }

  async measure(cluster: Cluster, load: Load, window: MeasurementWindow): Promise<Trial> {
    const pids = pidsOf(cluster);
    let cpu = 0;
    let memory: readonly number[] = [];
    let measurement: Measurement | null = null;
    const endpoint = await cluster.leader();
    const job: Job = { driver: cluster.driver, endpoint, load, window };
    await converse(this.#process, job, (report: Report) => {
      if (report.type === 'measuring') cpu = cpuMicros(pids);
      if (report.type !== 'measured') return;
      cpu = cpuMicros(pids) - cpu;
      memory = residentMebibytes(pids);
      measurement = report.measurement;
    });
    return completeTrial(measurement, cpu, memory);
  }
}

function completeTrial(
  measurement: Measurement | null,
  cpu: number,
  memory: readonly number[],
): Trial {
  if (measurement === null) throw new Error('The load generator measured nothing');
  const { operations, failures, firstFailure, elapsedMs } = measurement;
  if (failures > operations / 100) {
    throw new Error(
      `${failures} requests failed, ${operations} did not; the first: ${firstFailure}`,
    );
  }
  return {
    ...measurement,
    operationsPerSecond: operations / (elapsedMs / 1000),
    serverMicros: cpu / Math.max(1, operations),
    residentMebibytes: memory,
  };
}
