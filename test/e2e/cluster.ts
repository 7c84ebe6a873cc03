/** A cluster of real processes on loopback, for tests that kill and restart them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Client, connect, endpointStatuses, type NodeStatus } from '../../src/client/index.ts';
import { freePorts } from './ports.ts';

export const program = resolve(import.meta.dirname, '../../bin/rollcall.js');

export interface TestNode {
  readonly name: string;
  readonly clientAddress: string;
  readonly peerAddress: string;
  process: ChildProcess | null;
  /** Everything the node has logged, over all its lives. */
  output: string;
}

export class TestCluster {
  readonly nodes: TestNode[];
  readonly directory: string;
  /** Those that the cluster began with; the others were started to join. */
  readonly #initial: readonly TestNode[];
  /** Further options of every node. */
  options: readonly string[] = [];

  private constructor(nodes: readonly TestNode[], directory: string) {
    this.nodes = [...nodes];
    this.#initial = nodes;
    this.directory = directory;
  }

  /** Starts the nodes and waits until one leads. */
  static async start(count = 3, options: readonly string[] = []): Promise<TestCluster> {
    const cluster = await TestCluster.prepare(count);
    cluster.options = options;
    for (const node of cluster.nodes) cluster.startNode(node);
    await cluster.leader();
    return cluster;
  }

  /** Chooses ports and a directory; nothing runs yet. */
  static async prepare(count = 3): Promise<TestCluster> {
    const ports = await freePorts(count * 2);
    const nodes = Array.from({ length: count }, (_, at) => ({
      name: `n${at + 1}`,
      clientAddress: `127.0.0.1:${ports[at * 2]}`,
      peerAddress: `127.0.0.1:${ports[at * 2 + 1]}`,
      process: null,
      output: '',
    }));
    return new TestCluster(nodes, await mkdtemp(join(tmpdir(), 'rollcall-e2e-')));
  }

  get endpoints(): string[] {
    return this.nodes.map((node) => node.clientAddress);
  }

  connect(): Promise<Client> {
    return connect({ endpoints: this.endpoints });
  }

  /** Starts another node, which asks the others to be taken in. */
  async join(name: string): Promise<TestNode> {
    const [client, peer] = await freePorts(2);
    const node: TestNode = {
      name,
      clientAddress: `127.0.0.1:${client}`,
      peerAddress: `127.0.0.1:${peer}`,
      process: null,
      output: '',
    };
    this.nodes.push(node);
    this.startNode(node);
    return node;
  }

  /** Kills the node and removes all it had. */
  async wipeNode(node: TestNode): Promise<void> {
    await this.stopNode(node);
    await rm(this.dataDirectory(node), { recursive: true, force: true });
  }

  /** Forgets a node that was removed from the cluster, and ends it. */
  async dropNode(node: TestNode): Promise<void> {
    await this.stopNode(node);
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  dataDirectory(node: TestNode): string {
    return join(this.directory, node.name);
  }

  startNode(node: TestNode, parameters = this.serverArguments(node)): ChildProcess {
    const child = spawn(process.execPath, [program, ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        node.output += text;
      });
    }
    node.process = child;
    child.once('exit', () => {
      if (node.process === child) node.process = null;
    });
    return child;
  }

  serverArguments(node: TestNode): string[] {
    return [
      ...['server', '--name', node.name, '--data-dir', this.dataDirectory(node)],
      ...['--client-listen', node.clientAddress, '--peer-listen', node.peerAddress],
      ...this.options,
      ...(this.#initial.includes(node)
        ? ['--initial-cluster', this.#initial.map(listed).join(',')]
        : [
            '--join',
            this.nodes
              .filter((other) => other !== node)
              .map(peerOf)
              .join(','),
          ]),
    ];
  }

  /** Sends the signal and waits for the end. */
  async stopNode(node: TestNode, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = node.process;
    if (child === null) return;
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** The node that leads by its own word in the highest term, waiting until there is one. */
  async leader(): Promise<TestNode> {
    return eventually('a leader', async () => {
      const statuses = await Promise.all(
        this.nodes.map(async (node) => ({ node, status: await readStatus(node) })),
      );
      const leaders = statuses
        .filter(({ status }) => status?.role === 'leader')
        .sort((a, b) => (b.status?.term ?? 0) - (a.status?.term ?? 0));
      return leaders[0]?.node ?? null;
    });
  }

  async close(): Promise<void> {
    for (const node of this.nodes) node.process?.kill('SIGCONT');
    await Promise.all(this.nodes.map((node) => this.stopNode(node)));
    await rm(this.directory, { recursive: true, force: true });
  }
}

function listed({ name, peerAddress }: TestNode): string {
  return `${name}=${peerAddress}`;
}

function peerOf({ peerAddress }: TestNode): string {
  return peerAddress;
}

/** What a node says of itself, or null when it does not answer. */
export async function readStatus(node: TestNode): Promise<NodeStatus | null> {
  if (node.process === null) return null;
  const [answer] = await endpointStatuses([node.clientAddress], 1000);
  return answer?.status ?? null;
}

/** Asks again and again until the answer is neither null nor false. The bound only ends a broken run. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | null | false>,
  boundMs = 30_000,
): Promise<T> {
  for (const end = Date.now() + boundMs; Date.now() < end; await delay(20)) {
    const answer = await ask();
    if (answer !== null && answer !== false) return answer;
  }
  throw new Error(`Waited ${boundMs} ms in vain for ${what}`);
}
