/**
 * Disks that run full: what would fill them is refused in time, the rest goes on, and all of it clears by
 * itself. Needs disks of its own, which only root can mount.
 */
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Client, RollcallError } from '../../src/client/index.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { agreement } from './load.ts';
import { runProgram } from './program.ts';

const mebi = 1024 * 1024;
const disks: string[] = [];

/** Whether a disk in memory of this size is there now. */
function mount(directory: string, megabytes: number): boolean {
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory];
  const isMounted = spawnSync('mount', options).status === 0;
  if (isMounted) disks.push(directory);
  return isMounted;
}

const mayMount = await (async (): Promise<boolean> => {
  const probe = join('/tmp', `rollcall-mount-${process.pid}`);
  await mkdir(probe);
  const isPossible = mount(probe, 1);
  for (const disk of disks.splice(0)) spawnSync('umount', [disk]);
  await rm(probe, { recursive: true });
  return isPossible;
})();

let cluster: TestCluster;
let client: Client;

beforeAll(async () => {
  if (!mayMount) return;
  cluster = await TestCluster.prepare();
  cluster.options = ['--log-window-mib', '1'];
  for (const node of cluster.nodes) {
    await mkdir(cluster.dataDirectory(node));
    mount(cluster.dataDirectory(node), 160);
    cluster.startNode(node);
  }
  await cluster.leader();
  client = await cluster.connect();
  await client.put('old', 'x');
});

afterAll(async () => {
  await client?.close();
  for (const node of cluster?.nodes ?? []) await cluster.stopNode(node);
  for (const disk of disks) spawnSync('umount', ['-l', disk]);
  await cluster?.close();
});

/** Leaves so much room on the node's disk. */
async function fill(node: TestNode, bytesLeft: number): Promise<void> {
  const directory = cluster.dataDirectory(node);
  const { bavail, bsize } = await statfs(directory);
  const bytes = Math.max(0, bavail * bsize - bytesLeft);
  await writeFile(join(directory, 'filler'), Buffer.alloc(bytes, 1)).catch((error) => {
    if (bytesLeft > 0) throw error;
  });
}

async function clear(node: TestNode): Promise<void> {
  await rm(join(cluster.dataDirectory(node), 'filler'), { force: true });
}

async function isShort(node: TestNode, short: boolean): Promise<void> {
  await eventually(`${node.name} to be ${short ? '' : 'no longer '}short`, async () => {
    const { troubles } = (await readStatus(node)) ?? {};
    return troubles?.includes('noSpace') === short;
  });
}

async function refusal(write: Promise<unknown>): Promise<string | null> {
  const error = await write.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  return error instanceof RollcallError ? error.code : null;
}

async function untilRefused(refused: boolean): Promise<void> {
  await eventually(refused ? 'puts to be refused' : 'puts to be taken', async () => {
    return ((await refusal(client.put('k', 'v'))) === 'noSpace') === refused;
  });
}

test.skipIf(!mayMount)(
  'a leader that is short refuses puts, takes the rest, and recovers',
  async () => {
    const leader = await cluster.leader();
    await fill(leader, 32 * mebi);
    await untilRefused(true);
    await isShort(leader, true);
    expect(leader.output).toContain('less room than its reserve');
    expect(await refusal(client.delete('old'))).toBeNull();
    expect(await refusal(client.leases.grant({ ttlMs: 10_000 }))).toBe('noSpace');
    expect((await client.get('old', {}))?.valueText).toBeUndefined();
    await clear(leader);
    await untilRefused(false);
    await isShort(leader, false);
  },
);

test.skipIf(!mayMount)(
  'one follower without any room costs nobody anything, two stop the puts',
  async () => {
    const leader = await cluster.leader();
    const [first, second] = cluster.nodes.filter((node) => node !== leader) as [TestNode, TestNode];
    await fill(first, 0);
    await isShort(first, true);
    // More than what its log has prepared room for.
    const value = Buffer.alloc(500_000, 1);
    for (let at = 0; at < 12; at++) await client.put(`big/${at}`, value);
    await fill(second, 32 * mebi);
    await untilRefused(true);
    expect(await refusal(client.delete('big/0'))).toBeNull();
    await clear(second);
    await untilRefused(false);
    await clear(first);
    await isShort(first, false);
    await agreement(cluster);
    for (const node of cluster.nodes) expect(node.process?.exitCode).toBeNull();
  },
);

test.skipIf(!mayMount)(
  'a backup that does not fit on a disk of the client leaves none',
  async () => {
    const disk = join(cluster.directory, 'disk');
    await mkdir(disk);
    mount(disk, 1);
    const value = Buffer.alloc(500_000, 1);
    for (let at = 0; at < 4; at++) await client.put(`large/${at}`, value);
    const file = join(disk, 'backup');
    const endpoints = ['--endpoints', cluster.endpoints.join(',')];
    expect(await runProgram(['snapshot', 'save', file, ...endpoints])).toMatchObject({
      code: 2,
      errors: `error: invalidArgument: ${file} cannot be written: no space left on device\n`,
    });
    expect(await readdir(disk)).toEqual([]);
  },
);
