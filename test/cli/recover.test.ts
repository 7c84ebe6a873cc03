import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import type { Member } from '../../src/format/types.ts';
import { logExtentOf } from '../../src/node/new-incarnation.ts';
import { startServer } from '../../src/server/index.ts';
import { systemClock } from '../../src/server/system-clock.ts';
import { loadIdentity } from '../../src/storage/identity.ts';
import { openLevel } from '../../src/storage/level.ts';
import { openNodeFiles } from '../../src/storage/node-files.ts';
import { openStorage } from '../../src/storage/storage.ts';
import { appendOf } from '../storage/machine.ts';
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

/** As the last entry of its log, on the disk of the member itself. */
async function removeFromLog(dataDirectory: string): Promise<number> {
  const files = await openNodeFiles(dataDirectory);
  const identity = await loadIdentity(files);
  if (identity === null) throw new Error('The directory is nobody');
  const open = (path: string) => openLevel(join(dataDirectory, path));
  const storage = await openStorage({ files, identity, clock: systemClock, openLevel: open });
  const { last, configuration } = logExtentOf(storage);
  const [own] = configuration.members as [Member];
  const other = { ...own, id: '00000000000000b1', name: 'n2' };
  const without = { ...configuration, members: [other], voters: [other.id] };
  const { term, index } = last;
  await storage.append(
    appendOf([{ type: 'configuration', term, index: index + 1, configuration: without }]),
  );
  await storage.close();
  await files.close();
  return index + 1;
}

describe('recover', () => {
  test('refuses the directory of a member that was removed before it says anything else', async () => {
    const index = await removeFromLog(join(directory, 'n1'));
    const { code, terminal } = await recover('yes\n');
    expect(code).toBe(1);
    expect(JSON.parse(terminal.warned)).toMatchObject({
      error: {
        code: 'dataDirectory',
        message: `"n1" was removed from its cluster by entry ${index}; choose another directory`,
      },
    });
    // It has let the directory go.
    expect((await recover('yes\n')).terminal.warned).toBe(terminal.warned);
  });

  test('refuses a directory that a restore was filling', async () => {
    await writeFile(join(directory, 'n1', 'restoring'), '');
    const { code, terminal } = await recover('yes\n');
    expect(code).toBe(1);
    expect(terminal.warned).toContain('A restore of this data directory was interrupted');
  });

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
