/**
 * Every command as a user runs it, against three real nodes. What stays, and what has to do with
 * streams, signals and exit codes, is a process of its own; the others run in this one, which saves the
 * start of a process for each.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { FakeTerminal } from '../cli/fake-terminal.ts';
import { eventually, program, readStatus, TestCluster } from './cluster.ts';
import { type Ending, Program, runCommand, runProgram } from './program.ts';

let cluster: TestCluster;
let scratch = '';
const running: Program[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'rollcall-cli-'));
  cluster = await TestCluster.start();
});

afterAll(async () => {
  for (const { process } of running) process.kill('SIGKILL');
  await cluster?.close();
  await rm(scratch, { recursive: true, force: true });
});

const environment = () => ({
  env: { ...process.env, ROLLCALL_ENDPOINTS: cluster.endpoints.join(',') },
});

function run(...parameters: readonly string[]): Promise<Ending> {
  return runProgram(parameters, environment());
}

/** The same inside this process. */
async function call(...parameters: readonly string[]): Promise<Ending> {
  const terminal = new FakeTerminal(cluster.endpoints);
  const code = await main(parameters, terminal);
  return { code, output: terminal.printed, errors: terminal.warned };
}

function start(...parameters: readonly string[]): Program {
  const program = new Program(parameters, environment());
  running.push(program);
  return program;
}

/** Runs a line of a shell in which `rollcall` is the program. */
function shell(line: string): Promise<Ending> {
  const script = `rollcall() { '${process.execPath}' '${program}' "$@"; }\n${line}`;
  return runCommand('bash', ['-c', script], environment());
}

/** The output of a command that has to succeed and to say nothing else. */
async function output(...parameters: readonly string[]): Promise<string> {
  const ending = await call(...parameters);
  expect(ending, parameters.join(' ')).toMatchObject({ code: 0, errors: '' });
  return ending.output;
}

/** The JSON documents that it printed, one a line. */
async function documents(...parameters: readonly string[]): Promise<unknown[]> {
  return parse(await output(...parameters, '--json'));
}

