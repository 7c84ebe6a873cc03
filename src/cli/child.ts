import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { StopSignal, Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** As shells say it. */
const exitCodes = { notExecutable: 126, notFound: 127, signal: 128 } as const;
/** How long a command may take to end before its user is told what is waited for. */
const patienceMs = 2000;

/**
 * A command that runs on our streams and gets our signals. The first signal is passed on; one that does
 * not end it is followed by a word on what is waited for, and the next signal kills it.
 */
export class Child {
  /** Its exit code; 128 + n when signal n ended it. Rejects with a UsageError if it can't be started. */
  readonly ended: Promise<number>;
  readonly #terminal: Terminal;
  readonly #command: string;
  readonly #process: ChildProcess;
  #impatience: NodeJS.Timeout | null = null;
  #over = false;

  /** `environment` is added to ours. */
  constructor(
    terminal: Terminal,
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) {
    if (command === '') throw notStarted(command, { code: 'ENOENT' });
    this.#terminal = terminal;
    this.#command = command;
    const child = spawn(command, args, {
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    this.#process = child;
    const stopListening = terminal.onSignal((signal) => this.#pass(signal));
    this.ended = new Promise<number>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => reject(notStarted(command, cause)));
      child.once('exit', (code, signal) => {
        resolve(code ?? exitCodes.signal + (signal === null ? 0 : constants.signals[signal]));
      });
    }).finally(() => {
      this.#over = true;
      stopListening();
      if (this.#impatience !== null) clearTimeout(this.#impatience);
    });
    // Whoever waits for something else first asks for it later.
    this.ended.catch(() => {});
  }

  /** Asks it to end, as the first signal does; one that has ended is left alone. */
  stop(): void {
    if (!this.#over) this.#end('SIGTERM');
  }

  /** Ends it at once. */
  kill(): void {
    if (!this.#over) this.#process.kill('SIGKILL');
  }

  get over(): boolean {
    return this.#over;
  }

  #pass(signal: StopSignal): void {
    if (this.#impatience !== null) this.#process.kill('SIGKILL');
    // A terminal sends Ctrl-C to the whole process group: the command has it already.
    else this.#end(signal === 'SIGINT' && this.#terminal.interactive ? null : signal);
  }

  #end(signal: StopSignal | null): void {
    if (signal !== null) this.#process.kill(signal);
    this.#impatience ??= setTimeout(() => {
      this.#terminal.warn(
        `rollcall: waits for ${this.#command} (process ${this.#process.pid}) to end; ` +
          'another signal kills it\n',
      );
    }, patienceMs);
  }
}

function notStarted(command: string, cause: { readonly code?: string | undefined }): UsageError {
  return cause.code === 'ENOENT'
    ? new UsageError(`"${command}": command not found`, { cause, exitCode: exitCodes.notFound })
    : new UsageError(`"${command}" cannot be executed (${cause.code})`, {
        cause,
        exitCode: exitCodes.notExecutable,
      });
}
