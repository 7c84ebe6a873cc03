import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { TargetFile } from '../../src/cli/target-file.ts';
import { connect } from '../../src/client/index.ts';
import { verifyBackup } from '../../src/server/backup.ts';
import { type RunningServer, startServer } from '../../src/server/index.ts';
import { FakeTerminal } from './fake-terminal.ts';

let directory: string;
let place: string;
let server: RunningServer;
let runs = 0;

/** More than may be on its way to a client at once. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-snapshot-'));
  server = await startServer({
    ...{ name: 'n1', dataDirectory: join(directory, 'n1'), logLevel: 'silent' },
    ...{ clientListen: '127.0.0.1:0', peerListen: '127.0.0.1:0' },
  });
  await server.born;
  const client = await connect({ endpoints: [server.clientAddress] });
  for (let at = 0; at < 8; at++) await client.put(`large/${at}`, 'v'.repeat(1_000_000));
  await client.close();
});

afterAll(async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  place = join(directory, `run${runs++}`);
  await mkdir(place);
});

function save(
  file: string,
  ...rest: readonly string[]
): { readonly terminal: FakeTerminal; readonly ended: Promise<number> } {
  const terminal = new FakeTerminal([server.clientAddress]);
  return { terminal, ended: main(['snapshot', 'save', file, ...rest], terminal) };
}

async function failure(file: string, ...rest: readonly string[]): Promise<string> {
  const { terminal, ended } = save(file, ...rest);
  expect(await ended).toBe(2);
  expect(terminal.warned).not.toContain('.part');
  return terminal.warned;
}

describe('several saves to one file at once', () => {
  test('leave one whole file, and only one of them says that it has saved it', async () => {
    const file = join(place, 'backup');
    const saves = Array.from({ length: 3 }, () => save(file, '--json'));
    const codes = await Promise.all(saves.map(({ ended }) => ended));
    expect([...codes].sort()).toEqual([0, 2, 2]);
    const { digest, bytes } = await verifyBackup(file);
    for (const [at, { terminal }] of saves.entries()) {
      if (codes[at] === 0) expect(terminal.documents).toMatchObject([{ digest, bytes }]);
      else expect(terminal.warned).toMatch(/made by somebody else meanwhile|exists/);
    }
    expect(await readdir(place)).toEqual(['backup']);
  });

  test('replace it as a whole with --force', async () => {
    const file = join(place, 'backup');
    await writeFile(file, 'old');
    const saves = Array.from({ length: 3 }, () => save(file, '--force'));
    expect(await Promise.all(saves.map(({ ended }) => ended))).toEqual([0, 0, 0]);
    expect(await verifyBackup(file)).toMatchObject({ keys: 8 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(place)).toEqual(['backup']);
  });
});

test('two that write to one file have a part each, and the first one stays', async () => {
  const file = join(place, 'file');
  const first = await TargetFile.open(file, false);
  const second = await TargetFile.open(file, false);
  await first.write(Buffer.from('first'));
  await second.write(Buffer.from('second'));
  await first.publish();
  await expect(second.publish()).rejects.toThrow('made by somebody else meanwhile');
  await Promise.all([first.close(), second.close()]);
  expect(await readFile(file, 'utf8')).toBe('first');
  expect(await readdir(place)).toEqual(['file']);
});

describe('a file that cannot be written', () => {
  test('is named with the reason, and nothing is left of it', async () => {
    const file = join(place, 'a/b');
    expect(await failure(file)).toBe(
      `error: invalidArgument: ${file} cannot be written: its directory is missing\n`,
    );
    await writeFile(join(place, 'a'), 'x');
    expect(await failure(file)).toContain(`${file} cannot be written: not a directory`);
    expect(await failure('/dev/null', '--force')).toContain('is not a regular file');
    expect(await failure(join(place, 'n'.repeat(300)))).toContain('name too long');
    expect(await readdir(place)).toEqual(['a']);
  });

  test('is a directory, also with --force', async () => {
    for (const rest of [[], ['--force']]) {
      expect(await failure(place, ...rest)).toContain(`invalidArgument: ${place} is a directory`);
    }
    expect(await readdir(place)).toEqual([]);
  });

  test.skipIf(process.getuid?.() === 0)('is in a directory of somebody else', async () => {
    await chmod(place, 0o500);
    expect(await failure(join(place, 'backup'))).toContain('permission denied');
  });
});

describe('Ctrl-C', () => {
  test('in the middle of it ends with 130, and removes the part', async () => {
    const { terminal, ended } = save(join(place, 'backup'), '--json');
    terminal.warnsPeople = true;
    await terminal.shows(/MiB\/s/);
    expect(await readdir(place)).toEqual([expect.stringMatching(/^backup\..*\.part$/)]);
    terminal.signal('SIGINT');
    expect(await readdir(place)).toEqual([]);
    expect(await ended).toBe(130);
    expect(await readdir(place)).toEqual([]);
    expect(terminal.printed).toBe('');
    expect(terminal.warned).toContain('"code":"cancelled"');
    expect(terminal.exited).toBeNull();
  });

  test('while no node answers does the same, and SIGTERM with its own code', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const endpoint = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const connected = once(silent, 'connection');
      const rest = ['--endpoints', endpoint, '--timeout', '10m'];
      const { terminal, ended } = save(join(place, 'backup'), ...rest);
      await connected;
      terminal.signal(signal);
      expect(await ended).toBe(code);
      expect(await readdir(place)).toEqual([]);
    }
  });
});

test('a directory is no backup', async () => {
  for (const parameters of [
    ['verify', place],
    ['restore', place, '--name', 'n1', '--data-dir', join(place, 'data')],
  ]) {
    const terminal = new FakeTerminal();
    expect(await main(['snapshot', ...parameters], terminal)).toBe(2);
    expect(terminal.warned).toContain(
      `invalidArgument: ${place} cannot be read: it is a directory`,
    );
  }
});
