import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { RollcallError } from '../client/index.ts';
import type { Terminal } from './terminal.ts';

/** A command that runs on our streams and gets our signals. */
export class Child {
  /** Its exit code; 128 + n when signal n ended it. Rejects if it can't be started. */
  readonly ended: Promise<number>;
  readonly #process: ChildProcess;

  constructor(terminal: Terminal, command: string, args: readonly string[]) {
    const child = spawn(command, args, { stdio: 'inherit' });
    this.#process = child;
    const stopListening = terminal.onSignal((signal) => {
      // A terminal sends Ctrl-C to the whole process group: the command has it already.
      if (signal !== 'SIGINT' || !terminal.interactive) child.kill(signal);
    });
    this.ended = new Promise<number>((resolve, reject) => {
      child.once('error', (cause) => {
        const message = `${command} cannot be started: ${cause.message}`;
        reject(new RollcallError('invalidArgument', message, { cause }));
      });
      child.once('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    }).finally(stopListening);
    // Whoever waits for something else first asks for it later.
    this.ended.catch(() => {});
  }

  stop(): void {
    this.#process.kill('SIGTERM');
  }
}