function parse(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

/**
 * The error of a command that has to fail: one line on standard error, and perhaps where to find help;
 * nothing on standard output.
 */
async function failure(code: 1 | 2, ...parameters: readonly string[]): Promise<string> {
  const ending = await call(...parameters);
  expect(ending, parameters.join(' ')).toMatchObject({ code, output: '' });
  expect(ending.errors).toMatch(/^error: \w+: [^\n]+\n(See: rollcall [a-z -]*--help\n)?$/);
  return ending.errors;
}

describe('keys', () => {
  test('are put, read, watched from a revision and deleted', async () => {
    const first = Number(/^revision (\d+)\n$/.exec(await output('put', 'c/a', 'one'))?.[1]);
    expect(await documents('put', 'c/b', 'two words')).toEqual([{ revision: first + 1 }]);
    await output('put', 'c/a', 'three');
    expect(await output('get', 'c/a')).toBe('three\n');
    expect(await output('get', 'c/a', '--rev', String(first))).toBe('one\n');
    await eventually('any node to have it', async () => {
      return (await call('get', 'c/a', '--serializable')).output === 'three\n';
    });
    expect(await output('get', '--prefix', 'c/')).toBe('c/a\nthree\nc/b\ntwo words\n');
    expect(await documents('get', '--prefix', 'c/')).toMatchObject([
      { pairs: [{ key: 'c/a', value: 'three', version: 2 }, { key: 'c/b' }] },
    ]);
    expect(await documents('get', 'c/a')).toMatchObject([
      { key: 'c/a', value: 'three', createRevision: first, modRevision: first + 2, leaseId: null },
    ]);

    const watch = start('watch', '--prefix', 'c/', '--rev', String(first));
    const asJson = start('watch', 'c/b', '--rev', String(first), '--json');
    await watch.prints(`${first + 2} put c/a three\n`);
    expect(await output('del', '--prefix', 'c/')).toBe('2\n');
    await watch.prints(`${first + 3} delete c/b\n`);
    await asJson.prints('delete');
    expect(await watch.signal('SIGINT')).toEqual({
      code: 0,
      errors: '',
      output:
        `${first} put c/a one\n${first + 1} put c/b two words\n${first + 2} put c/a three\n` +
        `${first + 3} delete c/a\n${first + 3} delete c/b\n`,
    });
    const ended = await asJson.signal('SIGTERM');
    expect(ended.code).toBe(0);
    expect(parse(ended.output)).toMatchObject([
      { revision: first + 1, events: [{ type: 'put', key: 'c/b', value: 'two words' }] },
      { revision: first + 3, events: [{ type: 'delete', key: 'c/b' }] },
    ]);
    expect(await output('del', 'c/a')).toBe('0\n');
    expect(await failure(1, 'get', 'c/a')).toBe('error: keyNotFound: There is no key c/a\n');
    expect(await failure(1, 'get', 'c/a', '--rev', '999999')).toMatch(/^error: futureRevision: /);
  });
});

describe('values', () => {
  test('of any bytes come from files and pipes, and go back as they were', async () => {
    const file = join(scratch, 'bytes');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await writeFile(file, bytes);
    await output('put', 'v/file', '--file', file);
    const piped = await shell(`rollcall put v/pipe - < '${file}' && rollcall get --raw v/pipe`);
    expect(piped.code).toBe(0);
    const copy = join(scratch, 'copy');
    for (const key of ['v/file', 'v/pipe']) {
      expect((await shell(`rollcall get --raw ${key} > '${copy}'`)).code).toBe(0);
      expect(await readFile(copy)).toEqual(bytes);
    }
  });

  test('that cannot be written out are an error of one line', async () => {
    await output('put', 'v/full', 'x');
    for (const command of ['get v/full', 'get v/full --json', 'watch v/full --rev 1', 'status']) {
      const { code, errors } = await shell(`rollcall ${command} > /dev/full`);
      expect(errors).toMatch(/^error: output: ENOSPC[^\n]*\n$/);
      expect(code).toBe(1);
    }
  });

  test('of many keys are deleted in steps where that is said', async () => {
    const client = await cluster.connect();
    await Promise.all(Array.from({ length: 4200 }, (_, at) => client.put(`many/${at}`, 'x')));
    await client.close();
    expect(await failure(1, 'del', '--prefix', 'many/')).toMatch(/^error: tooManyKeys: /);
    expect((await call('del', '--prefix', '--chunked', 'many/')).output).toBe('4200\n');
    expect(await output('get', '--prefix', 'many/')).toBe('');
  });
});

describe('leases', () => {
  test('are granted, kept, looked at, listed and revoked', async () => {
    const id = (await output('lease', 'grant', '--ttl', '60s')).trimEnd();
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    await output('put', 'leased', 'value', '--lease', id);
    expect(await output('lease', 'ttl', id, '--keys')).toMatch(
      new RegExp(`^${id} has \\d+m?s? of 1m left\nleased\n$`),
    );
    expect(await documents('lease', 'ttl', id, '--keys')).toMatchObject([
      { leaseId: id, grantedTtlMs: 60_000, keys: [{ key: 'leased' }] },
    ]);
    expect(await output('lease', 'list')).toMatch(new RegExp(`^LEASE .*\n${id} +1m +\\d+m?s?\n$`));
    expect(await documents('lease', 'list')).toMatchObject([[{ leaseId: id, ttlMs: 60_000 }]]);

    const keeper = start('lease', 'keep-alive', id);
    await keeper.prints(`${id} renewed for 1m\n`);
    expect((await keeper.signal('SIGINT')).code).toBe(0);
    expect(await output('lease', 'revoke', id)).toBe(`${id} revoked\n`);
    await failure(1, 'get', 'leased');
    for (const command of ['ttl', 'revoke', 'keep-alive']) {
      expect(await failure(1, 'lease', command, id)).toMatch(/^error: leaseNotFound: .*/);
    }
    expect(await failure(1, 'put', 'a', 'b', '--lease', id)).toMatch(/^error: leaseNotFound: /);
  });

  test('that end take their keeper with them', async () => {
    const [{ leaseId }] = (await documents('lease', 'grant', '--ttl', '3s')) as [
      { leaseId: string },
    ];
    const keeper = start('lease', 'keep-alive', leaseId);
    await keeper.prints('renewed');
    await output('lease', 'revoke', leaseId);
    expect(await keeper.ended).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^error: leaseNotFound: /),
    });
  });
});

/** Without the revisions, which other tests move. */
async function instances(service: string): Promise<string[]> {
  const [view] = (await documents('discover', service)) as [{ instances: { id: string }[] }];
  return view.instances.map(({ id }) => id);
}

