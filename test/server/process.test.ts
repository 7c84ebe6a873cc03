import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Log } from '../../src/base/log.ts';
import type { Applicant, PeerTransport } from '../../src/node/types.ts';
import type { ServerOptions } from '../../src/server/configuration.ts';
import { type MemberParts, type RunningServer, startServer } from '../../src/server/process.ts';
import { damaged } from '../../src/storage/damage.ts';
import { Inbox } from '../transport/inbox.ts';
import { MapMember } from './map-member.ts';
import { RawClient } from './raw-client.ts';

let directory: string;
let ports: readonly number[];
const running: RunningServer[] = [];
const opened = new Map<string, MemberParts>();
const members = new Map<string, MapMember>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-process-'));
  ports = await freePorts(3);
  opened.clear();
  members.clear();
  told.all.length = 0;
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
  await rm(directory, { recursive: true, force: true });
});

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.on('listening', () => {
            const address = server.address();
            const port = typeof address === 'object' && address !== null ? address.port : 0;
            server.close(() => resolve(port));
          });
        }),
    ),
  );
}

function optionsOf(name: string, names: readonly string[] = ['a', 'b', 'c']): ServerOptions {
  const peerOf = (other: string): string => `127.0.0.1:${ports[other.charCodeAt(0) - 97]}`;
  return {
    name,
    dataDirectory: join(directory, name),
    clientListen: '127.0.0.1:0',
    peerListen: peerOf(name),
    initialCluster: names.map((other) => `${other}=${peerOf(other)}`).join(','),
  };
}

const deaf: Parameters<PeerTransport['attach']>[0] = {
  message() {},
  unreachable() {},
  gone() {},
  knock() {},
  greeted() {},
  removed() {},
};

const told = new Inbox<string>();
const log: Log = {
  debug() {},
  info: (_fields, message) => told.push(message),
  warn: (_fields, message) => told.push(message),
  error: (_fields, message) => told.push(message),
};

async function start(
  options: ServerOptions,
  close: () => Promise<void> = async () => {},
): Promise<RunningServer> {
  const server = await startServer(
    options,
    async (parts) => {
      opened.set(options.name, parts);
      parts.transport.opened({ term: 0, index: 0 });
      const member = new MapMember();
      members.set(options.name, member);
      return Object.assign(member, { close });
    },
    log,
  );
  running.push(server);
  return server;
}

async function statusOf(server: RunningServer): Promise<number> {
  return (await fetch(`http://${server.clientAddress}/readyz`)).status;
}

describe('a server', () => {
  test('of a cluster of one is born by itself, and the same after a restart', async () => {
    const alone = optionsOf('a', ['a']);
    const first = await start(alone);
    await first.born;
    expect(await statusOf(first)).toBe(200);
    const birth = opened.get('a')?.birth;
    await first.close();
    expect(await first.ended).toBeNull();
    const second = await start(alone);
    await second.born;
    expect(second.memberId).toBe(first.memberId);
    expect(opened.get('a')?.birth).toEqual(birth);
  });

  test('waits for the others, says for whom, and all are born into one cluster', async () => {
    const a = await start(optionsOf('a'));
    const b = await start(optionsOf('b'));
    await told.take((text) => text.includes('Node "b" waits for "c" at'));
    expect(await statusOf(a)).toBe(503);
    const client = await new RawClient(a.clientAddress).opened();
    await expect(client.call('leaseList')).rejects.toMatchObject({ code: 'notBorn' });
    client.socket.terminate();
    const c = await start(optionsOf('c'));
    await Promise.all([a.born, b.born, c.born]);
    const births = ['a', 'b', 'c'].map((name) => opened.get(name)?.birth);
    expect(births[1]).toEqual(births[0]);
    expect(births[2]).toEqual(births[0]);
    expect(births[0]?.configuration).toMatchObject({
      voters: [a, b, c].map(({ memberId }) => memberId),
      members: [a, b, c].map(({ name, clientAddress }) => ({ name, clientAddress })),
    });
    await new Promise<void>((resolve) => {
      opened.get('b')?.transport.attach({ ...deaf, message: () => resolve() });
      const beat = (): void => {
        const transport = opened.get('a')?.transport;
        const envelope = { from: a.memberId, to: b.memberId, term: 1 };
        transport?.send({ type: 'heartbeat', ...envelope, leaderCommit: 0, readRound: 0 });
        transport?.flush();
        if (running.includes(a)) setImmediate(beat);
      };
      beat();
    });
  });

  test('with another list than the others is told apart', async () => {
    await start(optionsOf('a', ['a', 'b']));
    await start(optionsOf('b', ['a', 'b', 'c']));
    await told.take((text) => text.includes('another list'));
  });

  test('ends with its member, and says why', async () => {
    const server = await start(optionsOf('a', ['a']));
    await server.born;
    const failure = new Error('The disk is gone');
    opened.get('a')?.onFatal(failure);
    expect(await server.ended).toBe(failure);
    await expect(fetch(`http://${server.clientAddress}/livez`)).rejects.toThrow();
  });
});

