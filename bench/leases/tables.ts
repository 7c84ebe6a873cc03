import { align } from '../table.ts';
import type { Promised, Row } from './summary.ts';

export function resultTable(row: Row): string {
  const head = ['rounds', 'granted s', 'core: leader', 'follower', 'lost', 'early', 'gone s'];
  head.push('put p99 ms: before', 'meanwhile', 'waiting', 'failed');
  const cells = [
    ...[String(row.rounds), row.grantSeconds.toFixed(1)],
    ...[row.leaderCores.toFixed(2), row.followerCores.toFixed(2)],
    ...[String(row.lost), String(row.early), row.goneSeconds.toFixed(2)],
    ...[row.beforeP99Ms.toFixed(1), row.meanwhileP99Ms.toFixed(1)],
    ...[`${Math.round(row.waitShare * 100)} %`, String(row.failures)],
  ];
  return align([head, cells]);
}

export function promiseTable(promises: readonly Promised[]): string {
  const lines = promises.map(({ what, measured, target, met }) => [
    ...[what, measured, target, met ? 'yes' : 'no'],
  ]);
  return align([['promised', 'measured', 'target', 'met'], ...lines]);
}
