/**
 * The load generator, a process of its own. Takes one job at a time over IPC, opens the connections,
 * keeps every slot of each busy, and measures what is answered within the window after the warm-up.
 * Says `measuring` and `measured` so that its parent can read the servers' clocks at both moments.
 */
import type { Connect, Connection, DriverName } from '../drivers/driver.ts';
import { connectFrames } from '../drivers/frames.ts';
import { connectHttp2 } from '../drivers/http2.ts';
import { connectSdk } from '../drivers/sdk.ts';
import { elapse } from '../progress.ts';
import { quantile } from '../statistics.ts';
import { answerEach } from '../worker.ts';
import { keySpace, type Load } from './loads.ts';

export interface Job {
  readonly driver: DriverName;
  readonly endpoint: string;
  readonly load: Pick<Load, 'operation' | 'connections' | 'outstanding'>;
  /** Null: write every key once and be done. */
  readonly window: MeasurementWindow | null;
}

export interface MeasurementWindow {
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface Measurement {
  readonly operations: number;
  readonly failures: number;
  readonly firstFailure: string | null;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the generator itself, for each operation. */
  readonly generatorMicros: number;
}

export type Report =
  | { readonly type: 'measuring' }
  | { readonly type: 'measured'; readonly measurement: Measurement };

const drainMsMax = 5_000;
const fillMsMax = 60_000;
const connectsAtOnce = 50;
const connects: Readonly<Record<DriverName, Connect>> = {
  frames: connectFrames,
  http2: connectHttp2,
  sdk: connectSdk,
};

/** Keeps the slots of all connections busy until it is stopped, or until every key has had its turn. */
class Run {
  readonly #job: Job;
  readonly #connections: Connection[] = [];
  readonly #ended: Promise<void>;
  #end: () => void = () => {};
  #fail: (error: Error) => void = () => {};
  #open = 0;
  #nextKey = 0;
  #isStopping = false;
  #isMeasuring = false;
  readonly #latenciesMs: number[] = [];
  #failures = 0;
  #firstFailure: string | null = null;

  constructor(job: Job) {
    this.#job = job;
    this.#ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    this.#ended.catch(() => {});
  }

  async run(): Promise<void> {
    const { load, window } = this.#job;
    try {
      const starts: (() => void)[] = [];
      while (starts.length < load.connections) {
        const count = Math.min(connectsAtOnce, load.connections - starts.length);
        starts.push(...(await Promise.all(Array.from({ length: count }, () => this.#connect()))));
      }
      for (const start of starts) start();
      if (window === null) {
        await Promise.race([this.#ended, elapse(fillMsMax)]);
        if (this.#firstFailure !== null) throw new Error(this.#firstFailure);
      } else {
        await Promise.race([this.#ended, this.#measure(window)]);
        await Promise.race([this.#ended, elapse(drainMsMax)]);
      }
    } finally {
      for (const connection of this.#connections) connection.close();
    }
  }

  /** Opens a connection; the returned function starts all its slots. */
  async #connect(): Promise<() => void> {
    const { driver, endpoint, load } = this.#job;
    const startsMs = new Float64Array(load.outstanding);
    const ask = (slot: number) => {
      const key = this.#takeKey();
      if (key === null) return;
      this.#open++;
      startsMs[slot] = performance.now();
      connection.send(slot, key);
    };
    const connection = await connects[driver]({
      endpoint,
      operation: load.operation,
      outstanding: load.outstanding,
      answered: (slot, failure) => {
        this.#open--;
        this.#count(performance.now() - (startsMs[slot] ?? 0), failure);
        ask(slot);
        if (this.#open === 0) this.#end();
      },
      lost: (reason) => this.#fail(new Error(reason)),
    });
    this.#connections.push(connection);
    return () => {
      for (let slot = 0; slot < load.outstanding; slot++) ask(slot);
      connection.flush();
    };
  }

  #takeKey(): number | null {
    if (this.#isStopping) return null;
    if (this.#job.window !== null) return Math.floor(Math.random() * keySpace);
    return this.#nextKey < keySpace ? this.#nextKey++ : null;
  }

  #count(latencyMs: number, failure: string | null): void {
    if (failure !== null) {
      this.#firstFailure ??= failure;
      if (this.#isMeasuring) this.#failures++;
    } else if (this.#isMeasuring) this.#latenciesMs.push(latencyMs);
  }

  async #measure({ warmUpMs, measureMs }: MeasurementWindow): Promise<void> {
    await elapse(warmUpMs);
    report({ type: 'measuring' });
    this.#isMeasuring = true;
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    await elapse(measureMs);
    const elapsedMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    this.#isMeasuring = false;
    this.#isStopping = true;
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    report({
      type: 'measured',
      measurement: {
        operations: sorted.length,
        failures: this.#failures,
        firstFailure: this.#firstFailure,
        elapsedMs,
        p50Ms: quantile(sorted, 0.5),
        p99Ms: quantile(sorted, 0.99),
        generatorMicros: (user + system) / Math.max(1, sorted.length),
      },
    });
  }
}

function report(message: Report): void {
  process.send?.(message);
}

answerEach((job: Job) => new Run(job).run());
