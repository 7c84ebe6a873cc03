import { align } from '../table.ts';
import type { Promised, Row } from './summary.ts';

export function resultTable(rows: readonly Row[]): string {
  const head = ['sickness', 'rounds', 'p50 ms: well', 'sick', 'p99 ms: well', 'sick', 'times'];
  head.push('stall ms: well', 'sick', 'waiting', 'failed');
  const lines = rows.map((row) => [
    ...[row.sickness, String(row.rounds)],
    ...[row.wellP50Ms, row.sickP50Ms, row.wellP99Ms, row.sickP99Ms].map((ms) => ms.toFixed(1)),
    row.times.toFixed(2),
    ...[row.wellStallMs, row.sickStallMs].map((ms) => ms.toFixed(0)),
    `${Math.round(row.waitShare * 100)} %`,
    row.failures.toLocaleString('en'),
  ]);
  return align([head, ...lines]);
}

export function promiseTable(promises: readonly Promised[]): string {
  const lines = promises.map(({ sickness, what, measured, target, met }) => [
    ...[sickness, what, measured, target, met ? 'yes' : 'no'],
  ]);
  return align([['sickness', 'promised', 'measured', 'target', 'met'], ...lines]);
}
