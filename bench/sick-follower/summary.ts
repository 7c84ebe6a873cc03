/** From the trials to their rows, and to what is promised of them. */
import { median } from '../statistics.ts';
import type { WriteCount } from '../writers/writers.ts';
import type { SicknessName } from './sicknesses.ts';
import type { Trial } from './trial.ts';

const timesMax = 1.5;

/** Medians over the rounds. */
export interface Row {
  readonly sickness: SicknessName;
  readonly rounds: number;
  readonly wellP50Ms: number;
  readonly sickP50Ms: number;
  readonly wellP99Ms: number;
  readonly sickP99Ms: number;
  /** Of the p99 of one round. */
  readonly times: number;
  /** The worst of all rounds. */
  readonly wellStallMs: number;
  readonly sickStallMs: number;
  readonly waitShare: number;
  readonly failures: number;
}

export interface Promised {
  readonly sickness: string;
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

export function rowOf(sickness: SicknessName, trials: readonly Trial[]): Row {
  const middle = (figure: (trial: Trial) => number) => median(trials.map(figure));
  const worst = (figure: (trial: Trial) => number) => Math.max(...trials.map(figure));
  return {
    sickness,
    rounds: trials.length,
    wellP50Ms: middle(({ well }) => well.p50Ms),
    sickP50Ms: middle(({ sick }) => sick.p50Ms),
    wellP99Ms: middle(({ well }) => well.p99Ms),
    sickP99Ms: middle(({ sick }) => sick.p99Ms),
    times: middle(({ well, sick }) => sick.p99Ms / well.p99Ms),
    wellStallMs: worst(({ well }) => well.stallMs),
    sickStallMs: worst(({ sick }) => sick.stallMs),
    waitShare: middle(({ waitShare }) => waitShare.sick),
    failures: trials.reduce((sum, { well, sick }) => sum + well.failures + sick.failures, 0),
  };
}

export function promisesOf(rows: readonly Row[], { lost }: WriteCount): Promised[] {
  const times = rows.map((row) => ({
    ...{ sickness: row.sickness, what: 'p99, times', measured: row.times.toFixed(2) },
    ...{ target: `≤ ${timesMax}`, met: row.times <= timesMax },
  }));
  const kept = { what: 'acknowledged puts lost', measured: String(lost), target: '0' };
  return [...times, { sickness: 'all', ...kept, met: lost === 0 }];
}
