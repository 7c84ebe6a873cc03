import { align } from '../table.ts';
import type { Measurement } from '../writers/writers.ts';
import type { Promised } from './summary.ts';
import type { Trial } from './trial.ts';
import type { WayName } from './ways.ts';

type Phase = 'fill' | 'before' | 'during';

/** A line for each figure, a column for each way. */
export function resultTable(trials: ReadonlyMap<WayName, Trial>): string {
  const line = (what: string, when: string, cell: (trial: Trial) => string) => [
    ...[what, when, ...[...trials.values()].map(cell)],
  ];
  const lines = (what: string, cell: (measurement: Measurement) => string) =>
    (['before', 'during'] as Phase[]).map((phase) =>
      line(what, phase, (trial) => cell(trial[phase])),
    );
  return align([
    ['', '', ...trials.keys()],
    line('received', '', ({ received }) => received),
    line('s', 'to answer', ({ answeredSeconds }) => answeredSeconds.toFixed(1)),
    line('s', 'caught up', ({ seconds }) => seconds.toFixed(1)),
    line('MB/s', '', ({ missedBytes, seconds }) => (missedBytes / 1e6 / seconds).toFixed(1)),
    line('puts/s', 'fill', ({ fill }) => whole(fill.putsPerSecond)),
    ...lines('puts/s', ({ putsPerSecond }) => whole(putsPerSecond)),
    ...lines('p99 ms', ({ p99Ms }) => p99Ms.toFixed(1)),
    ...lines('slowest ms', ({ slowestMs }) => whole(slowestMs)),
    ...lines('stall ms', ({ stallMs }) => whole(stallMs)),
    ...lines('own ms', ({ ownPauseMs }) => whole(ownPauseMs)),
    line('leader MiB', 'before', ({ leader }) => whole(leader.during.ownMebibytes)),
    line('leader MiB', 'more', ({ leader: { during } }) =>
      whole(during.ownMebibytesMax - during.ownMebibytes),
    ),
    line('mapped MiB', 'more', ({ leader: { during } }) =>
      whole(during.mappedMebibytesMax - during.mappedMebibytes),
    ),
    line('waiting', 'before', ({ leader }) => percent(leader.before.waitShare)),
    line('waiting', 'during', ({ leader }) => percent(leader.during.waitShare)),
    line('puts', 'written', ({ acknowledged }) => whole(acknowledged)),
    line('puts', 'failed', ({ failures }) => whole(failures)),
    line('puts', 'lost', ({ lost }) => whole(lost)),
  ]);
}

export function promiseTable(promises: readonly Promised[]): string {
  const lines = promises.map(({ way, what, measured, target, met }) => [
    ...[way, what, measured, target, met ? 'yes' : 'no'],
  ]);
  return align([['way', 'promised', 'measured', 'target', 'met'], ...lines]);
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en');
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
