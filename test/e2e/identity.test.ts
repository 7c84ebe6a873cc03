/**
 * Who may be a member, and what a node does that finds its directory foreign, taken, lost or damaged:
 * it says so in one line and ends, or waits; the other two go on as if nothing had happened.
 */
import { once } from 'node:events';
import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, connect, RollcallError } from '../../src/client/index.ts';
import { eventually, readStatus, TestCluster, type TestNode } from './cluster.ts';
import { type Ending, Program, runProgram } from './program.ts';

let cluster: TestCluster;
/** Ports and a directory that no node uses. */
let spare: TestCluster;
let client: Client;
/** The node that things happen to; never the leader of the moment. */
let victim: TestNode;
let others: readonly TestNode[];
let writes = 0;

beforeAll(async () => {
  spare = await TestCluster.prepare(1);
  cluster = await TestCluster.start();
  client = await cluster.connect();
  const leader = await cluster.leader();
  const [first, ...rest] = cluster.nodes.filter((node) => node !== leader);
  if (first === undefined) throw new Error('There is no follower');
  victim = first;
  others = [leader, ...rest];
  // The log goes on into its second segment, so that there is one that is done with.
  const chunk = 'x'.repeat(1_000_000);
  for (let at = 0; at < 6; at++) await client.put(`filler/${at}`, chunk);
});

afterAll(async () => {
  await client?.close();
  await spare?.close();
  await cluster?.close();
});

beforeEach(async () => {
  await client.put('alive', String(++writes));
});

