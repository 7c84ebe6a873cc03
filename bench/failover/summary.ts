/** From the measurements of all rounds to one row for each fault and system, and to the promises. */
import { median, quantile } from '../statistics.ts';
import type { SystemName } from '../systems/system.ts';
import type { Fault, FaultName } from './faults.ts';
import type { Measurement } from './measurement.ts';
import type { WriteCount } from './writer.ts';

interface Spread {
  readonly median: number;
  readonly p90: number;
  readonly worst: number;
}

export interface Row {
  readonly fault: FaultName;
  readonly system: SystemName;
  readonly rounds: number;
  readonly nextWriteMs: Spread;
  readonly gapMs: Spread;
  readonly failures: number;
  readonly acknowledged: number;
  readonly lost: number;
}

/** Something promised of ours. */
export interface Promised {
  readonly fault: FaultName;
  readonly what: string;
  readonly value: number;
  readonly max: number;
}

export function rowOf(
  fault: FaultName,
  system: SystemName,
  measurements: readonly Measurement[],
  counts: readonly WriteCount[],
): Row {
  const count = counts.find((one) => one.fault === fault);
  return {
    ...{ fault, system, rounds: measurements.length },
    nextWriteMs: spreadOf(measurements.map(({ nextWriteMs }) => nextWriteMs)),
    gapMs: spreadOf(measurements.map(({ gapMs }) => gapMs)),
    failures: measurements.reduce((sum, { failures }) => sum + failures, 0),
    acknowledged: count?.acknowledged ?? 0,
    lost: count?.lost ?? 0,
  };
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((left, right) => left - right);
  return { median: median(sorted), p90: quantile(sorted, 0.9), worst: quantile(sorted, 1) };
}

export function promisesOf(fault: Fault, row: Row): Promised[] {
  const { median, worst } = row.nextWriteMs;
  const promised: readonly (readonly [what: string, value: number, max: number | null])[] = [
    ['median ms', median, fault.medianMsMax],
    ['worst ms', worst, fault.worstMsMax],
    ['lost', row.lost, 0],
  ];
  return promised.flatMap(([what, value, max]) =>
    max === null ? [] : [{ fault: fault.name, what, value, max }],
  );
}

export function isMet({ value, max }: Promised): boolean {
  return value <= max;
}
