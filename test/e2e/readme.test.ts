/** The README's examples, run as they stand there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { errorCodes } from '../../src/base/errors.ts';
import { program, TestCluster, type TestNode } from './cluster.ts';

const root = resolve(import.meta.dirname, '../..');
const localEndpoints = ['127.0.0.1:4640', '127.0.0.1:4650', '127.0.0.1:4660'];

let cluster: TestCluster;
let readme: string;

beforeAll(async () => {
  readme = await readFile(resolve(root, 'README.md'), 'utf8');
  cluster = await TestCluster.start();
}, 60_000);

afterAll(() => cluster.close());

/** The first block of the language, or the first that holds the text. */
function block(language: string, text = ''): string {
  const blocks = readme.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'));
  const found = [...blocks].find(([, content = '']) => content.includes(text))?.[1];
  if (found === undefined) throw new Error(`The README has no ${language} block with "${text}"`);
  return found;
}

/** The ports of this run in place of the README's. */
function localized(text: string): string {
  return localEndpoints.reduce(
    (result, endpoint, at) => result.replaceAll(endpoint, cluster.endpoints[at] as string),
    text,
  );
}

/** What differs from run to run is made equal: who leads, numbers, ids, and the width of columns. */
function normalized(text: string): string {
  return text
    .replace(/\b(leader|follower)\b/g, 'ROLE')
    .replace(/127\.0\.0\.1:\d+/g, 'ADDRESS')
    .replace(/\b[0-9a-f]{16}\b/g, 'ID')
    .replace(/\d+/g, 'N')
    .replace(/[ \t]+/g, ' ')
    .trim();
}

async function run(command: string, parameters: readonly string[]): Promise<string> {
  const env = { ...process.env, ROLLCALL_ENDPOINTS: cluster.endpoints.join(',') };
  const child = spawn(command, parameters, { cwd: root, env, stdio: ['ignore', 'pipe', 2] });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(0);
  return output;
}

/** The session as a script that says before each command what it is, as a terminal would. */
function script(session: string): string {
  const commands = session
    .split('\n')
    .filter((line) => line.startsWith('$ '))
    .map((line) => line.slice(2));
  return [
    // Job control, so that %1 is the job that was sent to the background; npx is the program here.
    'set -m',
    `npx() { shift; '${process.execPath}' '${program}' "$@"; }`,
    ...commands.flatMap((command) => {
      const echo = `echo '$ ${command.replaceAll("'", "'\\''")}'`;
      if (command.endsWith('&')) {
        return [
          echo,
          `${command}`,
          'until npx rollcall discover orders | grep -q orders-1; do :; done',
        ];
      }
      if (command.startsWith('kill ')) return [echo, command, 'wait %1 || true'];
      return [echo, command];
    }),
  ].join('\n');
}

test('the first session prints what the README shows', async () => {
  const session = block('console');
  const output = await run('bash', ['-c', script(session)]);
  const withoutJobs = output.replace(/^(revision \d+\n)(?=\$ npx rollcall discover orders\n)/m, '');
  expect(normalized(withoutJobs)).toBe(normalized(session));
}, 60_000);

/** What the program prints, which lies inside the package, so that it finds itself by its name. */
async function outputOf(source: string): Promise<string> {
  const path = resolve(root, `dist/readme-example-${process.pid}.mjs`);
  await writeFile(path, source);
  try {
    return await run(process.execPath, [path]);
  } finally {
    await rm(path);
  }
}

test('the SDK example runs', async () => {
  const output = await outputOf(localized(block('js')));
  expect(output).toBe("[ '127.0.0.1:8080' ]\n[ 'config/color = blue' ]\n");
}, 60_000);

test('the example of ranges and transactions runs', async () => {
  const source = [
    "import { connect } from 'rollcall';",
    "const client = await connect({ endpoints: ['127.0.0.1:4640'] });",
    block('js', 'operation.txn'),
    'console.log(succeeded, results.length, (await client.get("jobs/7")).valueText);',
    'await client.close();',
  ];
  expect(await outputOf(localized(source.join('\n')))).toBe('0\ntrue 2 done\n');
}, 60_000);

