/** Worker processes that share a list of seeds. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SeedReport } from './scenario.ts';

const ownProgram = fileURLToPath(new URL('./programs/worker.js', import.meta.url));

export interface PoolOptions {
  /** What the workers run; the worker of this very build unless given. */
  readonly program?: string;
  /** A seed that runs for longer is ended, and counts as failed; in milliseconds, no bound unless given. */
  readonly seedMsMax?: number;
}

export class Pool {
  readonly #workers = new Set<ChildProcess>();
  readonly #next: () => number | null;
  readonly #onReport: (report: SeedReport) => void;
  readonly #program: string;
  readonly #seedMsMax: number | null;
  #isClosed = false;

  /** `next` gives the seeds, null after the last one. */
  constructor(
    next: () => number | null,
    onReport: (report: SeedReport) => void,
    { program = ownProgram, seedMsMax }: PoolOptions = {},
  ) {
    this.#next = next;
    this.#onReport = onReport;
    this.#program = program;
    this.#seedMsMax = seedMsMax ?? null;
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
      const worker = fork(this.#program, { execArgv: ['--max-semi-space-size=32'] });
      let isDone = false;
      let seed: number | null = null;
      let timer: NodeJS.Timeout | null = null;
      const give = (): void => {
        seed = this.#next();
        timer = this.#timeOut(worker);
        if (seed === null) {
          isDone = true;
          worker.disconnect();
        } else worker.send(seed);
      };
      this.#workers.add(worker);
      worker.on('message', (report: SeedReport) => {
        seed = null;
        if (timer !== null) clearTimeout(timer);
        this.#onReport(report);
        if (worker.connected) give();
      });
      worker.on('exit', (code) => {
        this.#workers.delete(worker);
        if (timer !== null) clearTimeout(timer);
        if (seed !== null && !this.#isClosed) this.#onReport(lost(seed, this.#endOf(code)));
        resolve(isDone);
      });
      give();
    });
  }

  #timeOut(worker: ChildProcess): NodeJS.Timeout | null {
    if (this.#seedMsMax === null) return null;
    return setTimeout(() => worker.kill('SIGKILL'), this.#seedMsMax);
  }

  /** Only what ran for too long is killed, as long as nobody has closed the pool. */
  #endOf(code: number | null): string {
    return code === null && this.#seedMsMax !== null
      ? `It did not come to an end within ${this.#seedMsMax / 1000} s`
      : `The process that ran it ended with ${code}`;
  }
}

/** Of a seed whose run came to no end, as far as anybody knows. */
export function lost(seed: number, violation: string): SeedReport {
  const nothing = {
    hash: '',
    hashOfBeginning: '',
    events: 0,
    virtualMs: 0,
    faults: {},
    probes: [],
  };
  return { seed, violation, leaderChanges: 0, acknowledged: 0, ...nothing };
}
