/** The temper of one machine's disk, under its files and its database alike. */
import type { Random } from '../../src/base/prng.ts';
import type { FileOperation } from './files.ts';

export interface DiskOptions {
  readonly random: Random;
  /** Calls back after so long, in the process that waits. */
  readonly wait: (delayMs: number, callback: () => void) => void;
  /** How long a sync takes at least and on average. */
  readonly syncMsMin: number;
  readonly syncMsMean: number;
}

const durable: ReadonlySet<FileOperation['kind']> = new Set(['sync', 'writeDurably']);

export class SimDisk {
  readonly #options: DiskOptions;
  /** How many times slower than usual it is. */
  slowness = 1;
  /** Every write that needs more room fails for want of it. */
  isFull = false;
  /** Share of operations that fail. */
  errors = 0;
  /** Operations that wait for a hung disk; null while it works. */
  #hung: (() => void)[] | null = null;
  /** An operation failed since the machine was started. */
  hasFailed = false;
  /** A batch of the database is on its way. */
  isCheckpointing = false;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  get freeBytes(): number {
    return this.isFull ? 0 : 2 ** 40;
  }

  get isHung(): boolean {
    return this.#hung !== null;
  }

  hang(): void {
    this.#hung ??= [];
  }

  release(): void {
    const hung = this.#hung ?? [];
    this.#hung = null;
    for (const goOn of hung) this.#options.wait(0, goOn);
  }

  /** Before an operation on a file takes effect. */
  before({ kind, grows }: FileOperation): void | Promise<void> {
    if (this.errors > 0 && this.#options.random() < this.errors) this.#fail(`EIO in ${kind}`);
    if (this.isFull && grows) this.#fail(`ENOSPC in ${kind}`, 'ENOSPC');
    if (this.#hung === null && !durable.has(kind)) return;
    return this.#take();
  }

  async beforeBatch(): Promise<void> {
    this.isCheckpointing = true;
    try {
      if (this.errors > 0 && this.#options.random() < this.errors) this.#fail('EIO in a batch');
      if (this.isFull) this.#fail('ENOSPC in a batch', 'ENOSPC');
      await this.#take();
    } finally {
      this.isCheckpointing = false;
    }
  }

  /** Trouble ends, and what hangs goes on. */
  mend(): void {
    this.slowness = 1;
    this.isFull = false;
    this.errors = 0;
    this.release();
  }

  #take(): Promise<void> {
    const { random, wait, syncMsMin, syncMsMean } = this.#options;
    const delayMs = (syncMsMin - Math.log(1 - random()) * syncMsMean) * this.slowness;
    return new Promise((resolve) => {
      const done = (): void => {
        if (this.#hung === null) resolve();
        else this.#hung.push(resolve);
      };
      wait(delayMs, done);
    });
  }

  #fail(text: string, code = 'EIO'): never {
    this.hasFailed = true;
    throw Object.assign(new Error(text), { code });
  }
}