describe('a server that ends', () => {
  test('lets its member hand over while all ports are open', async () => {
    const seen: unknown[] = [];
    const server = await start(optionsOf('a', ['a']), async () => {
      seen.push((await fetch(`http://${server.clientAddress}/livez`)).status);
      seen.push((await fetch(`http://${server.peerAddress}/`)).status);
    });
    await server.born;
    await server.close();
    expect(seen).toEqual([200, 400]);
  });

  test('for its cluster goes on to say so', async () => {
    const server = await start(optionsOf('a', ['a']));
    await server.born;
    members.get('a')?.change({ standing: 'removed', leaderId: null });
    await told.take((text) => text.includes('Node "a" was removed from cluster'));
    const client = await new RawClient(server.clientAddress).opened();
    await client.statuses.take(({ standing }) => standing === 'removed');
    client.socket.terminate();
    members.get('a')?.change({ term: 9 });
    expect(told.all.filter((text) => text.includes('was removed'))).toEqual([]);
  });
});

const three = ['a', 'b', 'c'] as const;

async function startThree(): Promise<readonly RunningServer[]> {
  const servers = await Promise.all(three.map((name) => start(optionsOf(name))));
  await Promise.all(servers.map(({ born }) => born));
  return servers;
}

/** What the node hears of whoever asks to be taken in. */
function knocks(name: string): Inbox<Applicant> {
  const inbox = new Inbox<Applicant>();
  const knock = (applicant: Applicant): void => inbox.push(applicant);
  opened.get(name)?.transport.attach({ ...deaf, knock });
  return inbox;
}

/** As a committed change would. */
function takeIn(name: string, { id, ...applicant }: Applicant): void {
  const { transport, birth } = opened.get(name) as MemberParts;
  const { configuration } = birth;
  const member = { ...applicant, id, replaces: null, autoPromote: true };
  transport.setConfiguration(
    { ...configuration, members: [...configuration.members, member], learners: [id] },
    7,
  );
}

describe('a server beside a cluster that exists', () => {
  test('asks to be taken in again when its directory was lost, and is', async () => {
    const servers = await startThree();
    await servers[2]?.close();
    await rm(join(directory, 'c'), { recursive: true });
    opened.delete('c');
    const asked = knocks('a');
    const emptied = await start(optionsOf('c'));
    await told.take((text) => text.includes('in the place of the member "c" that it replaces'));
    expect(await statusOf(emptied)).toBe(503);
    const applicant = await asked.take();
    expect(applicant).toMatchObject({ id: emptied.memberId, name: 'c' });
    expect(opened.has('c')).toBe(false);
    takeIn('a', applicant);
    await emptied.born;
    expect(opened.get('c')?.birth).toMatchObject({
      clusterId: opened.get('a')?.birth.clusterId,
      configurationIndex: 7,
      configuration: { learners: [emptied.memberId] },
    });
    await emptied.close();
    const again = await start(optionsOf('c'));
    await again.born;
    expect(again.memberId).toBe(emptied.memberId);
  });

  test('joins it when it is told where it is, and says what is missing until then', async () => {
    const [a, b] = await startThree();
    const asked = knocks('b');
    const joining: ServerOptions = {
      name: 'd',
      dataDirectory: join(directory, 'd'),
      clientListen: '127.0.0.1:0',
      peerListen: '127.0.0.1:0',
      join: `${a?.peerAddress},${b?.peerAddress}`,
    };
    const d = await start(joining);
    await told.take((text) => text.includes('run `rollcall member add d`'));
    const applicant = await asked.take();
    expect(applicant).toEqual({
      id: d.memberId,
      name: 'd',
      peerAddress: d.peerAddress,
      clientAddress: d.clientAddress,
      featureLevel: 2,
    });
    takeIn('b', applicant);
    await d.born;
    await d.close();
    await (await start(joining)).born;
  });

  test('waits for an answer of the cluster that it joins', async () => {
    const join = `127.0.0.1:${ports[0]}`;
    const { initialCluster: _, ...other } = optionsOf('b');
    await start({ ...other, join });
    await told.take((text) => text.includes(`an answer from a member`) && text.includes(join));
    // Also while only another one that joins is there.
    const { initialCluster: __, ...first } = optionsOf('a');
    await start({ ...first, join: `127.0.0.1:${ports[1]}` });
    await told.take((text) => text.includes('Node "a" waits for an answer'));
    expect(opened.size).toBe(0);
  });
});