describe('services', () => {
  test('are registered while a process lives, found, and taken out', async () => {
    const api = start(
      ...['register', 'api', '--id', 'api-1', '--address', '127.0.0.1:8080', '--ttl', '30s'],
      ...['--tag', 'blue', '--tag', 'new', '--meta', 'zone=a', '--meta', 'x=y=z'],
    );
    await api.prints('registered api/api-1 at 127.0.0.1:8080\n');
    expect(await output('discover', 'api')).toBe(
      'ID     ADDRESS         TAGS      METADATA\n' +
        'api-1  127.0.0.1:8080  blue,new  zone=a,x=y=z\n',
    );
    expect(await documents('discover', 'api')).toMatchObject([
      { instances: [{ id: 'api-1', tags: ['blue', 'new'], metadata: { zone: 'a', x: 'y=z' } }] },
    ]);
    expect(await output('services')).toBe('SERVICE  INSTANCES\napi              1\n');
    expect(await documents('services')).toEqual([[{ service: 'api', instances: 1 }]]);

    expect(await api.signal('SIGTERM')).toMatchObject({ code: 0, errors: '' });
    expect(api.output).toContain('deregistered api/api-1');
    expect(await instances('api')).toEqual([]);
    expect(await failure(1, 'deregister', 'api', 'api-1')).toMatch(/^error: instanceNotFound: /);
  });

  test('are told to who watches, a killed one once', async () => {
    const watch = start('discover', 'orders', '--watch', '--json');
    await watch.prints('"instances":[]');
    const orders = start(
      ...['register', 'orders', '--id', 'o1', '--address', '[::1]:80', '--ttl', '700ms'],
    );
    await watch.prints('"id":"o1"');
    const o2 = ['register', 'orders', '--id', 'o2', '--ttl', '900ms', '--json', '--address'];
    const stays = start(...o2, 'host:80');
    await watch.prints('"id":"o2"');
    expect((await orders.signal('SIGKILL')).code).toBe('SIGKILL');
    const views = () =>
      (parse(watch.output) as { instances: { id: string }[] }[]).map((view) =>
        view.instances.map(({ id }) => id),
      );
    await eventually('its removal', async () => views().at(-1)?.join() === 'o2');
    // With its lease it is lost, and comes back by itself.
    const [[lease]] = (await documents('lease', 'list')) as [[{ leaseId: string }]];
    await output('lease', 'revoke', lease.leaseId);
    await stays.prints('"event":"restored"');
    await eventually('its return', async () => views().at(-1)?.join() === 'o2');
    // Taken out by hand it stays out.
    expect(await output('deregister', 'orders', 'o2')).toBe('deregistered orders/o2\n');
    await eventually('its removal', async () => views().at(-1)?.length === 0);
    expect((await watch.signal('SIGINT')).code).toBe(0);
    expect(views()).toEqual([[], ['o1'], ['o1', 'o2'], ['o2'], [], ['o2'], []]);
    expect((await stays.ended).code).toBe(1);
    expect(parse(stays.output)).toMatchObject([
      { event: 'registered', service: 'orders', id: 'o2', address: 'host:80' },
      { event: 'lost' },
      { event: 'restored' },
      { event: 'ended', reason: 'deregistered' },
    ]);
  });

  test('belong to who registered them last, also when the one before stops', async () => {
    const cart = ['register', 'cart', '--id', 'c1', '--ttl', '900ms', '--address'];
    const old = start(...cart, 'host:1');
    await old.prints('registered');
    const young = start(...cart, 'host:2');
    await young.prints('registered');
    // Whether it has heard of it already or not.
    expect((await old.signal('SIGTERM')).errors).toContain('registered by another process since');
    expect(await documents('discover', 'cart')).toMatchObject([
      { instances: [{ id: 'c1', address: 'host:2' }] },
    ]);
    const third = start(...cart, 'host:3');
    await third.prints('registered');
    expect(await young.ended).toMatchObject({
      code: 1,
      errors: expect.stringMatching(/^error: instanceReplaced: cart\/c1 was registered by another/),
    });
    expect((await third.signal('SIGTERM')).code).toBe(0);
    expect(await instances('cart')).toEqual([]);
  });
});

describe('register with a command', () => {
  const options = ['register', 'job', '--id', 'j1', '--address', 'localhost:1'] as const;

  test('ends as the command does, and the instance with it', async () => {
    const file = join(scratch, 'go');
    const job = start(
      ...options,
      '--',
      'sh',
      '-c',
      `until [ -e ${file} ]; do sleep 0.1; done; exit 7`,
    );
    await eventually('the instance', async () => (await instances('job')).length === 1);
    await writeFile(file, '');
    expect(await job.ended).toEqual({ code: 7, output: '', errors: '' });
    expect(await instances('job')).toEqual([]);
    expect(await run(...options, '--', 'sh', '-c', 'echo out; echo err >&2')).toEqual({
      code: 0,
      output: 'out\n',
      errors: 'err\n',
    });
  });

  test('passes signals on', async () => {
    const told = join(scratch, 'told');
    const script = `
      process.on('SIGTERM', () => { require('fs').writeFileSync('${told}', 'yes'); process.exit(3); });
      setInterval(() => {}, 1000);
      console.log('up');
    `;
    const job = start(...options, '--', process.execPath, '-e', script);
    await job.prints('up');
    await eventually('the instance', async () => (await instances('job')).length === 1);
    expect((await job.signal('SIGTERM')).code).toBe(3);
    expect(await readFile(told, 'utf8')).toBe('yes');
    expect(await instances('job')).toEqual([]);
    expect((await run(...options, '--', 'sh', '-c', 'kill -KILL $$')).code).toBe(137);
    expect(await run(...options, '--', '/no/such/command')).toEqual({
      code: 127,
      output: '',
      errors: 'error: usage: "/no/such/command": command not found\n',
    });
  });
});

