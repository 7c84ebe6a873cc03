import type { Command } from 'commander';
import { type EndpointStatus, type NodeStatus, RollcallError } from '../client/index.ts';
import { formatDuration } from './duration.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  statuses,
} from './session.ts';
import { renderTable } from './table.ts';

export function statusCommand(run: Run): Command {
  return clientCommand(run, 'status')
    .description(
      'ask every endpoint for its role, term, leader and progress; fails if none answers',
    )
    .addHelpText('after', examples('status', 'status --json', 'status --endpoints 10.0.0.1:4640'))
    .action(async (options: ClientOptions) => {
      const asked = await statuses(options);
      show(run, options, asked.map(statusDocument), statusTable(asked));
      if (asked.some(({ status }) => status !== null)) return;
      const reasons = asked.map(({ error }) => error?.message).join('; ');
      throw new RollcallError('unreachable', `No endpoint answers: ${reasons}`);
    });
}

function statusDocument({ endpoint, status, error }: EndpointStatus): object {
  return {
    name: status?.name ?? null,
    endpoint,
    clusterId: status?.clusterId || null,
    incarnation: status?.incarnation || null,
    role: status === null ? null : roleOf(status),
    term: status?.term ?? null,
    troubles: status?.troubles ?? [],
    leader: status?.leaderName ?? null,
    featureLevel: status?.featureLevel || null,
    featureLevelMax: status?.featureLevelMax || null,
    commitIndex: status?.commitIndex ?? null,
    appliedIndex: status?.appliedIndex ?? null,
    revision: status?.revision ?? null,
    compactRevision: status?.compactRevision ?? null,
    removedRevision: status?.removedRevision ?? null,
    storedBytes: status?.storedBytes ?? null,
    quotaBytes: status?.quotaBytes ?? null,
    historyAgeMs: status?.historyAgeMs ?? null,
    historyRevisions: status?.historyRevisions ?? null,
    digest: status?.digest ?? null,
    error: error?.message ?? null,
  };
}

/** A node that waits for its cluster to begin has no role in it yet. */
export function roleOf({ clusterId, role, standing }: NodeStatus): string {
  if (clusterId === '') return 'unborn';
  return standing === 'removed' || standing === 'learner' ? standing : role;
}

function statusTable(asked: readonly EndpointStatus[]): string {
  const table = renderTable(
    [
      { title: 'node' },
      { title: 'endpoint' },
      { title: 'role' },
      { title: 'term', numeric: true },
      { title: 'leader' },
      { title: 'level' },
      { title: 'commit', numeric: true },
      { title: 'applied', numeric: true },
      { title: 'revision', numeric: true },
    ],
    asked.map(({ endpoint, status }) =>
      status === null
        ? ['', endpoint, 'unreachable', '', '', '', '', '', '']
        : [
            status.name,
            endpoint,
            roleOf(status),
            String(status.term),
            status.leaderName ?? '',
            levelText(status),
            String(status.commitIndex),
            String(status.appliedIndex),
            String(status.revision),
          ],
    ),
  );
  const reasons = [
    ...asked.flatMap(({ error }) => (error === null ? [] : [`${error.message}\n`])),
    ...asked.flatMap(({ status }) => (status === null ? [] : troublesOf(status))),
    ...heldLevel(asked),
    ...history(asked),
    ...identity(asked),
  ];
  return reasons.length === 0 ? table : `${table}\n${reasons.join('')}`;
}

/** Of the leader, whose settings count; of any node without one. */
function history(asked: readonly EndpointStatus[]): string[] {
  const born = asked.flatMap(({ status }) => (status?.clusterId ? [status] : []));
  const told = born.find(({ role }) => role === 'leader') ?? born[0];
  if (told === undefined) return [];
  const { compactRevision, historyAgeMs, historyRevisions, storedBytes, quotaBytes } = told;
  const bounds = [
    ...(historyAgeMs > 0 ? [formatDuration(historyAgeMs)] : []),
    ...(historyRevisions > 0 ? [`${historyRevisions} revisions`] : []),
  ];
  const kept = bounds.length === 0 ? 'for ever' : `for ${bounds.join(' or ')}`;
  const stored = `${(storedBytes / mebi).toFixed(1)} of ${Math.round(quotaBytes / mebi)} MiB`;
  // The empty store has revision 1.
  return [
    `History from revision ${Math.max(1, compactRevision)} on, kept ${kept}; ${stored} stored\n`,
  ];
}

const mebi = 1024 * 1024;

function levelText({ featureLevel, featureLevelMax }: NodeStatus): string {
  if (featureLevelMax === 0) return '';
  return featureLevel < featureLevelMax
    ? `${featureLevel} of ${featureLevelMax}`
    : `${featureLevel}`;
}

/** Why a cluster in the middle of an upgrade is not at the level that its newest nodes know. */
function heldLevel(asked: readonly EndpointStatus[]): string[] {
  const born = asked.flatMap(({ status }) => (status?.clusterId ? [status] : []));
  const newest = Math.max(0, ...born.map(({ featureLevelMax }) => featureLevelMax));
  const older = born.filter(({ featureLevelMax }) => featureLevelMax < newest);
  if (older.length === 0) return [];
  const names = older.map(({ name }) => name).join(', ');
  return [`Feature level ${newest} waits for a newer version of Rollcall on ${names}\n`];
}

function troublesOf({ name, troubles }: NodeStatus): string[] {
  return troubles.map((trouble) => `${name} ${troubleTexts[trouble]}\n`);
}

const troubleTexts: Readonly<Record<NodeStatus['troubles'][number], string>> = {
  noSpace: 'has too little room left on its disk',
  quotaNear: 'has stored most of its quota',
  quotaFull:
    'has stored all of its quota: nothing more is taken until deletions and compaction make room',
  stateMissing: 'makes its state anew and serves nothing until then',
};

/** Endpoints of several clusters in one list: whoever uses it writes now to one, now to the other. */
function identity(asked: readonly EndpointStatus[]): string[] {
  const born = asked.flatMap(({ status }) => (status?.clusterId ? [status] : []));
  const clusters = new Set(born.map(({ clusterId }) => clusterId));
  const incarnations = new Set(born.map(({ incarnation }) => incarnation));
  if (born.length === 0) return [];
  if (clusters.size > 1) {
    return [`These endpoints belong to different clusters: ${[...clusters].join(', ')}\n`];
  }
  if (incarnations.size > 1) {
    const list = [...incarnations].join(', ');
    return [`These endpoints are of different incarnations of one cluster: ${list}\n`];
  }
  return [`Cluster ${[...clusters].join()}, incarnation ${[...incarnations].join()}\n`];
}
