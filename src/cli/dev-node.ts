/** One node of `rollcall dev`: a process of its own that is started again whenever it dies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isErrorCode, RollcallError } from '../base/errors.ts';
import type { PlannedNode } from './dev-plan.ts';

const program = fileURLToPath(new URL('../../../bin/rollcall.js', import.meta.url));
const leash = new URL('./dev-leash.js', import.meta.url).href;
const restartMs = 1_000;
/** A node that lived shorter than this failed to start rather than died. */
const quickMs = 5_000;
const quickFailuresMax = 5;
const stopMsMax = 10_000;

export type NodeEvent =
  | { readonly type: 'died'; readonly how: string }
  | { readonly type: 'restarted' }
  | { readonly type: 'givenUp'; readonly how: string };

export class DevNode {
  readonly plan: PlannedNode;
  readonly #report: (node: DevNode, event: NodeEvent) => void;
  #child: ChildProcess | null = null;
  #restart: NodeJS.Timeout | null = null;
  #startedMs = 0;
  /** Where in the log the words of the present process begin. */
  #logOffset = 0;
  #quickFailures = 0;
  #isStopping = false;
  #isGivenUp = false;

  constructor(plan: PlannedNode, report: (node: DevNode, event: NodeEvent) => void) {
    this.plan = plan;
    this.#report = report;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  start(): void {
    const log = openSync(this.plan.logPath, 'a');
    try {
      this.#logOffset = fstatSync(log).size;
      // Detached: Ctrl-C in the terminal must reach only this process, which then stops all in order.
      const child = spawn(process.execPath, ['--import', leash, program, ...this.plan.arguments], {
        stdio: ['ignore', log, log, 'ipc'],
        detached: true,
      });
      this.#child = child;
      this.#startedMs = performance.now();
      child.once('exit', (code, signal) => this.#ended(code, signal));
      child.once('error', (error) => this.#failed(error.message));
    } finally {
      closeSync(log);
    }
  }

  /** Asks the process to stop, waits for its end, and kills it when that takes too long. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#restart !== null) clearTimeout(this.#restart);
    const child = this.#child;
    if (child === null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await exited;
    clearTimeout(timer);
  }

  kill(): void {
    this.#isStopping = true;
    this.#child?.kill('SIGKILL');
  }

  /** Why the process ended, in the words of its log where that has an error. */
  failure(how: string): RollcallError {
    const { name, logPath } = this.plan;
    const said = readFileSync(logPath).subarray(this.#logOffset).toString('utf8');
    const lines = said.split('\n');
    for (const line of lines.reverse()) {
      const [, code = '', message] = /^error: (\w+): (.*)$/.exec(line) ?? [];
      if (isErrorCode(code)) return new RollcallError(code, `${name}: ${message}`);
    }
    return new RollcallError('unreachable', `${name} ended with ${how}; see ${logPath}`);
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    this.#failed(signal ?? `exit code ${code}`);
  }

  #failed(how: string): void {
    this.#child = null;
    if (this.#isStopping) return;
    const isQuick = performance.now() - this.#startedMs < quickMs;
    this.#quickFailures = isQuick ? this.#quickFailures + 1 : 0;
    if (this.#quickFailures >= quickFailuresMax) {
      this.#isGivenUp = true;
      this.#report(this, { type: 'givenUp', how });
      return;
    }
    this.#report(this, { type: 'died', how });
    // The report may have stopped it.
    if (this.#isStopping) return;
    this.#restart = setTimeout(() => {
      this.#restart = null;
      this.start();
      this.#report(this, { type: 'restarted' });
    }, restartMs);
  }
}
