import { align } from '../table.ts';
import type { Promised, Row } from './summary.ts';

export function resultTable(rows: readonly Row[]): string {
  const head = ['scene', 'watchers', 'puts/s', 'p50 ms', 'p99 ms', 'CPU µs/put', 'events'];
  head.push('delay ms: p50', 'p99', 'latest', 'their CPU', 'MiB max', 'ended');
  const lines = rows.map((row) => [
    ...[row.scene, row.watchers, whole(row.putsPerSecond)],
    ...[row.putP50Ms, row.putP99Ms, row.cpuMicrosPerPut].map((figure) => figure.toFixed(1)),
    whole(row.events),
    ...[row.delayP50Ms, row.delayP99Ms].map((ms) => ms.toFixed(1)),
    ...[whole(row.latestMs), `${whole(row.watchersShare * 100)} %`],
    ...[row.mebibytesMax, row.ended].map(whole),
  ]);
  return align([head, ...lines]);
}

export function promiseTable(promises: readonly Promised[]): string {
  const lines = promises.map(({ scene, what, measured, target, met }) => [
    ...[scene, what, measured, target, met ? 'yes' : 'no'],
  ]);
  return align([['scene', 'promised', 'measured', 'target', 'met'], ...lines]);
}

function whole(number: number): string {
  return Math.round(number).toLocaleString('en');
}