describe('a server whose identity is damaged', () => {
  test('asks to be taken in under a new one, also after a restart', async () => {
    const servers = await startThree();
    const asked = knocks('a');
    const { memberId } = servers[2] as RunningServer;
    await servers[2]?.close();
    await writeFile(join(directory, 'c', 'identity'), 'x');
    const repaired = await start(optionsOf('c'));
    expect(repaired.memberId).not.toBe(memberId);
    await told.take((text) => text.includes('The identity of node "c" is damaged'));
    await told.take((text) => text.includes('in the place of the member "c" that it replaces'));
    await repaired.close();
    const again = await start(optionsOf('c'));
    const applicant = await asked.take();
    expect(applicant).toMatchObject({ id: repaired.memberId, name: 'c' });
    takeIn('a', applicant);
    await again.born;
  });

  test('begins no cluster, not even with others to whom the same has happened', async () => {
    for (const server of await startThree()) await server.close();
    opened.clear();
    for (const name of three) await writeFile(join(directory, name, 'identity'), 'x');
    for (const name of three) await start(optionsOf(name));
    for (const name of three) {
      await told.take((text) => text.includes(`Node "${name}" waits for an answer from a member`));
    }
    expect(opened.size).toBe(0);
  });

  test('and that is alone says so and changes nothing', async () => {
    const alone = await start(optionsOf('a', ['a']));
    await alone.born;
    await alone.close();
    await writeFile(join(directory, 'a', 'identity'), 'x');
    await expect(start(optionsOf('a', ['a']))).rejects.toMatchObject({ code: 'dataDamaged' });
    expect(await readFile(join(directory, 'a', 'identity'), 'utf8')).toBe('x');
  });
});

test('a server whose member finds its log damaged gives it up, and stays', async () => {
  const [, , c] = await startThree();
  const { memberId } = c as RunningServer;
  const client = await new RawClient((c as RunningServer).clientAddress).opened();
  await client.statuses.take((status) => status.clusterId !== '');
  const { onFatal } = opened.get('c') as MemberParts;
  onFatal(damaged('log', 'wal/1', 0, 'a read found it'));
  // What the member that is given up reports besides does not count.
  onFatal(new Error('The disk is gone'));
  await client.statuses.take((status) => status.clusterId === '' && status.memberId !== memberId);
  const asked = knocks('a');
  const applicant = await asked.take();
  expect(applicant).toMatchObject({ id: c?.memberId, name: 'c' });
  opened.delete('c');
  takeIn('a', applicant);
  await client.statuses.take((status) => status.clusterId !== '');
  expect(opened.get('c')?.identity.memberId).toBe(c?.memberId);
  client.socket.terminate();
});

describe('a server that cannot start', () => {
  test('because a port is taken names it, and leaves nothing open', async () => {
    const alone = optionsOf('a', ['a']);
    const taken = createServer().listen(ports[0], '127.0.0.1');
    await new Promise((resolve) => taken.on('listening', resolve));
    await expect(start(alone)).rejects.toMatchObject({
      code: 'addressInUse',
      message: expect.stringContaining(`127.0.0.1:${ports[0]}`),
    });
    await new Promise((resolve) => taken.close(resolve));
    await (await start(alone)).born;
  });

  test('because its directory is none says so', async () => {
    await writeFile(join(directory, 'file'), '');
    const dataDirectory = join(directory, 'file', 'x');
    await expect(start({ ...optionsOf('a', ['a']), dataDirectory })).rejects.toMatchObject({
      code: 'dataDirectory',
      message: expect.stringContaining(dataDirectory),
    });
  });

  test('because another process has its directory says so', async () => {
    await start(optionsOf('a', ['a']));
    const second = {
      ...optionsOf('a', ['a']),
      peerListen: '127.0.0.1:0',
      initialCluster: undefined,
    };
    await expect(start(second)).rejects.toMatchObject({ code: 'dataDirectory' });
  });

  test("because its directory is another member's says so", async () => {
    const server = await start(optionsOf('a', ['a']));
    await server.born;
    await server.close();
    const other = { ...optionsOf('b', ['b']), dataDirectory: join(directory, 'a') };
    await expect(start(other)).rejects.toMatchObject({
      code: 'dataDirectory',
      message: expect.stringContaining('"a"'),
    });
  });

  test('because its member cannot open closes everything again', async () => {
    const alone = optionsOf('a', ['a']);
    const first = await start(alone);
    await first.born;
    await first.close();
    const failure = new Error('damaged');
    await expect(startServer(alone, () => Promise.reject(failure), log)).rejects.toBe(failure);
    await (await start(alone)).born;
  });
});

describe('the directory of a server', () => {
  test('of another cluster is refused when it is listed among strangers', async () => {
    const alone = await start(optionsOf('a', ['a']));
    await alone.born;
    await alone.close();
    await expect(start(optionsOf('a'))).rejects.toMatchObject({
      code: 'clusterMismatch',
      message: expect.stringContaining(`${opened.get('a')?.birth.clusterId}`),
    });
    const { initialCluster: _, ...unlisted } = optionsOf('a');
    const joining = { ...unlisted, join: `127.0.0.1:${ports[1]}` };
    await (await start(joining)).born;
  });

  test('is its own if it has seen others of the list since its birth', async () => {
    const alone = await start(optionsOf('a', ['a']));
    await alone.born;
    await alone.close();
    const server = await startServer(
      optionsOf('a'),
      async ({ birth: { configuration }, transport }) => {
        const newcomers = configuration.members.map((member) => ({
          ...member,
          id: '00000000000000bb',
          name: 'b',
        }));
        const members = [...configuration.members, ...newcomers];
        transport.setConfiguration({ ...configuration, members }, 9);
        return Object.assign(new MapMember(), { close: async () => {} });
      },
      log,
    );
    running.push(server);
    await server.born;
  });
});
