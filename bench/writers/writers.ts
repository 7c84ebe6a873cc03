/**
 * The writers, in a process of their own: each has one put outstanding at a time, every put goes to a
 * key of its own. A put that failed or may have failed is not repeated.
 */
import { randomBytes } from 'node:crypto';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { type Client, connect } from '../../src/client/index.ts';
import { elapse } from '../progress.ts';
import { answerEach } from '../worker.ts';
import { keyOf, writesPrefix } from './put-key.ts';
import { stamp } from './stamp.ts';
import { type Span, Stopwatch } from './stopwatch.ts';

export type WritersJob =
  | { readonly type: 'open'; readonly endpoints: readonly string[]; readonly valueBytes: number }
  /** Writes so much as fast as it is acknowledged; measures that. */
  | { readonly type: 'fill'; readonly writes: number }
  /** Writes at this rate from now on, instead of one that was begun before; to so many keys in turn, where `keys` says so. */
  | { readonly type: 'begin'; readonly rate: number; readonly keys?: number }
  /** Measures since the last measurement. */
  | { readonly type: 'lap' }
  /** Ends the writing, and reads everything back. */
  | { readonly type: 'check' };

export type WritersReport =
  | { readonly type: 'progress'; readonly written: number }
  | { readonly type: 'measured'; readonly measurement: Measurement }
  | { readonly type: 'checked'; readonly count: WriteCount };

export interface Measurement extends Span {
  /** Puts that failed or may have. */
  readonly failures: number;
  readonly firstFailure: string | null;
  /** The longest pause of this process itself. */
  readonly ownPauseMs: number;
}

export interface WriteCount {
  readonly acknowledged: number;
  readonly lost: number;
}

const writersCount = 50;
const progressSteps = 10;
const failuresMax = 1000;
/** Values are cut out of random bytes, so that no store makes less of them. */
const poolBytes = 4 * 1024 * 1024;

class Writers {
  readonly #client: Client;
  readonly #valueBytes: number;
  readonly #pool = randomBytes(poolBytes);
  readonly #stopwatch = new Stopwatch();
  readonly #delays: IntervalHistogram;
  /** Puts are numbered; all below were sent. */
  #sent = 0;
  #keys = Number.POSITIVE_INFINITY;
  #acknowledged = 0;
  readonly #failed = new Set<number>();
  #failures: string[] = [];
  #writing: Promise<unknown> = Promise.resolve();
  #isStopping = false;
  /** Counts the rates that were begun. */
  #pace = 0;

  constructor(client: Client, valueBytes: number) {
    this.#client = client;
    this.#valueBytes = valueBytes;
    this.#delays = monitorEventLoopDelay({ resolution: 1 });
    this.#delays.enable();
  }

  async fill(writes: number): Promise<Measurement> {
    this.#stopwatch.begin(performance.now());
    let left = writes;
    let written = 0;
    const step = Math.ceil(writes / progressSteps);
    await everyWriter(async () => {
      while (left > 0) {
        left--;
        if (await this.#put(performance.now())) {
          if (++written % step === 0) report({ type: 'progress', written });
        } else if (this.#failures.length < failuresMax) left++;
        else throw new Error(`${failuresMax} puts failed; the last: ${this.#failures.at(-1)}`);
      }
    });
    return this.lap();
  }

  /**
   * Put k is due k / rate after now; a writer that is free takes the next one, due or overdue. What was begun
   * before ends.
   */
  begin(rate: number, keys: number): void {
    const pace = ++this.#pace;
    const startMs = performance.now();
    this.#keys = keys;
    this.#stopwatch.begin(startMs);
    let taken = 0;
    const writing = everyWriter(async () => {
      while (!this.#isStopping && this.#pace === pace) {
        const dueMs = startMs + (taken++ / rate) * 1000;
        const waitMs = dueMs - performance.now();
        if (waitMs > 0) await elapse(waitMs);
        await this.#put(dueMs);
      }
    });
    this.#writing = Promise.all([this.#writing, writing]);
  }

  lap(): Measurement {
    const span = this.#stopwatch.lap(performance.now());
    const failures = this.#failures;
    this.#failures = [];
    const ownPauseMs = this.#delays.max / 1e6;
    this.#delays.reset();
    const [firstFailure = null] = failures;
    return { ...span, failures: failures.length, firstFailure, ownPauseMs };
  }

  async check(): Promise<WriteCount> {
    this.#isStopping = true;
    await this.#writing;
    const { pairs } = await this.#client.getPrefix(writesPrefix, { keysOnly: true });
    const present = new Set(pairs.map(({ keyText }) => keyText));
    let lost = 0;
    for (let number = 0; number < this.#sent; number++) {
      if (!this.#failed.has(number) && !present.has(keyOf(number % this.#keys))) lost++;
    }
    return { acknowledged: this.#acknowledged, lost };
  }

  /** Whether it was acknowledged. */
  async #put(dueMs: number): Promise<boolean> {
    const number = this.#sent++;
    const from = Math.floor(Math.random() * (poolBytes - this.#valueBytes));
    const value = Uint8Array.prototype.slice.call(this.#pool, from, from + this.#valueBytes);
    stamp(value);
    try {
      await this.#client.put(keyOf(number % this.#keys), value);
    } catch (error) {
      this.#failed.add(number);
      this.#failures.push(error instanceof Error ? error.message : String(error));
      return false;
    }
    this.#acknowledged++;
    const nowMs = performance.now();
    this.#stopwatch.acknowledged(nowMs - dueMs, nowMs);
    return true;
  }
}

function everyWriter(write: () => Promise<void>): Promise<unknown> {
  return Promise.all(Array.from({ length: writersCount }, write));
}

let writers: Writers | null = null;

answerEach(async (job: WritersJob) => {
  if (job.type === 'open') {
    writers = new Writers(await connect({ endpoints: job.endpoints }), job.valueBytes);
    return;
  }
  if (writers === null) throw new Error('Nothing was opened');
  if (job.type === 'begin') writers.begin(job.rate, job.keys ?? Number.POSITIVE_INFINITY);
  else if (job.type === 'check') report({ type: 'checked', count: await writers.check() });
  else {
    const measurement = job.type === 'fill' ? await writers.fill(job.writes) : writers.lap();
    report({ type: 'measured', measurement });
  }
});

function report(message: WritersReport): void {
  process.send?.(message);
}
