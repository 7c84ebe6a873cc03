/** What `rollcall dev` is going to start: the nodes of a cluster on this machine, as plain values. */
import { join, resolve } from 'node:path';
import { UsageError } from './usage-error.ts';

export interface PlannedNode {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  /** `host:port` for clients. */
  readonly endpoint: string;
  /** `host:port` for the other nodes. */
  readonly peer: string;
  readonly directory: string;
  readonly logPath: string;
  /** The arguments of `rollcall` that start this node. */
  readonly arguments: readonly string[];
}

export interface PlanOptions {
  readonly nodes: number;
  readonly port: number;
  readonly dataDirectory: string;
}

const sizes: readonly number[] = [1, 3, 5];
const host = '127.0.0.1';
/** Between the client ports of two neighbours; each node's peer port is the one above its client port. */
const portStep = 10;

/** Throws a usage error where the options make no cluster. */
export function planNodes({ nodes, port, dataDirectory }: PlanOptions): readonly PlannedNode[] {
  if (!sizes.includes(nodes)) {
    throw new UsageError(`--nodes must be one of ${sizes.join(', ')}`);
  }
  const portMax = 65_535 - portStep * (nodes - 1) - 1;
  if (!Number.isInteger(port) || port < 1 || port > portMax) {
    throw new UsageError(`--port must be a number from 1 to ${portMax}`);
  }
  const root = resolve(dataDirectory);
  const labels = Array.from({ length: nodes }, (_, index) => ({
    name: `n${index + 1}`,
    clientPort: port + index * portStep,
    peerPort: port + index * portStep + 1,
  }));
  const members = labels.map(({ name, peerPort }) => `${name}=${host}:${peerPort}`).join(',');
  return labels.map(({ name, clientPort, peerPort }) => {
    const directory = join(root, name);
    const endpoint = `${host}:${clientPort}`;
    const peer = `${host}:${peerPort}`;
    return {
      name,
      clientPort,
      peerPort,
      endpoint,
      peer,
      directory,
      logPath: join(root, `${name}.log`),
      arguments: [
        ...['server', '--name', name, '--data-dir', directory],
        ...['--client-listen', endpoint, '--peer-listen', peer, '--initial-cluster', members],
      ],
    };
  });
}
