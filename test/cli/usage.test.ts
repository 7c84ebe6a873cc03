import { describe, expect, test } from 'vitest';
import { main } from '../../src/cli/program.ts';
import { FakeTerminal } from './fake-terminal.ts';

async function rollcall(...args: readonly string[]) {
  const terminal = new FakeTerminal(['127.0.0.1:1']);
  const code = await main(args, terminal);
  return { code, printed: terminal.printed, warned: terminal.warned };
}

describe('a command line that makes no sense', () => {
  test.each([
    [['frobnicate']],
    [['get']],
    [['get', 'a', 'b', 'c']],
    [['get', 'a', 'b', '--prefix']],
    [['get', '']],
    [['get', 'a', '']],
    [['get', 'a', '--prefix', '--from-key']],
    [['get', 'a', '--sort-by', 'color']],
    [['get', 'a', '--order', 'up']],
    [['get', 'a', '--limit', '0']],
    [['get', 'a', '--min-mod-rev', '-1']],
    [['get', 'a', '--rev', '9007199254740992']],
    [['get', 'a', '--count-only', '--raw']],
    [['put', 'a', 'b', '--ignore-value']],
    [['put', 'a', 'b', '--lease', '5d3c8a1f0b2e4c69', '--ignore-lease']],
    [['del', 'a', '--chunked']],
    [['del', 'a', '--prefix', '--chunked', '--prev-kv']],
    [['get', 'a', '--frob']],
    [['get', 'a', '--rev', '0']],
    [['get', 'a', '--endpoints', 'nonsense']],
    [['put', 'a']],
    [['put', '', 'v']],
    [['get', '']],
    [['del', '']],
    [['watch', '']],
    [['watch', 'a', '']],
    [['watch', '', 'b']],
    [['watch', 'a', 'b', '--prefix']],
    [['watch', 'a', '--prefix', '--from-key']],
    [['watch', 'a', '--filter', 'both']],
    [['watch', 'a', '--rev', '9007199254740993']],
    [['watch', 'a', '--rev', '-1']],
    [['get', 'a', '--timeout', '0ms']],
    [['get', 'a', '--timeout', '999999h']],
    [['lease', 'grant', '--ttl', '1ms']],
    [['register', 'api', '--address', 'a:1', '--ttl', '1ms']],
    [['register', 'api', '--address', 'a:1', '--tag', '']],
    [['register', 'api', '--address', 'a:65536']],
    [['register', 'api', '--address', 'a:1', '--']],
    [['put', 'a', 'b', '--lease', 'xyz']],
    [['lease', 'frobnicate']],
    [['lease', 'grant']],
    [['lease', 'grant', '--ttl', '10']],
    [['lease', 'revoke', '7']],
    [['register', 'api']],
    [['register', 'api', '--address', 'here']],
    [['register', 'API', '--address', 'a:1']],
    [['register', 'api', '--address', 'a:1', '--meta', 'x']],
    [['discover']],
    [['server']],
    [['server', '--name', 'n1', '--data-dir', 'd', '--log-level', 'loud']],
  ])('%j ends with 2', async (args) => {
    const { code, printed, warned } = await rollcall(...args);
    expect(warned).toMatch(/^error: usage: /);
    expect(printed).toBe('');
    expect(code).toBe(2);
  });

  test('is told what is wrong with it', async () => {
    expect((await rollcall('lease', 'grant', '--ttl', '10')).warned).toContain('It has no unit');
    expect((await rollcall('gett', 'a')).warned).toContain('Did you mean get?');
    const { warned } = await rollcall('lease', 'grant', '--ttl', '1ms');
    expect(warned).toMatch(/'--ttl <duration>'.*It must be from 500ms to 2500000h\.\n/);
    expect((await rollcall('get', 'a', '--timeout', '999999h')).warned).toMatch(
      /'--timeout <duration>'.*It must be from 1ms to 596h\.\n/,
    );
    expect((await rollcall('discover', 'a', '--endpoints', 'h:65536')).warned).toContain(
      'the port from 1 to 65535',
    );
  });
});

