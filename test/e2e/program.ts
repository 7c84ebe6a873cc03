/** The program as a user runs it: what it printed, on which stream, and how it ended. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { eventually, program } from './cluster.ts';

export interface Ending {
  /** 128 + n is what a shell makes of signal n; here a signal stands by its name. */
  readonly code: number | NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export class Program {
  readonly process: ChildProcess;
  output = '';
  errors = '';
  readonly ended: Promise<Ending>;

  constructor(
    parameters: readonly string[],
    options: SpawnOptions = {},
    command: readonly string[] = [process.execPath, program],
  ) {
    const [file = '', ...first] = command;
    const child = spawn(file, [...first, ...parameters], {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text;
    });
    this.process = child;
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ code: code ?? signal, output: this.output, errors: this.errors });
      });
    });
  }

  /** Waits until standard output has the text. */
  async prints(text: string): Promise<void> {
    await eventually(`"${text}" in the output`, async () => {
      if (this.process.exitCode !== null && !this.output.includes(text)) {
        throw new Error(`It ended without "${text}": ${this.output}${this.errors}`);
      }
      return this.output.includes(text);
    });
  }

  signal(signal: NodeJS.Signals): Promise<Ending> {
    this.process.kill(signal);
    return this.ended;
  }
}

/** Runs another program to its end. */
export function runCommand(
  command: string,
  parameters: readonly string[],
  options?: SpawnOptions,
): Promise<Ending> {
  return new Program(parameters, options, [command]).ended;
}

/** Runs it to its end. */
export function runProgram(parameters: readonly string[], options?: SpawnOptions): Promise<Ending> {
  return new Program(parameters, options).ended;
}
