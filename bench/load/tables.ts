import { align } from '../table.ts';
import type { Ratio, Row } from './summary.ts';

export function resultTable(rows: readonly Row[]): string {
  const head = ['load', 'system', 'ops/s', 'spread', 'p50 ms', 'p99 ms', 'CPU µs/op', 'MiB max'];
  const lines = rows.map((row) => [
    row.load,
    row.source === 'etcdctl' ? `${row.system} *` : row.system,
    Math.round(row.operationsPerSecond).toLocaleString('en'),
    row.spread === null ? '–' : `${Math.round(row.spread * 100)} %`,
    row.p50Ms?.toFixed(2) ?? '–',
    row.p99Ms?.toFixed(2) ?? '–',
    row.serverMicros.toFixed(1),
    row.residentMebibytesMax.toFixed(0),
  ]);
  const note = rows.some(({ source }) => source === 'etcdctl')
    ? '\n* by `etcdctl check perf --load=xl`, which was faster (1 KiB values, 1,000 clients)'
    : '';
  return align([head, ...lines]) + note;
}

export function ratioTable(ratios: readonly Ratio[]): string {
  const lines = ratios.map(({ load, toEtcd, toEtcdMin, toLimit, toLimitMin }) => [
    load,
    '',
    ...ratioCells(toEtcd, toEtcdMin),
    ...ratioCells(toLimit, toLimitMin),
  ]);
  return align([
    ['load', '', 'ours/etcd', 'target', 'met', 'ours/limit', 'target', 'met'],
    ...lines,
  ]);
}

function ratioCells(ratio: number | null, min: number | null): string[] {
  const target = min === null ? '–' : `≥ ${min}`;
  if (ratio === null) return ['–', target, '–'];
  return [ratio.toFixed(2), target, min === null ? '–' : ratio >= min ? 'yes' : 'no'];
}