describe('a command line that makes no sense', () => {
  test('ends with 2 and says what is wrong', async () => {
    const cases = [
      [['nonsense'], "unknown command 'nonsense'"],
      [['get'], "missing required argument 'key'"],
      [['get', 'a', '--nope'], "unknown option '--nope'"],
      [['get', 'a', '--rev', '0'], 'A revision is a whole number'],
      [['get', 'a', '--timeout', '5'], 'It has no unit'],
      [['get', 'a', '--endpoints', 'nowhere'], 'An address is HOST:PORT'],
      [['lease', 'grant'], '--ttl'],
      [['lease', 'grant', '--ttl', '1y'], 'There is no unit'],
      [['register', 'api'], '--address'],
      [['register', 'API', '--address', 'a:1'], 'A name has'],
      [['discover', '../etc'], 'A name has'],
      [['server'], '--name'],
      [['server', '--name', 'a', '--data-dir', 'd', '--log-level', 'fatal'], 'Allowed choices'],
      [['dev', '--nodes', '2'], '--nodes'],
    ] as const;
    await Promise.all(
      cases.map(async ([parameters, message]) => {
        expect(await failure(2, ...parameters)).toContain(message);
      }),
    );
    const ending = await runProgram(['get', 'a'], {
      env: { ...process.env, ROLLCALL_ENDPOINTS: 'http://x' },
    });
    expect(ending).toMatchObject({ code: 2, output: '' });
    expect(ending.errors).toContain('ROLLCALL_ENDPOINTS');
  });

  test('is helped: on standard output when asked, on standard error when not', async () => {
    const { output: help } = await run('--help');
    const commands = [...help.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name]) => name as string);
    await Promise.all(
      commands.map(async (name) => {
        if (name === 'help') return;
        expect(await output(name, '--help')).toContain(`Usage: rollcall ${name}`);
      }),
    );
    expect(commands.length).toBeGreaterThanOrEqual(12);
    expect(await output('--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await run()).toMatchObject({ code: 2, output: '', errors: help });
  });
});

describe('status', () => {
  test('shows every node, and the one that is down with its reason', async () => {
    type Row = { name: string | null; endpoint: string; role: string; digest: string } & {
      revision: number;
    };
    const revision = Number((await output('put', 'seen', 'at once')).replace('revision ', ''));
    const [all] = (await documents('status')) as [Row[]];
    expect(all.map(({ name }) => name)).toEqual(['n1', 'n2', 'n3']);
    expect(all.filter(({ role }) => role === 'leader')).toMatchObject([{ revision }]);
    for (const { digest } of all) expect(digest).toMatch(/^[0-9a-f]{16}$/);

    const leader = await cluster.leader();
    const down = cluster.nodes.find((node) => node !== leader) as typeof leader;
    await cluster.stopNode(down);
    const table = await output('status');
    expect(table).toMatch(new RegExp(`^- +${down.clientAddress} +unreachable`, 'm'));
    expect(table).toContain(`\n${down.clientAddress}: connect ECONNREFUSED`);
    const [rows] = (await documents('status')) as [Row[]];
    expect(rows.find(({ endpoint }) => endpoint === down.clientAddress)).toMatchObject({
      name: null,
      error: expect.stringContaining('ECONNREFUSED'),
    });
    expect(await output('put', 'two', 'are enough')).toMatch(/^revision /);
    cluster.startNode(down);
    await eventually('its return', async () => (await readStatus(down))?.leaderName != null);
  });

  test('and all else fail when nobody is there, naming each endpoint', async () => {
    const nobody = await TestCluster.prepare(2);
    const where = ['--endpoints', nobody.endpoints.join(','), '--timeout', '2s'];
    const commands = [
      ['get', 'a'],
      ['put', 'a', 'b'],
      ['watch', 'a'],
      ['discover', 'a', '--watch'],
      ['register', 'a', '--address', 'a:1'],
      ['lease', 'grant', '--ttl', '1s'],
    ];
    await Promise.all(
      commands.map(async (command) => {
        const errors = await failure(1, ...command, ...where);
        expect(errors).toMatch(/^error: unreachable: /);
        for (const endpoint of nobody.endpoints) expect(errors).toContain(endpoint);
      }),
    );
    const ending = await call('status', ...where);
    expect(ending).toMatchObject({ code: 1, errors: expect.stringContaining('unreachable') });
    await nobody.close();
  });
});