test('the example of locks, elections and namespaces runs', async () => {
  const source = [
    "import { connect } from 'rollcall';",
    "const client = await connect({ endpoints: ['127.0.0.1:4640'] });",
    block('js', 'client.lock'),
    'await client.close();',
  ];
  const output = await outputOf(localized(source.join('\n')));
  expect(output).toBe('stop working released\n10.0.0.7:8081\n1 1\n');
}, 60_000);

test('the example of watches runs', async () => {
  const source = [
    "import { connect } from 'rollcall';",
    "const client = await connect({ endpoints: ['127.0.0.1:4640'] });",
    "const { revision: first } = await client.put('config/watched', 'a');",
    "const { revision: last } = await client.put('config/watched', 'b');",
    block('js', "only: 'put'").replace('42', 'first').replace('43', 'last'),
    'console.log(watch.revision === last);',
    'await client.close();',
  ];
  const output = await outputOf(localized(source.join('\n')));
  expect(output.replace(/^\d+ /gm, '')).toBe('config/watched undefined\nconfig/watched a\ntrue\n');
}, 60_000);

test('the example of a node in a program runs', async () => {
  const data = join(cluster.directory, 'embedded');
  const source = block('js', 'rollcall/server')
    .replace('data/n1', data)
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:0');
  expect(await outputOf(source)).toBe('hello\n');
}, 60_000);

test('the commands for three machines make a cluster', async () => {
  const [name, ...parameters] = block('sh', '--initial-cluster')
    .replace(/^npx /, '')
    .replaceAll('\\\n', '')
    .trim()
    .split(/ +/);
  expect(name).toBe('rollcall');
  const three = await TestCluster.prepare(3);
  try {
    for (const [at, node] of three.nodes.entries()) {
      const own = parameters.map((parameter) =>
        parameter
          .replace(/^n1$/, node.name)
          .replace('data/n1', three.dataDirectory(node))
          .replace(/^10\.0\.0\.1:/, `10.0.0.${at + 1}:`)
          .replaceAll(/10\.0\.0\.(\d):464([01])/g, (_, machine, kind) => {
            const { clientAddress, peerAddress } = three.nodes[Number(machine) - 1] as TestNode;
            return kind === '0' ? clientAddress : peerAddress;
          }),
      );
      expect(own).toEqual(expect.arrayContaining(three.serverArguments(node)));
      three.startNode(node, own);
    }
    expect((await three.leader()).name).toMatch(/^n[123]$/);
  } finally {
    await three.close();
  }
}, 60_000);

/** The words of a command that may go on over several lines. */
function wordsOf(command: string): string[] {
  return command
    .replace(/^npx rollcall /, '')
    .replaceAll('\\\n', '')
    .trim()
    .split(/ +/);
}

test('a backup is saved, verified, restored and recovered as the README says', async () => {
  const file = join(cluster.directory, 'backup');
  const session = block('console', 'snapshot save');
  const output = await run('bash', ['-c', script(session.replace(/\bbackup$/gm, file))]);
  const shape = (text: string): string => normalized(text).replace(/ (n1|n2|n3)\b/g, ' NODE');
  expect(shape(output.replaceAll(file, 'backup'))).toBe(shape(session));

  const three = await TestCluster.prepare(3);
  const [first] = three.nodes as [TestNode];
  const own = (word: string): string =>
    word
      .replace(/^backup$/, file)
      .replace('data/n1', three.dataDirectory(first))
      .replace('10.0.0.1:4640', first.clientAddress)
      .replace('10.0.0.1:4641', first.peerAddress);
  try {
    await run(process.execPath, [program, ...wordsOf(block('sh', 'restore')).map(own)]);
    for (const node of three.nodes) three.startNode(node);
    expect(await three.leader()).toBe(first);
    for (const node of three.nodes) await three.stopNode(node);
    await run(process.execPath, [program, ...wordsOf(block('sh', 'recover')).map(own), '--yes']);
    three.startNode(first);
    expect(await three.leader()).toBe(first);
  } finally {
    await three.close();
  }
}, 60_000);

test('the table of error codes is the one in the code', () => {
  const rows = Object.entries(errorCodes).map(
    ([code, { definite, advice }]) => `| \`${code}\` | ${definite} | ${advice} |`,
  );
  for (const row of rows) expect(readme).toContain(row);
  expect(readme.match(/^\| `[A-Za-z]+` \| (true|false) \|/gm)).toHaveLength(rows.length);
});
