/** From the trials to what is promised of them. */
import { median } from '../statistics.ts';
import type { Scene } from './scenes.ts';
import type { StalledTrial, Trial } from './trial.ts';

const matchingTimesMax = 1.1;
const crowdDelayMsMax = 100;
const stalledDelayMsMax = 1000;
const stalledTimesMax = 2;
const growthMebibytesMax = 200;

/** A line of figures. */
export interface Row {
  readonly scene: Scene;
  readonly watchers: string;
  readonly putsPerSecond: number;
  readonly putP50Ms: number;
  readonly putP99Ms: number;
  readonly cpuMicrosPerPut: number;
  readonly events: number;
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly latestMs: number;
  readonly watchersShare: number;
  readonly mebibytesMax: number;
  /** Watches that ended. */
  readonly ended: number;
}

export interface Promised {
  readonly scene: Scene;
  readonly what: string;
  readonly measured: string;
  readonly target: string;
  readonly met: boolean;
}

/** Medians over the rounds. */
export function rowOf(scene: Scene, watchers: string, trials: readonly Trial[]): Row {
  const middle = (figure: (trial: Trial) => number) => median(trials.map(figure));
  return {
    ...{ scene, watchers },
    putsPerSecond: middle(({ puts }) => puts.putsPerSecond),
    putP50Ms: middle(({ puts }) => puts.p50Ms),
    putP99Ms: middle(({ puts }) => puts.p99Ms),
    cpuMicrosPerPut: middle(({ cpuMicrosPerPut }) => cpuMicrosPerPut),
    events: middle(({ events }) => events.events),
    delayP50Ms: middle(({ events }) => events.p50Ms),
    delayP99Ms: middle(({ events }) => events.p99Ms),
    latestMs: Math.max(...trials.map(({ events }) => events.latestMs)),
    watchersShare: middle(({ watchersShare }) => watchersShare),
    mebibytesMax: Math.max(...trials.flatMap(({ mebibytes }) => mebibytes)),
    ended: trials.reduce((sum, { events }) => sum + events.ended.length, 0),
  };
}

/** `one` and `many` are of the same rounds. */
export function matchingPromise(one: readonly Trial[], many: readonly Trial[]): Promised {
  const times = median(
    many.map((trial, round) => trial.cpuMicrosPerPut / (one[round] as Trial).cpuMicrosPerPut),
  );
  return {
    ...{ scene: 'matching', what: 'CPU per put, times that with one' },
    ...{ measured: times.toFixed(2), target: `≤ ${matchingTimesMax}` },
    met: times <= matchingTimesMax,
  };
}

export function crowdPromises(scene: Scene, trial: Trial, watches: number): Promised[] {
  const { p99Ms, events } = trial.events;
  const share = events / (trial.puts.puts * watches);
  return [
    {
      ...{ scene, what: 'delay p99 ms', measured: p99Ms.toFixed(1) },
      ...{ target: `≤ ${crowdDelayMsMax}`, met: p99Ms <= crowdDelayMsMax },
    },
    {
      // What is on its way at either end of the span does not count on the other side.
      ...{ scene, what: 'events of all that are due', measured: `${(share * 100).toFixed(1)} %` },
      ...{ target: '≥ 98 %', met: share >= 0.98 },
    },
  ];
}

export function stalledPromises({ alone, beside, complaints }: StalledTrial): Promised[] {
  const scene = 'stalled';
  const { p99Ms } = beside.events;
  const times = beside.puts.p99Ms / alone.puts.p99Ms;
  const growth = Math.max(
    ...beside.mebibytes.map((most, node) => most - (alone.mebibytes[node] as number)),
  );
  return [
    {
      ...{ scene, what: 'delay p99 ms of the others', measured: p99Ms.toFixed(1) },
      ...{ target: `≤ ${stalledDelayMsMax}`, met: p99Ms <= stalledDelayMsMax },
    },
    {
      ...{ scene, what: 'put p99, times that without', measured: times.toFixed(2) },
      ...{ target: `≤ ${stalledTimesMax}`, met: times <= stalledTimesMax },
    },
    {
      ...{ scene, what: 'a node’s growth MiB', measured: growth.toFixed(0) },
      ...{ target: `≤ ${growthMebibytesMax}`, met: growth <= growthMebibytesMax },
    },
    {
      ...{ scene, what: 'stalled watches told less than all', measured: String(complaints.length) },
      ...{ target: '0', met: complaints.length === 0 },
    },
  ];
}
