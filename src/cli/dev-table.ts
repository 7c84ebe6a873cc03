/** Where everything is, and what to try first. */
import { relative } from 'node:path';
import type { NodeStatus } from '../wire/results.ts';
import type { PlannedNode } from './dev-plan.ts';
import { defaultEndpoints } from './session.ts';
import { roleOf } from './status.ts';
import { renderTable } from './table.ts';

/** A node, and what it says of itself. */
export interface NodeView {
  readonly plan: PlannedNode;
  readonly pid: number | null;
  readonly status: NodeStatus | null;
}

/** The node that leads by its own word in the highest term. */
export function leaderOf(views: readonly NodeView[]): NodeView | null {
  const leading = views.filter(({ status }) => status?.role === 'leader');
  leading.sort((left, right) => (right.status?.term ?? 0) - (left.status?.term ?? 0));
  return leading[0] ?? null;
}

/** Whether the node waits for a cluster to take it in, as one does whose directory was deleted. */
export function isUnborn(status: NodeStatus | null): boolean {
  return status?.clusterId === '';
}

export function unbornNote({ name, logPath }: PlannedNode): string {
  return `${name} is unborn: it started with an empty directory and has no part in the cluster; log: ${logPath}`;
}

export function devText(views: readonly NodeView[]): string {
  const columns = [
    { title: 'node' },
    { title: 'role' },
    { title: 'endpoint' },
    { title: 'pid', numeric: true },
    { title: 'log' },
  ];
  const rows = views.map(({ plan, pid, status }) => [
    plan.name,
    status === null ? '' : roleOf(status),
    plan.endpoint,
    String(pid ?? ''),
    relative('', plan.logPath),
  ]);
  const unborn = views.filter(({ status }) => isUnborn(status));
  const notes = unborn.map(({ plan }) => `${unbornNote(plan)}\n`).join('');
  return `${renderTable(columns, rows)}${notes}\n${hints(views)}\n`;
}

function hints(views: readonly NodeView[]): string {
  const endpoints = views.map(({ plan }) => plan.endpoint).join(',');
  const isDefault = endpoints === defaultEndpoints.join(',');
  return [
    'Try in another terminal:',
    ...(isDefault ? [] : [`  export ROLLCALL_ENDPOINTS=${endpoints}`]),
    '  npx rollcall status',
    '  npx rollcall put greeting hello',
    '  npx rollcall get greeting',
    '  npx rollcall --help',
    `  kill -9 ${leaderOf(views)?.pid ?? 'PID'}    (the leader: another one takes over, and it is started again)`,
    '',
    'Ctrl-C stops all nodes.',
  ].join('\n');
}

/** The same as one document for programs. */
export function devDocument(views: readonly NodeView[]): object {
  const nodes = views.map(({ plan, pid, status }) => ({
    name: plan.name,
    role: status === null ? null : roleOf(status),
    clientAddress: plan.endpoint,
    peerAddress: plan.peer,
    pid,
    dataDirectory: plan.directory,
    log: plan.logPath,
  }));
  return { leader: leaderOf(views)?.plan.name ?? null, nodes };
}
