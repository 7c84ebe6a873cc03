/**
 * Stored bytes that are not what was written, in a cluster that is written to all the while: the node
 * sets aside what is bad, gets it from the others, and ends with the same digest as they have. Nothing
 * acknowledged is lost, and nobody has to do anything.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, open, readdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, connect } from '../../src/client/index.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { agreement, Load } from './load.ts';

let cluster: TestCluster;
let client: Client;
let load: Load;

beforeAll(async () => {
  cluster = await TestCluster.start(3, ['--log-window-mib', '1']);
  client = await cluster.connect();
  // No log begins at the beginning any more, so that a lost state has to come from elsewhere.
  const chunk = 'x'.repeat(1_000_000);
  const first = 'wal/0000000000000001.log';
  await eventually('the first segments to be gone', async () => {
    await client.put('filler', chunk);
    const found = cluster.nodes.map((node) => existsSync(join(cluster.dataDirectory(node), first)));
    return !found.includes(true);
  });
  load = new Load(client, 1);
});

afterAll(async () => {
  await client?.close();
  await cluster?.close();
});

async function follower(): Promise<TestNode> {
  const leader = await cluster.leader();
  return cluster.nodes.find((node) => node !== leader) as TestNode;
}

/** All three vote, and have come to the same. */
async function isWhole(): Promise<void> {
  await eventually('three voters that answer', async () => {
    const { members } = await client.cluster.members().catch(() => ({ members: [] }));
    const well = members.filter(({ standing, isReachable }) => standing === 'voter' && isReachable);
    return members.length === 3 && well.length === 3;
  });
  await eventually('all to serve', async () => {
    const answers = await Promise.all(
      cluster.nodes.map(({ clientAddress }) =>
        fetch(`http://${clientAddress}/readyz`).then(
          ({ status }) => status === 200,
          () => false,
        ),
      ),
    );
    return answers.every((isReady) => isReady);
  });
}

async function flip(path: string, from: number, every = Number.POSITIVE_INFINITY): Promise<void> {
  const file = await open(path, 'r+');
  const { size } = await file.stat();
  for (let position = from; position < size; position += every) {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
    buffer.writeUInt8(buffer.readUInt8() ^ 0x10);
    await file.write(buffer, 0, 1, position);
  }
  await file.close();
}

async function filesOf(directory: string, ending: RegExp): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => ending.test(name)).map((name) => join(directory, name));
}

async function stateOf(directory: string): Promise<string> {
  const [number] = await readdir(join(directory, 'state'));
  return join(directory, 'state', number as string);
}

const lastSegment = async (directory: string): Promise<string> =>
  (await filesOf(join(directory, 'wal'), /\.log$/)).sort().at(-1) as string;

/** Each leaves a directory that its node cannot simply go on with. `part` is what is given up. */
const damages: readonly {
  readonly what: string;
  readonly part: 'state' | 'log' | 'identity';
  readonly inflict: (directory: string) => Promise<void>;
}[] = [
  {
    what: 'a state without its entry point',
    part: 'state',
    inflict: async (directory) => rm(join(await stateOf(directory), 'CURRENT')),
  },
  {
    what: 'a state whose manifest is cut short',
    part: 'state',
    inflict: async (directory) => {
      for (const path of await filesOf(await stateOf(directory), /^MANIFEST/)) {
        await truncate(path, Math.floor((await stat(path)).size / 2));
      }
    },
  },
  {
    what: 'no state at all',
    part: 'state',
    inflict: async (directory) => rm(await stateOf(directory), { recursive: true }),
  },
  {
    what: 'a flipped bit in a segment that is done with',
    part: 'log',
    inflict: async (directory) => {
      const [first] = (await filesOf(join(directory, 'wal'), /\.log$/)).sort();
      await flip(first as string, 20_000);
    },
  },
  {
    what: 'a segment that is cut short',
    part: 'log',
    inflict: async (directory) => {
      const [first] = (await filesOf(join(directory, 'wal'), /\.log$/)).sort();
      await truncate(first as string, 8192);
    },
  },
  {
    what: 'a lost newest segment',
    part: 'log',
    inflict: async (directory) => rm(await lastSegment(directory)),
  },
  {
    what: 'no log at all',
    part: 'log',
    inflict: async (directory) => rm(join(directory, 'wal'), { recursive: true }),
  },
  {
    what: 'a lost identity',
    part: 'identity',
    inflict: async (directory) => rm(join(directory, 'identity')),
  },
  {
    what: 'an identity cut short',
    part: 'identity',
    inflict: async (directory) => truncate(join(directory, 'identity'), 5),
  },
];

