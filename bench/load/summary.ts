/** From the trials of all rounds to one row for each load and system, and to the promised ratios. */

import { median, spread } from '../statistics.ts';
import type { CheckPerf } from '../systems/etcd.ts';
import type { SystemName } from '../systems/system.ts';
import type { Load } from './loads.ts';
import type { Trial } from './trial.ts';

export interface Row {
  readonly load: string;
  readonly system: SystemName;
  /** What drove the load at this rate: `etcdctl` where etcd's own load test was faster. */
  readonly source: 'generator' | 'etcdctl';
  readonly operationsPerSecond: number;
  /** (highest − lowest) / median of the rounds; null with fewer than two rounds. */
  readonly spread: number | null;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly serverMicros: number;
  readonly generatorMicros: number;
  /** Of the largest of the three servers. */
  readonly residentMebibytesMax: number;
  readonly failures: number;
}

export interface Ratio {
  readonly load: string;
  readonly toEtcd: number | null;
  readonly toEtcdMin: number | null;
  readonly toLimit: number | null;
  readonly toLimitMin: number | null;
}

export function rowOf(load: Load, system: SystemName, trials: readonly Trial[]): Row {
  const middle = (pick: (trial: Trial) => number) => median(trials.map(pick));
  return {
    load: load.name,
    system,
    source: 'generator',
    operationsPerSecond: middle((trial) => trial.operationsPerSecond),
    spread: spread(trials.map((trial) => trial.operationsPerSecond)),
    p50Ms: middle((trial) => trial.p50Ms),
    p99Ms: middle((trial) => trial.p99Ms),
    serverMicros: middle((trial) => trial.serverMicros),
    generatorMicros: middle((trial) => trial.generatorMicros),
    residentMebibytesMax: Math.max(...trials.flatMap((trial) => trial.residentMebibytes)),
    failures: trials.reduce((sum, trial) => sum + trial.failures, 0),
  };
}

/** etcd's better figure counts, whoever drove it. */
export function betterOf(row: Row, checkPerf: CheckPerf): Row {
  if (checkPerf.operationsPerSecond <= row.operationsPerSecond) return row;
  const { operationsPerSecond } = checkPerf;
  return { ...row, source: 'etcdctl', operationsPerSecond, spread: null, p50Ms: null, p99Ms: null };
}

export function ratioOf(load: Load, rows: readonly Row[]): Ratio {
  const rate = (system: SystemName) =>
    rows.find((row) => row.load === load.name && row.system === system)?.operationsPerSecond;
  const to = (system: SystemName) => {
    const [ours, theirs] = [rate('ours'), rate(system)];
    return ours === undefined || !theirs ? null : ours / theirs;
  };
  return {
    load: load.name,
    toEtcd: to('etcd'),
    toEtcdMin: load.etcdRatioMin,
    toLimit: to('limit'),
    toLimitMin: load.limitRatioMin,
  };
}
