/** Our cluster, started as a user starts it: three processes of the shipped program. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endpointStatuses } from '../../src/client/index.ts';
import { freePorts, start } from '../processes.ts';
import { type Cluster, until } from './system.ts';

const names = ['n1', 'n2', 'n3'];
const program = fileURLToPath(new URL('../../../bin/rollcall.js', import.meta.url));
const statusMsMax = 2_000;

export async function startRollcall(directory: string, driver: 'frames' | 'sdk'): Promise<Cluster> {
  const ports = await freePorts(names.length * 2);
  const address = (index: number) => `127.0.0.1:${ports[index]}`;
  const members = names.map((name, index) => `${name}=${address(index * 2 + 1)}`).join(',');
  await mkdir(directory, { recursive: true });
  const processes = names.map((name, index) =>
    start(
      process.execPath,
      [
        ...[program, 'server', '--name', name, '--data-dir', join(directory, name)],
        ...['--client-listen', address(index * 2), '--peer-listen', address(index * 2 + 1)],
        ...['--initial-cluster', members],
      ],
      join(directory, `${name}.log`),
    ),
  );
  const endpoints = names.map((_, index) => address(index * 2));
  const leader = () => until('Rollcall', processes, () => askLeader(endpoints));
  await leader();
  return { name: 'ours', driver, processes, leader };
}

async function askLeader(endpoints: readonly string[]): Promise<string | null> {
  const statuses = await endpointStatuses(endpoints, statusMsMax);
  const leading = statuses.filter(({ status }) => status?.role === 'leader');
  leading.sort((left, right) => (right.status?.term ?? 0) - (left.status?.term ?? 0));
  return leading[0]?.endpoint ?? null;
}
