/** Worker processes that share a list of seeds. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedReport } from './scenario.ts';

const program = fileURLToPath(new URL('./programs/worker.js', import.meta.url));

export class Pool {
  readonly #workers = new Set<ChildProcess>();
  readonly #next: () => number | null;
  readonly #onReport: (report: SeedReport) => void;
  #isClosed = false;

  /** `next` gives the seeds, null after the last one. */
  constructor(next: () => number | null, onReport: (report: SeedReport) => void) {
    this.#next = next;
    this.#onReport = onReport;
  }

  /** Resolves when every seed has been run, or after `close`. */
  async run(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#work()));
  }

  close(): void {
    this.#isClosed = true;
    for (const worker of this.#workers) worker.kill('SIGKILL');
  }

  /** A worker that ended has left a seed unfinished at most; another one takes its place. */
  async #work(): Promise<void> {
    let isDone = false;
    while (!isDone && !this.#isClosed) isDone = await this.#runWorker();
  }

  /** True when there was nothing left to do. */
  #runWorker(): Promise<boolean> {
    return new Promise((resolve) => {
      const worker = fork(program, { execArgv: ['--max-semi-space-size=32'] });
      let isDone = false;
      let seed: number | null = null;
      const give = (): void => {
        seed = this.#next();
        if (seed === null) {
          isDone = true;
          worker.disconnect();
        } else worker.send(seed);
      };
      this.#workers.add(worker);
      worker.on('message', (report: SeedReport) => {
        seed = null;
        this.#onReport(report);
        if (worker.connected) give();
      });
      worker.on('exit', (code) => {
        this.#workers.delete(worker);
        if (seed !== null && !this.#isClosed) this.#onReport(lost(seed, code));
        resolve(isDone);
      });
      give();
    });
  }
}

function lost(seed: number, code: number | null): SeedReport {
  const violation = `The process that ran it ended with ${code}`;
  const nothing = { hash: '', events: 0, virtualMs: 0, faults: {}, probes: [] };
  return { seed, violation, leaderChanges: 0, acknowledged: 0, ...nothing };
}
