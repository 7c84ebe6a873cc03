/** `rollcall dev` as a user runs it: real processes, signals and ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { endpointStatuses } from '../../src/client/index.ts';
import { eventually, program } from './cluster.ts';

interface Document {
  readonly leader: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: string;
    readonly clientAddress: string;
    readonly pid: number;
  }[];
}

class Dev {
  readonly process: ChildProcess;
  output = '';
  errors = '';

  constructor(parameters: readonly string[]) {
    const child = spawn(process.execPath, [program, 'dev', ...parameters], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.process = child;
  }

  /** The table that says that the cluster is up. */
  document(): Promise<Document> {
    return eventually('the cluster', async () => {
      if (this.process.exitCode !== null) throw new Error(this.errors);
      return this.output.endsWith('\n') ? (JSON.parse(this.output) as Document) : null;
    });
  }

  async exitCode(): Promise<number | null> {
    if (this.process.exitCode === null) await once(this.process, 'close');
    return this.process.exitCode;
  }
}

let directory = '';
let port = 0;
let dev: Dev | null = null;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-dev-'));
  port = await freeBlock();
});
afterEach(async () => {
  // The nodes stop with it, however it ends.
  dev?.process.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
});

function start(...parameters: string[]): Dev {
  dev = new Dev(['--port', String(port), '--data-dir', join(directory, 'data'), ...parameters]);
  return dev;
}

describe('rollcall dev', () => {
  test('starts three nodes, starts a killed one again, and stops all on a signal', async () => {
    const running = start('--json');
    const { leader, nodes } = await running.document();
    expect(nodes.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3']);
    expect(nodes.filter(({ role }) => role === 'leader').map(({ name }) => name)).toEqual([leader]);

    const victim = nodes.find(({ name }) => name === leader);
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    await eventually('the restart', async () =>
      running.errors.includes(`${leader} is started again`),
    );
    expect(running.errors).toContain(`${leader} ended with SIGKILL`);
    const endpoints = nodes.map(({ clientAddress }) => clientAddress);
    await eventually('all three', async () => {
      const statuses = await endpointStatuses(endpoints, 1000);
      return statuses.every(({ status }) => status !== null);
    });

    running.process.kill('SIGINT');
    expect(await running.exitCode()).toBe(0);
    const statuses = await endpointStatuses(endpoints, 1000);
    expect(statuses.map(({ status }) => status)).toEqual([null, null, null]);
  });

  test('leaves no node behind when it is killed itself', async () => {
    const running = start('--json');
    const { nodes } = await running.document();
    running.process.kill('SIGKILL');
    await eventually('the end of all nodes', async () => nodes.every(({ pid }) => !isAlive(pid)));
  });

  test('names a port that is in use and starts nothing', async () => {
    const server = createServer().listen(port + 11, '127.0.0.1');
    await once(server, 'listening');
    const running = start();
    expect(await running.exitCode()).toBe(1);
    expect(running.errors).toMatch(new RegExp(`^error: addressInUse: Port ${port + 11} .*\n$`));
    server.close();
  });

  test('refuses a number of nodes that makes no good cluster', async () => {
    const running = start('--nodes', '4');
    expect(await running.exitCode()).toBe(2);
    expect(running.errors).toBe('error: usage: --nodes must be one of 1, 3, 5\n');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The first port of a block in which the nodes' ports were free a moment ago. */
function freeBlock(): Promise<number> {
  return eventually('free ports', async () => {
    const first = 20_000 + Math.floor(Math.random() * 20_000);
    const ports = [0, 1, 10, 11, 20, 21].map((offset) => first + offset);
    const free = await Promise.all(ports.map(isFree));
    return free.every(Boolean) && first;
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
