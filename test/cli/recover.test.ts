import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { startServer } from '../../src/server/index.ts';
import { FakeTerminal } from './fake-terminal.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-recover-'));
  const server = await startServer({
    ...{ name: 'n1', dataDirectory: join(directory, 'n1'), logLevel: 'silent' },
    ...{ clientListen: '127.0.0.1:0', peerListen: '127.0.0.1:0' },
  });
  await server.born;
  await server.close();
});

afterEach(() => rm(directory, { recursive: true, force: true }));

async function recover(
  answer: string | null,
  place = 'n1',
): Promise<{ readonly code: number; readonly terminal: FakeTerminal }> {
  const terminal = new FakeTerminal();
  terminal.interactive = answer !== null;
  terminal.input = [Buffer.from(answer ?? '')];
  const data = ['--data-dir', join(directory, place)];
  const code = await main(['recover', '--force-new-cluster', ...data, '--json'], terminal);
  return { code, terminal };
}

describe('recover', () => {
  test('asks on a terminal, and does it for a yes alone', async () => {
    const no = await recover('y\n');
    expect(no.code).toBe(1);
    expect(no.terminal.warned).toContain('Type yes');
    expect(no.terminal.warned).toContain('"code":"cancelled"');
    const yes = await recover('yes\n');
    expect(yes.code).toBe(0);
    expect(yes.terminal.documents).toMatchObject([{ name: 'n1', lost: [], revision: 2 ** 32 + 1 }]);
  });

  test('does nothing where nobody can be asked, nor to what is no data directory', async () => {
    const unasked = await recover(null);
    expect(unasked.code).toBe(2);
    expect(unasked.terminal.warned).toContain('say --yes');
    const nothing = await recover('yes\n', 'n2');
    expect(nothing.code).toBe(1);
    expect(nothing.terminal.warned).toContain('"code":"dataDirectory"');
  });
});
