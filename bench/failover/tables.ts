import { align } from '../table.ts';
import { isMet, type Promised, type Row } from './summary.ts';

export function resultTable(rows: readonly Row[]): string {
  const head = ['fault', 'system', 'rounds', 'next ms: median', 'p90', 'worst'];
  head.push('gap ms: median', 'p90', 'worst', 'failed', 'written', 'lost');
  const lines = rows.map(({ nextWriteMs, gapMs, ...row }) => [
    row.fault,
    row.system,
    String(row.rounds),
    ...[nextWriteMs.median, nextWriteMs.p90, nextWriteMs.worst].map(figure),
    ...[gapMs.median, gapMs.p90, gapMs.worst].map(figure),
    row.failures.toLocaleString('en'),
    row.acknowledged.toLocaleString('en'),
    row.lost.toLocaleString('en'),
  ]);
  return align([head, ...lines]);
}

export function promiseTable(promises: readonly Promised[]): string {
  const lines = promises.map((promised) => [
    promised.fault,
    promised.what,
    promised.what === 'lost' ? String(promised.value) : figure(promised.value),
    promised.max === 0 ? '0' : `≤ ${promised.max.toLocaleString('en')}`,
    isMet(promised) ? 'yes' : 'no',
  ]);
  return align([['fault', 'of ours', 'measured', 'target', 'met'], ...lines]);
}

/** Short times with a decimal: a few milliseconds are what one of the targets is about. */
function figure(ms: number): string {
  return ms < 100 ? ms.toFixed(1) : Math.round(ms).toLocaleString('en');
}