describe('a wrong command line', () => {
  test('is told where help is', async () => {
    expect((await rollcall('frobnicate')).warned).toBe(
      "error: usage: unknown command 'frobnicate'\nSee: rollcall --help\n",
    );
    expect((await rollcall('lease', 'grant')).warned).toMatch(
      /\nSee: rollcall lease grant --help\n$/,
    );
  });

  test('of a server is no failure of the server', async () => {
    const server = ['server', '--name', 'n1', '--data-dir', 'd'];
    const cases = [
      [['--initial-cluster', 'nonsense'], '"nonsense" is not a member NAME=HOST:PORT'],
      [['--initial-cluster', 'n1=foo'], '"n1=foo" is not a member NAME=HOST:PORT'],
      [['--client-listen', '0.0.0.0:1'], '--insecure'],
    ] as const;
    for (const [options, message] of cases) {
      const { code, warned } = await rollcall(...server, ...options);
      expect(warned).toContain(message);
      expect(code).toBe(2);
    }
  });

  test('also in the environment', async () => {
    const terminal = new FakeTerminal(['not an address']);
    expect(await main(['get', 'a'], terminal)).toBe(2);
    expect(terminal.warned).toMatch(/^error: usage: ROLLCALL_ENDPOINTS is "not an address"/);
  });
});

describe('help', () => {
  const commands = [
    ['put'],
    ['get'],
    ['del'],
    ['watch'],
    ['lease', 'grant'],
    ['lease', 'keep-alive'],
    ['lease', 'revoke'],
    ['lease', 'ttl'],
    ['lease', 'list'],
    ['register'],
    ['deregister'],
    ['discover'],
    ['services'],
    ['status'],
    ['server'],
  ];

  test.each(commands.map((command) => [command]))('of %j has an example', async (command) => {
    const { code, printed } = await rollcall(...command, '--help');
    expect(code).toBe(0);
    expect(printed).toContain(`Usage: rollcall ${command.join(' ')}`);
    expect(printed).toContain(`$ rollcall ${command.join(' ')}`);
  });

  test('of the program lists every command', async () => {
    const { code, printed } = await rollcall('--help');
    expect(code).toBe(0);
    for (const [command = ''] of commands)
      expect(printed).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
  });

  test('the version is a number', async () => {
    expect(await rollcall('--version')).toMatchObject({
      code: 0,
      printed: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe('errors with --json', () => {
  test('are one document on standard error', async () => {
    const cases = [
      [['frobnicate', '--json'], 2, 'usage', "unknown command 'frobnicate'"],
      [['put', 'a', '--json'], 2, 'usage', 'A value is missing'],
      [['get', 'a', '--json', '--timeout', '50ms'], 1, 'unreachable', 'No endpoint'],
    ] as const;
    for (const [args, code, name, message] of cases) {
      const ending = await rollcall(...args);
      expect(ending).toMatchObject({ code, printed: '' });
      expect(JSON.parse(ending.warned)).toEqual({
        error: { code: name, message: expect.stringContaining(message), definite: true },
      });
    }
  });

  test('belong to this program, not to the one that it runs', async () => {
    const { code, warned } = await rollcall(
      ...['register', 'api', '--address', 'a:1', '--', 'no-such-command-anywhere', '--json'],
    );
    expect(code).toBe(127);
    expect(warned).toMatch(/^error: usage: /);
  });
});

test('a cluster that does not answer is a failure, not a wrong command line', async () => {
  const { code, warned } = await rollcall('get', 'a', '--timeout', '100ms');
  expect(code).toBe(1);
  expect(warned).toMatch(
    /^error: unreachable: No endpoint has answered within 100 ms: 127\.0\.0\.1:1/,
  );
});
