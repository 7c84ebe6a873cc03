import { align } from '../table.ts';
import type { Measured, Promised } from './summary.ts';

export function measuredTable({ empty, full, fillSeconds, diskMebibytes }: Measured): string {
  const rate = (perSecond: number) => Math.round(perSecond).toLocaleString('en');
  return [
    align([
      ['store', 'puts/s', 'gets/s'],
      ['empty', rate(empty.puts), rate(empty.gets)],
      ['full', rate(full.puts), rate(full.gets)],
    ]),
    `Filled in ${fillSeconds.toFixed(0)} s`,
    `Data directory after each round, MiB: ${diskMebibytes.map((size) => size.toFixed(0)).join(' ')}`,
  ].join('\n');
}

export function promiseTable(promises: readonly Promised[]): string {
  const lines = promises.map(({ what, measured, target, met }) => [
    ...[what, measured, target, met ? 'yes' : 'no'],
  ]);
  return align([['promised', 'measured', 'target', 'met'], ...lines]);
}
