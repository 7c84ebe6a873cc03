/** `rollcall dev` as a user runs it: real processes, signals and ports. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connect, endpointStatuses } from '../../src/client/index.ts';
import { eventually } from './cluster.ts';
import { Dev, type DevDocument, isAlive, npmStart } from './dev-process.ts';
import { freeBlock } from './ports.ts';

let directory = '';
let port = 0;
let started: Dev[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-dev-'));
  port = await freeBlock();
});
afterEach(async () => {
  // The nodes stop with it, however it ends.
  for (const dev of started) dev.process.kill('SIGKILL');
  started = [];
  await rm(directory, { recursive: true, force: true, maxRetries: 50, retryDelay: 100 });
});

function start(...parameters: string[]): Dev {
  return startBy(undefined, ...parameters);
}

/** Later parameters override these. */
function startBy(command: readonly string[] | undefined, ...parameters: string[]): Dev {
  const given = ['--port', String(port), '--data-dir', join(directory, 'data'), ...parameters];
  const dev = new Dev(given, command);
  started.push(dev);
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
    await running.says(`${leader} is started again`);
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

describe('The directory of rollcall dev', () => {
  test('is not touched while a cluster runs there, whatever another run is told', async () => {
    const { nodes } = await start('--json').document();
    const client = await connect({ endpoints: nodes.map(({ clientAddress }) => clientAddress) });
    try {
      await client.put('kept', 'yes');
      const other = start('--fresh', '--port', String(await freeBlock()));
      expect(await other.exitCode()).toBe(1);
      expect(other.errors).toMatch(
        /^error: dataDirectory: .*data is in use by another `rollcall dev`, pid \d+\n$/,
      );
      expect((await client.get('kept'))?.valueText).toBe('yes');
    } finally {
      await client.close();
    }
    // Its files are there too, and the next run finds them.
    const [first] = started;
    first?.process.kill('SIGTERM');
    expect(await first?.exitCode()).toBe(0);
    const again = start('--json');
    await again.document();
    const reader = await connect({ endpoints: nodes.map(({ clientAddress }) => clientAddress) });
    expect((await reader.get('kept'))?.valueText).toBe('yes');
    await reader.close();
  });

  test('is given to one of two that start at the same time', async () => {
    const pair = [start('--json'), start('--json')];
    const loser = await Promise.race(
      pair.map(async (dev) => {
        expect(await dev.exitCode()).toBe(1);
        return dev;
      }),
    );
    expect(JSON.parse(loser.errors)).toMatchObject({
      error: { code: 'dataDirectory', message: expect.stringContaining('is in use by another') },
    });
    expect(loser.output).toBe('');
    const winner = pair.find((dev) => dev !== loser);
    expect((await winner?.document())?.nodes).toHaveLength(3);
    winner?.process.kill('SIGINT');
    expect(await winner?.exitCode()).toBe(0);
  });

  test('takes a node in anew when its own part was deleted', async () => {
    const first = start('--json');
    const before = await first.document();
    const addresses = before.nodes.map(({ clientAddress }) => clientAddress);
    const statuses = await endpointStatuses(addresses, 1000);
    const oldId = statuses.find(({ status }) => status?.name === 'n2')?.status?.memberId;
    first.process.kill('SIGTERM');
    expect(await first.exitCode()).toBe(0);
    await rm(join(directory, 'data', 'n2'), { recursive: true });
    await start('--json').document();
    const client = await connect({ endpoints: addresses });
    await eventually('n2 to vote again', async () => {
      const { members } = await client.cluster.members();
      return members.some(
        ({ id, name, standing }) => name === 'n2' && id !== oldId && standing === 'voter',
      );
    });
    await client.close();
  });
});

describe('A running rollcall dev', () => {
  test('says who leads, who hangs and who is back', async () => {
    const running = start('--json');
    const { leader, nodes } = await running.document();
    const pid = pidOf(nodes, leader);
    process.kill(pid, 'SIGSTOP');
    const successor = /^n\d leads \(term \d+\)$/m;
    expect(await running.says(successor)).not.toContain(`${leader} leads`);
    await running.says(`${leader} does not answer\n`);
    process.kill(pid, 'SIGCONT');
    await running.says(`${leader} answers again\n`);
    expect(running.errors.split('\n')).toHaveLength(4);
  });

  test('goes on after a hangup when it has no terminal', async () => {
    const running = start('--json');
    const { nodes } = await running.document();
    running.process.kill('SIGHUP');
    process.kill(pidOf(nodes, 'n1'), 'SIGKILL');
    await running.says('n1 is started again');
    expect(running.errors).not.toContain('Stopping');
    running.process.kill('SIGTERM');
    expect(await running.exitCode()).toBe(0);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)('ends when its npm gets %s', async (signal) => {
    const running = startBy(npmStart, '--json');
    const { nodes } = await running.document();
    running.process.kill(signal);
    await running.exitCode();
    await eventually('the end of all nodes', async () => nodes.every(({ pid }) => !isAlive(pid)));
  });
});

function pidOf(nodes: DevDocument['nodes'], wanted: string): number {
  const node = nodes.find(({ name }) => name === wanted);
  if (node === undefined) throw new Error(`No ${wanted} among the nodes`);
  return node.pid;
}
