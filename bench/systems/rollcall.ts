/** Our cluster, started as a user starts it: three processes of the shipped program. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endpointStatuses } from '../../src/client/index.ts';
import { Link } from '../link.ts';
import { freePorts, Server } from '../processes.ts';
import { ElectedCluster, type NodeView } from './system.ts';

const names = ['n1', 'n2', 'n3'];
const program = fileURLToPath(new URL('../../../bin/rollcall.js', import.meta.url));
const statusMsMax = 2_000;

export interface RollcallOptions {
  /** Further ones of `rollcall server`, the same for every node. */
  readonly parameters?: readonly string[];
  /** Whether the nodes reach each other over links, which can be slowed down. */
  readonly areLinked?: boolean;
}

export async function startRollcall(
  directory: string,
  driver: 'frames' | 'sdk',
  { parameters = [], areLinked = false }: RollcallOptions = {},
): Promise<ElectedCluster> {
  const ports = await freePorts(names.length * 2);
  const address = (index: number) => `127.0.0.1:${ports[index]}`;
  const links = await Promise.all(
    names.map((_, index) => (areLinked ? Link.open(ports[index * 2 + 1] as number) : null)),
  );
  const peerAddress = (index: number) => links[index]?.address ?? address(index * 2 + 1);
  const members = names.map((name, index) => `${name}=${peerAddress(index)}`).join(',');
  await mkdir(directory, { recursive: true });
  const nodes = names.map((name, index) => {
    const dataDirectory = join(directory, name);
    const all = [
      ...[program, 'server', '--name', name, '--data-dir', dataDirectory],
      ...['--client-listen', address(index * 2), '--peer-listen', address(index * 2 + 1)],
      ...['--peer-address', peerAddress(index), '--initial-cluster', members, ...parameters],
    ];
    const server = new Server(process.execPath, all, join(directory, `${name}.log`));
    return { endpoint: address(index * 2), dataDirectory, server, link: links[index] ?? null };
  });
  const endpoints = nodes.map(({ endpoint }) => endpoint);
  const cluster = new ElectedCluster('ours', driver, nodes, () => viewsOf(endpoints));
  await cluster.leader();
  return cluster;
}

async function viewsOf(endpoints: readonly string[]): Promise<readonly NodeView[]> {
  const statuses = await endpointStatuses(endpoints, statusMsMax);
  return statuses.flatMap(({ endpoint, status }) =>
    status === null ? [] : [{ endpoint, ...status }],
  );
}
