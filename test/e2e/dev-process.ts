/** `rollcall dev` as a process, started by itself or by npm, for tests that signal it and its nodes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { eventually, program } from './cluster.ts';

export const root = resolve(import.meta.dirname, '../..');

export interface DevDocument {
  readonly leader: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly role: string;
    readonly clientAddress: string;
    readonly pid: number;
  }[];
}

const direct = [process.execPath, program, 'dev'];
export const npmStart = ['npm', 'start', '--'];

export class Dev {
  readonly process: ChildProcess;
  output = '';
  errors = '';

  readonly #closed: Promise<number | null>;

  /** `command` is what runs `rollcall dev`: the program itself, or `npm start`. */
  constructor(parameters: readonly string[], command: readonly string[] = direct) {
    const [file = '', ...rest] = [...command, ...parameters];
    const child = spawn(file, rest, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // The tests themselves may run under nohup.
      env: { ...process.env, _: undefined },
    });
    // Both streams end only when nobody who inherited them is left.
    this.#closed = new Promise((done) => child.once('close', done));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.process = child;
  }

  /** The table that says that the cluster is up. */
  document(): Promise<DevDocument> {
    return eventually('the cluster', async () => {
      if (this.process.exitCode !== null) throw new Error(this.errors);
      // npm has lines of its own to say before.
      const line = /^\{.*\}\n/m.exec(this.output);
      return line === null ? null : (JSON.parse(line[0]) as DevDocument);
    });
  }

  /** Waits until it says the text, or something that matches, beside the table. */
  async says(text: string | RegExp): Promise<string> {
    return eventually(`${text}`, async () => {
      const found = typeof text === 'string' ? this.errors.includes(text) : text.test(this.errors);
      if (!found && this.process.exitCode !== null) throw new Error(this.errors);
      return found && this.errors;
    });
  }

  /** The exit code, once it has ended and no process that shares its output is left. */
  exitCode(): Promise<number | null> {
    return this.#closed;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
