import { execFile } from 'node:child_process';
import { access, constants, mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, keep, start } from '../processes.ts';
import { type Cluster, until } from './system.ts';

export interface EtcdCluster extends Cluster {
  readonly endpoints: readonly string[];
  readonly etcdctl: string;
}

interface EndpointStatus {
  readonly Endpoint: string;
  readonly Status: { readonly header: { readonly member_id: number }; readonly leader: number };
}

const names = ['e1', 'e2', 'e3'];
const run = promisify(execFile);

/** The path of a program, or null where it is not installed. */
export async function findProgram(name: string): Promise<string | null> {
  const { PATH = '' } = process.env;
  for (const folder of PATH.split(delimiter)) {
    const path = join(folder, name);
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return null;
}

export async function startEtcd(
  directory: string,
  etcd: string,
  etcdctl: string,
): Promise<EtcdCluster> {
  const ports = await freePorts(names.length * 2);
  const url = (index: number) => `http://127.0.0.1:${ports[index]}`;
  const initial = names.map((name, index) => `${name}=${url(index * 2 + 1)}`).join(',');
  await mkdir(directory, { recursive: true });
  const processes = names.map((name, index) =>
    start(
      etcd,
      [
        ...['--name', name, '--data-dir', join(directory, name)],
        ...['--listen-client-urls', url(index * 2), '--advertise-client-urls', url(index * 2)],
        ...['--listen-peer-urls', url(index * 2 + 1)],
        ...['--initial-advertise-peer-urls', url(index * 2 + 1)],
        ...['--initial-cluster', initial, '--initial-cluster-state', 'new'],
        ...['--quota-backend-bytes', String(8 * 1024 ** 3)],
      ],
      join(directory, `${name}.log`),
    ),
  );
  const endpoints = names.map((_, index) => `127.0.0.1:${ports[index * 2]}`);
  const leader = () => until('etcd', processes, () => askLeader(etcdctl, endpoints));
  await leader();
  return { name: 'etcd', driver: 'http2', processes, leader, endpoints, etcdctl };
}

async function askLeader(etcdctl: string, endpoints: readonly string[]): Promise<string | null> {
  const { stdout } = await etcdctlRun(etcdctl, endpoints, ['endpoint', 'status', '-w', 'json']);
  // Member ids exceed what a JSON number holds exactly, alike on both sides of the comparison.
  const statuses = JSON.parse(stdout) as readonly EndpointStatus[];
  if (statuses.length < endpoints.length) return null;
  const leader = statuses.find(
    ({ Status }) => Status.leader !== 0 && Status.leader === Status.header.member_id,
  );
  return leader?.Endpoint ?? null;
}

function etcdctlRun(etcdctl: string, endpoints: readonly string[], parameters: readonly string[]) {
  const env = { ...process.env, ETCDCTL_API: '3' };
  const running = run(etcdctl, [`--endpoints=${endpoints.join(',')}`, ...parameters], { env });
  keep(running.child);
  return running;
}

export interface CheckPerf {
  readonly operationsPerSecond: number;
}

/**
 * etcd's own load test: for 60 s puts of 1 KiB from 1,000 clients, at most 15,000 a second. It exits
 * with an error when its bar is not met, and says the rate all the same.
 */
export async function checkPerf({ etcdctl, endpoints }: EtcdCluster): Promise<CheckPerf | null> {
  const output = await etcdctlRun(etcdctl, endpoints, ['check', 'perf', '--load=xl']).then(
    ({ stdout }) => stdout,
    (error: { readonly stdout?: string }) => error.stdout ?? '',
  );
  const rate = /Throughput (?:is|too low:) (\d+) writes\/s/.exec(output)?.[1];
  return rate === undefined ? null : { operationsPerSecond: Number(rate) };
}
