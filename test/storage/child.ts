/** Programs that a test runs as processes of their own, to kill or stop them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import ts from 'typescript';
import { afterAll } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
/** What the programs are made of. */
const sources = ['src/base', 'src/raft', 'src/format', 'src/storage', 'test/storage/programs'];

let build: Promise<string> | null = null;

afterAll(async () => {
  if (build !== null) await rm(await build, { recursive: true, force: true });
  build = null;
});

/** A running process that speaks in lines. */
export class ChildProgram {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #exit: Promise<unknown>;

  constructor(process: ChildProcess, lines: Interface) {
    this.#process = process;
    this.#lines = lines[Symbol.asyncIterator]();
    this.#exit = once(process, 'exit');
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Null at the end of its output, which is read whole also after it was killed. */
  async nextLine(): Promise<string | null> {
    const next = await this.#lines.next();
    return next.done === true ? null : next.value;
  }

  stop(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exit;
  }
}

/** Starts test/storage/programs/<name>.ts. Its errors go to those of the test. */
export async function startChild(name: string, parameters: string[]): Promise<ChildProgram> {
  build ??= buildPrograms();
  const path = join(await build, 'test/storage/programs', `${name}.js`);
  const child = spawn(process.execPath, [path, ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new ChildProgram(child, createInterface({ input: child.stdout }));
}

/** Programs run from the sources as they are now, not from an earlier build. */
async function buildPrograms(): Promise<string> {
  const target = await mkdtemp(join(tmpdir(), 'rollcall-programs-'));
  await writeFile(join(target, 'package.json'), '{"type":"module"}');
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'));
  for (const folder of sources) {
    for (const name of await readdir(join(root, folder), { recursive: true })) {
      if (name.endsWith('.ts')) await transpile(join(folder, name), target);
    }
  }
  return target;
}

async function transpile(path: string, target: string): Promise<void> {
  const { outputText } = ts.transpileModule(await readFile(join(root, path), 'utf8'), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2023,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  });
  const place = join(target, path.replace(/\.ts$/, '.js'));
  await mkdir(dirname(place), { recursive: true });
  await writeFile(place, outputText);
}
