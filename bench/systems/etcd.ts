import { execFile } from 'node:child_process';
import { access, constants, mkdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts, keep, Server } from '../processes.ts';
import { progress } from '../progress.ts';
import { ElectedCluster, type NodeView } from './system.ts';

/** The paths of its two programs. */
export interface EtcdPrograms {
  readonly etcd: string;
  readonly etcdctl: string;
}

interface EndpointStatus {
  readonly Endpoint: string;
  readonly Status: {
    readonly header: { readonly member_id: number };
    /** Absent or 0 while none is known. */
    readonly leader?: number;
    readonly raftTerm: number;
    readonly raftAppliedIndex: number;
  };
}

const names = ['e1', 'e2', 'e3'];
const run = promisify(execFile);

/** Null, after a line that says how to get them, where they are not installed. */
export async function findEtcd(): Promise<EtcdPrograms | null> {
  const [etcd, etcdctl] = [await findProgram('etcd'), await findProgram('etcdctl')];
  if (etcd !== null && etcdctl !== null) return { etcd, etcdctl };
  progress('');
  process.stdout.write(
    'etcd or etcdctl is not on the PATH, so there is nothing to compare with. On Debian or ' +
      'Ubuntu: apt-get install etcd-server etcd-client\n',
  );
  return null;
}

/** The path of a program, or null where it is not installed. */
async function findProgram(name: string): Promise<string | null> {
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
  { etcd, etcdctl }: EtcdPrograms,
): Promise<ElectedCluster> {
  const ports = await freePorts(names.length * 2);
  const address = (index: number) => `127.0.0.1:${ports[index]}`;
  const url = (index: number) => `http://${address(index)}`;
  const initial = names.map((name, index) => `${name}=${url(index * 2 + 1)}`).join(',');
  await mkdir(directory, { recursive: true });
  const nodes = names.map((name, index) => {
    const dataDirectory = join(directory, name);
    const parameters = [
      ...['--name', name, '--data-dir', dataDirectory],
      ...['--listen-client-urls', url(index * 2), '--advertise-client-urls', url(index * 2)],
      ...['--listen-peer-urls', url(index * 2 + 1)],
      ...['--initial-advertise-peer-urls', url(index * 2 + 1)],
      ...['--initial-cluster', initial, '--initial-cluster-state', 'new'],
      ...['--quota-backend-bytes', String(8 * 1024 ** 3)],
    ];
    const server = new Server(etcd, parameters, join(directory, `${name}.log`));
    return { endpoint: address(index * 2), dataDirectory, server, link: null };
  });
  const endpoints = nodes.map(({ endpoint }) => endpoint);
  const cluster = new ElectedCluster('etcd', 'http2', nodes, () => viewsOf(etcdctl, endpoints));
  await cluster.leader();
  return cluster;
}

async function viewsOf(
  etcdctl: string,
  endpoints: readonly string[],
): Promise<readonly NodeView[]> {
  const { stdout } = await etcdctlRun(etcdctl, endpoints, ['endpoint', 'status', '-w', 'json']);
  // Member ids exceed what a JSON number holds exactly, alike on both sides of the comparison.
  const statuses = JSON.parse(stdout) as readonly EndpointStatus[];
  return statuses.map(({ Endpoint, Status }) => ({
    endpoint: Endpoint,
    memberId: String(Status.header.member_id),
    leaderId: Status.leader ? String(Status.leader) : null,
    term: Status.raftTerm,
    appliedIndex: Status.raftAppliedIndex,
  }));
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
export async function checkPerf(
  { etcdctl }: EtcdPrograms,
  { endpoints }: ElectedCluster,
): Promise<CheckPerf | null> {
  const output = await etcdctlRun(etcdctl, endpoints, ['check', 'perf', '--load=xl']).then(
    ({ stdout }) => stdout,
    (error: { readonly stdout?: string }) => error.stdout ?? '',
  );
  const rate = /Throughput (?:is|too low:) (\d+) writes\/s/.exec(output)?.[1];
  return rate === undefined ? null : { operationsPerSecond: Number(rate) };
}