/** Waits for the line about what was damaged and what becomes of it. */
async function told(node: TestNode, part: string, next: string): Promise<void> {
  await eventually(`${node.name} to tell of its ${part}`, async () => {
    return node.output
      .split('\n')
      .some((line) => line.includes(`The ${part} of node`) && line.includes(next));
  });
}

describe('a stopped node whose directory is damaged', () => {
  for (const { what, part, inflict } of damages) {
    test(`comes back by itself from ${what}`, async () => {
      const victim = await follower();
      const directory = cluster.dataDirectory(victim);
      await load.more(50);
      const { memberId } = await eventually('its id', () => readStatus(victim));
      await cluster.stopNode(victim, 'SIGTERM');
      await inflict(directory);
      await rm(join(directory, 'repaired'), { force: true });
      victim.output = '';
      cluster.startNode(victim);
      await told(victim, part, part === 'state' ? 'made anew' : 'under a new id');
      await load.more(50);
      await isWhole();
      const after = await eventually('its id', () => readStatus(victim));
      expect(after.memberId === memberId).toBe(part === 'state');
      const kept = await readdir(directory);
      expect(kept).toContain('repaired');
      if (part !== 'state') expect(kept).toContain('state.damaged');
      await load.pause(() => agreement(cluster));
    });
  }

  test('by a flipped bit anywhere in the state ends with the digest of the others', async () => {
    const victim = await follower();
    const directory = cluster.dataDirectory(victim);
    await load.more(50);
    await cluster.stopNode(victim);
    for (const path of await filesOf(await stateOf(directory), /\.(log|ldb)$/)) {
      await flip(path, Math.floor((await stat(path)).size / 2));
    }
    await rm(join(directory, 'repaired'), { force: true });
    cluster.startNode(victim);
    await load.more(50);
    await isWhole();
    await load.pause(() => agreement(cluster));
  });

  test('by an older copy of its state or of a segment ends with the digest of the others', async () => {
    const victim = await follower();
    const directory = cluster.dataDirectory(victim);
    const copy = join(cluster.directory, 'copy');
    await cluster.stopNode(victim);
    await cp(directory, copy, { recursive: true });
    cluster.startNode(victim);
    await isWhole();
    for (const part of ['state', 'wal']) {
      await load.more(200);
      await cluster.stopNode(victim, 'SIGTERM');
      if (part === 'state') {
        await rm(join(directory, 'state'), { recursive: true });
        await cp(join(copy, 'state'), join(directory, 'state'), { recursive: true });
      } else {
        const newest = await lastSegment(copy);
        await cp(newest, newest.replace(copy, directory));
      }
      await rm(join(directory, 'repaired'), { force: true });
      cluster.startNode(victim);
      await load.more(50);
      await isWhole();
      await load.pause(() => agreement(cluster));
    }
    await rm(copy, { recursive: true });
  });
});

