/** `lock` and `elect` against a real node. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import type { Client } from '../../src/client/index.ts';
import { TestServer } from '../client/server.ts';
import { FakeTerminal } from './fake-terminal.ts';

let server: TestServer;
let client: Client;
let scratch: string;
let terminal: FakeTerminal;

beforeAll(async () => {
  server = await TestServer.start();
  client = await server.connect();
  scratch = await mkdtemp(join(tmpdir(), 'rollcall-lock-'));
});

afterAll(async () => {
  await server.stop();
  await rm(scratch, { recursive: true });
});

beforeEach(async () => {
  await client.delete({ prefix: '' });
  terminal = new FakeTerminal([server.address]);
});

async function contenders(name: string, count: number): Promise<void> {
  const there = async () => (await client.range({ prefix: `${name}/` })).count;
  await expect.poll(there, { timeout: 20_000 }).toBe(count);
}

describe('lock', () => {
  test('runs a command with the fencing token, and exits as it does', async () => {
    const path = join(scratch, 'token');
    const script = `require("fs").writeFileSync(${JSON.stringify(path)},
      process.env.ROLLCALL_LOCK_KEY + " " + process.env.ROLLCALL_LOCK_TOKEN); process.exit(3)`;
    const before = client.revision;
    expect(await main(['lock', 'job', '--', process.execPath, '-e', script], terminal)).toBe(3);
    const [, token = ''] = /^job\/[0-9a-f]{16} (\d+)$/.exec(await readFile(path, 'utf8')) ?? [];
    expect(Number(token)).toBeGreaterThan(before);
    expect(terminal.printed + terminal.warned).toBe('');
    await contenders('job', 0);
  });

  test('waits for its turn, holds until it is stopped, and releases', async () => {
    const held = await client.lock('job');
    const ended = main(['lock', 'job', '--json'], terminal);
    await contenders('job', 2);
    await held.release();
    await terminal.shows(/locked/);
    terminal.signal('SIGTERM');
    expect(await ended).toBe(0);
    const key = expect.stringMatching(/^job\/[0-9a-f]{16}$/);
    expect(terminal.documents).toMatchObject([
      { event: 'locked', key, token: expect.any(Number) },
      { event: 'released', key },
    ]);
    await contenders('job', 0);
  });

  test('stopped while it waits leaves nothing, and runs nothing', async () => {
    await using _held = await client.lock('job');
    const ended = main(['lock', 'job', '--', 'no-such-command-anywhere'], terminal);
    await contenders('job', 2);
    terminal.signal('SIGINT');
    expect(await ended).toBe(130);
    await contenders('job', 1);
  });

  test('that is lost ends the command, also one that does not heed it', async () => {
    const ready = join(scratch, 'ready');
    const script =
      'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000);' +
      `require("fs").writeFileSync(${JSON.stringify(ready)}, "")`;
    const ended = main(
      ['lock', 'job', '--ttl', '1s', '--', process.execPath, '-e', script],
      terminal,
    );
    await expect.poll(() => existsSync(ready), { timeout: 20_000 }).toBe(true);
    await client.delete({ prefix: 'job/' });
    expect(await ended).toBe(1);
    expect(terminal.warned).toMatch(/^rollcall: job\/\w+ was lost \(gone\): .* has to end\n/);
    expect(terminal.warned).toMatch(/error: notHeld: job\/\w+ was lost \(gone\) while .* ran\n$/);
  });

  test('of a command that is not there is released', async () => {
    expect(await main(['lock', 'job', '--', 'no-such-command-anywhere'], terminal)).toBe(127);
    await contenders('job', 0);
    expect(await main(['lock', 'job', '--'], terminal)).toBe(2);
    expect(await main(['lock', ''], terminal)).toBe(2);
  });
});

describe('elect', () => {
  test('leads until it is stopped, and others hear of it', async () => {
    const listener = new FakeTerminal([server.address]);
    const listening = main(['elect', 'shard', '--listen'], listener);
    await listener.shows(/^nobody leads\n$/);
    const ended = main(['elect', 'shard', 'a:1'], terminal);
    await terminal.shows(/^elected shard\/\w+ token \d+ a:1\n$/);
    await listener.shows(/\nleader shard\/\w+ token \d+ a:1\n$/);
    terminal.signal('SIGINT');
    expect(await ended).toBe(0);
    expect(terminal.printed).toMatch(/\nresigned shard\/\w+\n$/);
    await listener.shows(/a:1\nnobody leads\n$/);
    listener.signal('SIGTERM');
    expect(await listening).toBe(0);
  });

  test('fails when the leadership is lost', async () => {
    const ended = main(['elect', 'shard', 'a:1', '--json'], terminal);
    await terminal.shows(/elected/);
    await client.delete({ prefix: 'shard/' });
    expect(await ended).toBe(1);
    expect(JSON.parse(terminal.warned)).toMatchObject({ error: { code: 'notHeld' } });
  });

  test('needs a proposal, or to listen', async () => {
    expect(await main(['elect', 'shard'], terminal)).toBe(2);
    expect(await main(['elect', 'shard', 'a:1', '--listen'], terminal)).toBe(2);
  });
});