/** What the node's address says over plain HTTP. */
async function ask(node: TestNode, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${node.clientAddress}${path}`);
  return { status: response.status, text: await response.text() };
}

async function isBack(node: TestNode): Promise<void> {
  await eventually(`${node.name} to have caught up`, async () => {
    const status = await readStatus(node);
    return status !== null && status.revision >= client.revision && status.leaderName !== null;
  });
}

/** Reads from what this one node has, and the cluster's newest write has to be there. */
async function holdsAll(node: TestNode): Promise<void> {
  await isBack(node);
  const alone = await connect({ endpoints: [node.clientAddress], learnEndpoints: false });
  expect((await alone.get('alive', { serializable: true }))?.valueText).toBe(String(writes));
  await alone.close();
}

/** Starts the server with other arguments than the cluster's own, and waits for its end. */
function serve(changes: Readonly<Record<string, string>>): Promise<Ending> {
  const [node] = spare.nodes as [TestNode];
  const settings = {
    name: victim.name,
    'data-dir': cluster.dataDirectory(victim),
    'client-listen': node.clientAddress,
    'peer-listen': node.peerAddress,
    'initial-cluster': `${victim.name}=${node.peerAddress},${others
      .map(({ name, peerAddress }) => `${name}=${peerAddress}`)
      .join(',')}`,
    ...changes,
  };
  return runProgram([
    'server',
    ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
  ]);
}

async function refusal(changes: Readonly<Record<string, string>>, exitCode = 1): Promise<string> {
  const { code, errors } = await serve(changes);
  expect(code).toBe(exitCode);
  expect(errors).toMatch(/^error: \w+: .*\n$/);
  return errors;
}

describe('a node that may not start', () => {
  test('as another process has its directory', async () => {
    const { pid } = victim.process ?? {};
    expect(await refusal({})).toBe(
      `error: dataDirectory: The data directory ${cluster.dataDirectory(victim)} ` +
        `is in use by another process, pid ${pid}\n`,
    );
    expect(await refusal({ 'client-listen': victim.clientAddress })).toContain('in use by another');
  });

  test('as its ports are taken', async () => {
    const fresh = join(spare.directory, 'ports');
    for (const [option, address] of [
      ['client-listen', victim.clientAddress],
      ['peer-listen', victim.peerAddress],
    ] as const) {
      expect(await refusal({ 'data-dir': fresh, [option]: address })).toBe(
        `error: addressInUse: Another process listens on ${address}\n`,
      );
    }
  });

  test('as its directory is none, or may not be written', async () => {
    const file = join(spare.directory, 'file');
    await writeFile(file, 'not a directory');
    expect(await refusal({ 'data-dir': file })).toContain(`dataDirectory: Cannot use the data`);
    expect(await refusal({ 'data-dir': join(file, 'below') })).toContain('ENOTDIR');
    if (process.getuid?.() === 0) return; // Nothing is forbidden to root.
    const sealed = join(spare.directory, 'sealed');
    await mkdir(sealed);
    await chmod(sealed, 0o500);
    expect(await refusal({ 'data-dir': sealed })).toContain('EACCES');
  });

  test('as other machines could reach it', async () => {
    const fresh = join(spare.directory, 'open');
    for (const option of ['client-listen', 'peer-listen']) {
      const errors = await refusal({ 'data-dir': fresh, [option]: '0.0.0.0:4640' }, 2);
      expect(errors).toMatch(/^error: insecureAddress: 0\.0\.0\.0:4640 .*--insecure\n$/);
    }
    expect(await readdir(spare.directory)).not.toContain('open');
  });
});

test('a node that is asked to stop ends well and comes back with its data', async () => {
  const child = victim.process;
  await cluster.stopNode(victim, 'SIGTERM');
  expect(child?.exitCode).toBe(0);
  await client.put('alive', String(++writes));
  cluster.startNode(victim);
  await holdsAll(victim);
});

/** Ends the node, does something to its directory, and puts all back afterwards. */
async function without(body: (directory: string, kept: string) => Promise<void>): Promise<void> {
  const directory = cluster.dataDirectory(victim);
  const kept = join(spare.directory, 'kept');
  await cluster.stopNode(victim, 'SIGTERM');
  await rename(directory, kept);
  try {
    await body(directory, kept);
  } finally {
    await cluster.stopNode(victim);
    await rm(directory, { recursive: true, force: true });
    await rename(kept, directory);
    cluster.startNode(victim);
  }
  await holdsAll(victim);
}

test("another node's directory is refused", async () => {
  const [, third] = others as readonly [TestNode, TestNode];
  await without(async (_directory, kept) => {
    expect(await refusal({ name: third.name, 'data-dir': kept })).toBe(
      `error: dataDirectory: The data directory belongs to the member "${victim.name}", ` +
        `not "${third.name}"\n`,
    );
  });
});

test('the directory of another cluster is refused', async () => {
  await without(async (directory) => {
    // A cluster of one that was born under this name and address.
    const alone = spawnAlone(directory);
    const foreign = await eventually('the foreign cluster', async () => {
      const status = await readStatus({ ...victim, process: alone.process });
      return status?.role === 'leader' && status;
    });
    const stranger = await connect({ endpoints: [victim.clientAddress] });
    for (let at = 0; at < 10; at++) await stranger.put('alive', 'foreign');
    await stranger.close();
    expect((await alone.signal('SIGTERM')).code).toBe(0);

    victim.output = '';
    const [code] = await once(cluster.startNode(victim), 'close');
    expect(code).toBe(1);
    expect(victim.output).toContain(
      `error: clusterMismatch: The data directory belongs to cluster ${foreign.clusterId}`,
    );
    await client.put('alive', String(++writes));
    expect((await client.get('alive'))?.valueText).toBe(String(writes));
  });
});

const firstSegment = 'wal/0000000000000001.log';
const secondSegment = 'wal/0000000000000002.log';

/** Each does its damage and returns the way to undo it. */
const damages: readonly {
  readonly what: string;
  readonly place: string;
  readonly inflict: (path: string) => Promise<() => Promise<void>>;
}[] = [
  {
    what: 'a flipped bit in a segment that is done with',
    place: firstSegment,
    inflict: flipAt(2_000_000),
  },
  {
    what: 'a flipped bit in the segment that is written to',
    place: secondSegment,
    inflict: flipAt(14_000),
  },
  { what: 'a segment without its first pages', place: firstSegment, inflict: flipAt(8192) },
  {
    what: 'a lost newest segment',
    place: 'wal/',
    inflict: (path) => hide(join(path, basename(secondSegment))),
  },
  { what: 'a lost identity', place: 'identity', inflict: hide },
  {
    what: 'an identity cut short',
    place: 'identity',
    inflict: async (path) => {
      const whole = await readFile(path);
      await truncate(path, 5);
      return () => writeFile(path, whole);
    },
  },
];

function flipAt(position: number) {
  return async (path: string): Promise<() => Promise<void>> => {
    const flip = async (): Promise<void> => {
      const file = await open(path, 'r+');
      const { buffer } = await file.read(Buffer.alloc(1), 0, 1, position);
      buffer.writeUInt8(buffer.readUInt8() ^ 0x10);
      await file.write(buffer, 0, 1, position);
      await file.close();
    };
    await flip();
    return flip;
  };
}

async function hide(path: string): Promise<() => Promise<void>> {
  await rename(path, `${path}.hidden`);
  return () => rename(`${path}.hidden`, path);
}

test('what was synced and is bad now is named, and nothing is served from it', async () => {
  await without(async (_directory, kept) => {
    for (const { what, place, inflict } of damages) {
      const undo = await inflict(join(kept, place));
      // Started without anybody who could take it in again.
      const alone = `${victim.name}=${(spare.nodes[0] as TestNode).peerAddress}`;
      const errors = await refusal({ 'data-dir': kept, 'initial-cluster': alone });
      expect(errors, what).toMatch(/^error: dataDamaged: .*keep the data directory aside/);
      expect(errors, what).toContain(place);
      await undo();
      await client.put('alive', String(++writes));
    }
  });
});

test('a wiped directory counts for nothing until its new id has taken the place of the old one', async () => {
  const [leader, third] = others as readonly [TestNode, TestNode];
  const directory = cluster.dataDirectory(victim);
  const kept = join(spare.directory, 'kept');
  const { memberId: oldId } = (await readStatus(victim)) ?? {};
  for (const node of [victim, leader, third]) await cluster.stopNode(node, 'SIGTERM');
  await rename(directory, kept);
  victim.output = '';
  cluster.startNode(victim);
  cluster.startNode(third);
  const { memberId } = await eventually('the wiped node', () => readStatus(victim));
  const reason = await eventually('the reason', async () => {
    const { status, text } = await ask(victim, '/readyz');
    return status === 503 && text.includes('exists already') && text;
  });
  expect(reason).toContain(client.clusterId);
  expect(reason).toContain(memberId);
  expect(reason).toContain('in the place of the member');
  expect((await ask(victim, '/livez')).status).toBe(200);
  // One real member and the wiped one are no majority, however long they are alone.
  await eventually('many candidacies in vain', async () => {
    const { role = null, term = 0 } = (await readStatus(third)) ?? {};
    expect(role).not.toBe('leader');
    expect((await readStatus(victim))?.term).toBe(0);
    return term > 0 && role === 'preCandidate';
  });
  // It serves nobody, but a client that knows all three never notices.
  const alone = await connect({
    endpoints: [victim.clientAddress],
    learnEndpoints: false,
    requestTimeoutMs: 500,
  });
  await expect(alone.get('alive')).rejects.toThrow(RollcallError);
  await alone.close();

  cluster.startNode(leader);
  await eventually('the new id to vote', async () => {
    const { members } = await client.cluster.members().catch(() => ({ members: [] }));
    return members.some(({ id, standing }) => id === memberId && standing === 'voter');
  });
  const { members } = await client.cluster.members();
  expect(members.map(({ id }) => id)).not.toContain(oldId);
  await client.put('alive', String(++writes));
  await holdsAll(victim);

  // What was forgotten cannot come back: the old directory is out for good.
  await cluster.stopNode(victim, 'SIGTERM');
  await rename(directory, join(spare.directory, 'new'));
  await rename(kept, directory);
  cluster.startNode(victim);
  await eventually('the old id to learn that it is out', async () => {
    return (await readStatus(victim))?.standing === 'removed';
  });
  await client.put('alive', String(++writes));
});

function spawnAlone(directory: string): Program {
  return new Program([
    ...['server', '--name', victim.name, '--data-dir', directory],
    ...['--client-listen', victim.clientAddress, '--peer-listen', victim.peerAddress],
  ]);
}
