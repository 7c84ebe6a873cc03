/** From the trials to their row, and to what is promised of them. */
import { median } from '../statistics.ts';
import type { Trial } from './trial.ts';

const coresMax = 0.5;
const goneSecondsMax = 5;
const p99MsMax = 200;

/** Medians over the rounds. */
export interface Row {
  readonly rounds: number;
  readonly grantSeconds: number;
  readonly leaderCores: number;
  readonly followerCores: number;
  readonly goneSeconds: number;
  readonly beforeP99Ms: number;
  readonly meanwhileP99Ms: number;
  readonly waitShare: number;
  /** Of all rounds. */
  readonly lost: number;
  readonly early: number;
  readonly failures: number;
  readonly leaderChanges: number;
}

export interface Promised {
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

export function rowOf(trials: readonly Trial[]): Row {
  const middle = (figure: (trial: Trial) => number) => median(trials.map(figure));
  const sum = (figure: (trial: Trial) => number) =>
    trials.reduce((total, trial) => total + figure(trial), 0);
  return {
    rounds: trials.length,
    grantSeconds: middle(({ grantSeconds }) => grantSeconds),
    leaderCores: middle(({ leaderCores }) => leaderCores),
    followerCores: middle(({ followerCores }) => followerCores),
    goneSeconds: middle(({ goneSeconds }) => goneSeconds),
    beforeP99Ms: middle(({ before }) => before.p99Ms),
    meanwhileP99Ms: middle(({ meanwhile }) => meanwhile.p99Ms),
    waitShare: middle(({ waitShare }) => waitShare),
    lost: sum(({ lost }) => lost),
    early: sum(({ early }) => early),
    failures: sum(({ before, meanwhile }) => before.failures + meanwhile.failures),
    leaderChanges: trials.filter(({ leaderChanged }) => leaderChanged).length,
  };
}

export function promisesOf(row: Row): Promised[] {
  const most = (what: string, value: number, max: number, digits: number): Promised => ({
    ...{ what, measured: value.toFixed(digits) },
    ...{ target: `< ${max}`, met: value < max },
  });
  const none = (what: string, count: number): Promised => ({
    ...{ what, measured: String(count) },
    ...{ target: '0', met: count === 0 },
  });
  return [
    most('cores of the leader that keeps them', row.leaderCores, coresMax, 2),
    none('leases lost, or gone before their time', row.lost + row.early),
    most('seconds until all are gone', row.goneSeconds, goneSecondsMax, 2),
    most('p99 of puts meanwhile, ms', row.meanwhileP99Ms, p99MsMax, 1),
    none('changes of the leader, failed puts', row.leaderChanges + row.failures),
  ];
}