test('an older copy of a whole directory is noticed by who remembers more', async () => {
  const victim = await follower();
  const directory = cluster.dataDirectory(victim);
  const copy = join(cluster.directory, 'copy');
  const { memberId } = await eventually('its id', () => readStatus(victim));
  await cluster.stopNode(victim, 'SIGTERM');
  await cp(directory, copy, { recursive: true });
  cluster.startNode(victim);
  await isWhole();
  await load.more(200);
  await cluster.stopNode(victim);
  await rm(directory, { recursive: true });
  await rename(copy, directory);
  await rm(join(directory, 'repaired'), { force: true });
  victim.output = '';
  cluster.startNode(victim);
  await told(victim, 'log', 'lacks what this node has acknowledged');
  await isWhole();
  expect((await readStatus(victim))?.memberId).not.toBe(memberId);
  await load.pause(() => agreement(cluster));
});

test('damage that shows while a node runs is repaired without an end of its process', async () => {
  const victim = await follower();
  const directory = cluster.dataDirectory(victim);
  await rm(join(directory, 'repaired'), { force: true });
  // More than fits into the cache of values, so that a node has to read its disk.
  const value = randomBytes(500_000);
  for (let at = 0; at < 100; at++) await client.put(`big/${at}`, value);
  await eventually('the values to be in tables', async () => {
    await client.put('tick', 'x');
    return (await filesOf(await stateOf(directory), /\.ldb$/)).length >= 2;
  });
  const { pid } = victim.process ?? {};
  victim.output = '';
  for (const path of await filesOf(await stateOf(directory), /\.ldb$/)) {
    await flip(path, 1000, 100_000);
  }
  const alone = await connect({
    endpoints: [victim.clientAddress],
    learnEndpoints: false,
    requestTimeoutMs: 60_000,
  });
  // Its own reads find the damage; those of a client do not see it.
  for (let at = 0; at < 100; at++) {
    const pair = await alone.get(`big/${at}`, { serializable: true });
    expect(pair?.value.length).toBe(value.length);
  }
  await alone.close();
  await told(victim, 'state', 'made anew');
  await isWhole();
  expect(victim.process?.pid).toBe(pid);
  await load.pause(() => agreement(cluster));
  // A second time within an hour it has another cause.
  await cluster.stopNode(victim, 'SIGTERM');
  await rm(join(await stateOf(directory), 'CURRENT'));
  victim.output = '';
  const child = cluster.startNode(victim);
  await eventually('its end', async () => child.exitCode !== null);
  expect(child.exitCode).toBe(1);
  expect(victim.output).toMatch(/error: dataDamaged: Damaged again within an hour/);
  await rm(join(directory, 'repaired'));
  cluster.startNode(victim);
  await isWhole();
});

test('nothing acknowledged was lost by all of that', async () => {
  await load.finish(cluster);
});

test('three members that are given up at once wait, and begin no new cluster', async () => {
  const { clusterId } = client;
  await client.close();
  for (const node of cluster.nodes) {
    await cluster.stopNode(node, 'SIGTERM');
    const directory = cluster.dataDirectory(node);
    await rm(join(directory, 'repaired'), { force: true });
    await rename(join(directory, 'identity'), join(directory, 'lost'));
    node.output = '';
  }
  for (const node of cluster.nodes) cluster.startNode(node);
  for (const node of cluster.nodes) {
    await eventually(`${node.name} to wait`, async () => {
      return node.output.includes('an answer from a member of the cluster that it joins');
    });
  }
  const statuses = await Promise.all(cluster.nodes.map(readStatus));
  expect(statuses.map((status) => status?.clusterId)).toEqual(['', '', '']);
  // All of it is still there for people.
  for (const node of cluster.nodes) {
    const directory = cluster.dataDirectory(node);
    await cluster.stopNode(node);
    for (const part of ['state', 'wal', 'identity'])
      await rm(join(directory, part), { recursive: true, force: true });
    for (const part of ['wal', 'state'])
      await rename(join(directory, `${part}.damaged`), join(directory, part));
    await rename(join(directory, 'lost'), join(directory, 'identity'));
    cluster.startNode(node);
  }
  client = await cluster.connect();
  await isWhole();
  expect(client.clusterId).toBe(clusterId);
});
