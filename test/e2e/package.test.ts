/** What users get: the packed package in a project of their own, and a clone before its first build. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { root } from './dev-process.ts';

const run = promisify(execFile);
let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollcall-package-'));
});
afterEach(() => rm(directory, { recursive: true }));

describe('The package', () => {
  test('has all that the program and the SDK need', async () => {
    const packed = await run('npm', ['pack', '--json', '--pack-destination', directory], {
      cwd: root,
    });
    const [{ filename }] = JSON.parse(packed.stdout) as [{ readonly filename: string }];
    const modules = join(directory, 'node_modules');
    const installed = join(modules, 'rollcall');
    await mkdir(installed, { recursive: true });
    await run('tar', ['-xzf', join(directory, filename), '-C', installed, '--strip-components=1']);
    const text = await readFile(join(installed, 'package.json'), 'utf8');
    const { bin, dependencies } = JSON.parse(text) as {
      readonly bin: { readonly rollcall: string };
      readonly dependencies: Readonly<Record<string, string>>;
    };
    for (const name of Object.keys(dependencies)) {
      await symlink(join(root, 'node_modules', name), join(modules, name));
    }

    const help = await run(process.execPath, [join(installed, bin.rollcall), '--help']);
    expect(help.stdout).toContain('Usage: rollcall');
    const code = "import { connect } from 'rollcall'; console.log(typeof connect);";
    const imported = await run(process.execPath, ['--input-type=module', '-e', code], {
      cwd: directory,
    });
    expect(imported.stdout).toBe('function\n');
    const served = code
      .replaceAll('connect', 'startServer')
      .replace("'rollcall'", "'rollcall/server'");
    const server = await run(process.execPath, ['--input-type=module', '-e', served], {
      cwd: directory,
    });
    expect(server.stdout).toBe('function\n');
  });

  test('says that it is not built yet', async () => {
    const program = join(directory, 'bin', 'rollcall.js');
    await mkdir(dirname(program));
    await copyFile(join(root, 'bin', 'rollcall.js'), program);
    // As in the clone: the nearest package.json says which kind of module it is.
    await copyFile(join(root, 'package.json'), join(directory, 'package.json'));
    const failure = await run(process.execPath, [program, 'status']).catch((error) => error);
    expect(failure).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'error: Not built yet: run `npm run build` (or `npm start`)\n',
    });
  });
});

describe('A clone', () => {
  test('is built once when two come at the same time', async () => {
    await cp(join(root, 'bin'), join(directory, 'bin'), { recursive: true });
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    const compiler = join(directory, 'node_modules', 'typescript');
    await mkdir(join(compiler, 'bin'), { recursive: true });
    // A lock file of nothing is installed already; the compiler writes down that it ran, once it may.
    for (const path of ['package-lock.json', 'node_modules/.package-lock.json']) {
      await writeFile(join(directory, path), '{ "packages": {} }');
    }
    await writeFile(join(directory, 'tsconfig.json'), '{}');
    await writeFile(join(compiler, 'package.json'), '{ "type": "commonjs" }');
    await writeFile(join(compiler, 'bin', 'tsc'), compilerText);

    const first = ensure();
    await says(first, 'Building …');
    const second = ensure();
    await says(second, 'Waiting for another process that builds here …');
    const ends = [once(first, 'close'), once(second, 'close')];
    await writeFile(join(directory, 'go'), '');
    expect(await Promise.all(ends)).toEqual([
      [0, null],
      [0, null],
    ]);
    expect(await readFile(join(directory, 'dist', 'runs'), 'utf8')).toBe('run\n');
  });
});

const compilerText = `
  const fs = require('node:fs');
  const timer = setInterval(() => {
    if (!fs.existsSync('package.json')) process.exit(1);
    if (!fs.existsSync('go')) return;
    clearInterval(timer);
    fs.mkdirSync('dist', { recursive: true });
    fs.appendFileSync('dist/runs', 'run\\n');
  }, 20);
`;

function ensure(): ChildProcess {
  const program = join(directory, 'bin', 'ensure.js');
  return spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Waits until standard error has the text. */
async function says(child: ChildProcess, text: string): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      if (said.includes(text)) resolve();
    });
    child.once('close', () => reject(new Error(`It ended without "${text}": ${said}`)));
  });
}
