/**
 * The writer, a process of its own: one request outstanding at a time, every write to a key of its own.
 * It sends the signals itself, so that they and the acknowledgements are timed by one clock.
 */
import { randomBytes } from 'node:crypto';
import { valueBytes } from '../load/loads.ts';
import { answerEach } from '../worker.ts';
import { openEtcdStore } from './etcd-store.ts';
import type { Fault, FaultName } from './faults.ts';
import { type Acknowledgement, type Measurement, timesAround } from './measurement.ts';
import { openSdkStore } from './sdk-store.ts';
import type { Store, StoreName } from './store.ts';

export type WriterJob =
  | { readonly type: 'open'; readonly store: StoreName; readonly endpoints: readonly string[] }
  /** Writes from now on; what for is part of the keys. */
  | { readonly type: 'write'; readonly fault: FaultName; readonly leader: string }
  /** Signals the process, measures for so long, and ends the writing. */
  | {
      readonly type: 'strike';
      readonly pid: number;
      readonly signal: Fault['signal'];
      readonly measureMs: number;
    }
  /** Reads everything back. */
  | { readonly type: 'check' };

export type WriterReport =
  | { readonly type: 'measured'; readonly measurement: Measurement }
  | { readonly type: 'checked'; readonly counts: readonly WriteCount[] };

export interface WriteCount {
  readonly fault: FaultName;
  readonly acknowledged: number;
  readonly lost: number;
}

const prefix = 'bench/failover/';
const stallMsMax = 30_000;

class Writer {
  readonly #store: Store;
  readonly #value = randomBytes(valueBytes);
  /** The keys of all acknowledged writes. */
  readonly #acknowledged = new Map<FaultName, string[]>();
  #written = 0;
  #fault: FaultName = 'kill';
  #writing: Promise<void> | null = null;
  #isStopping = false;
  /** While measuring all since the signal and one before; else only the last one. */
  #times: Acknowledgement[] = [];
  #isMeasuring = false;
  #failures: string[] = [];
  #acknowledge: (times: Acknowledgement) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
  }

  async write(fault: FaultName, leader: string): Promise<void> {
    await this.#store.whole(leader);
    this.#fault = fault;
    this.#failures = [];
    this.#isStopping = false;
    this.#writing = this.#run();
    await this.#acknowledgedSince(0);
  }

  async strike(pid: number, signal: Fault['signal'], measureMs: number): Promise<Measurement> {
    this.#isMeasuring = true;
    this.#failures = [];
    const acknowledgements = this.#times;
    const signalMs = performance.now();
    process.kill(pid, signal);
    await this.#acknowledgedSince(signalMs + measureMs);
    this.#isMeasuring = false;
    this.#isStopping = true;
    await this.#writing;
    const times = timesAround(signalMs, acknowledgements);
    if (times === null) throw new Error('Nothing was measured');
    const [firstFailure = null] = this.#failures;
    return { ...times, failures: this.#failures.length, firstFailure };
  }

  async check(): Promise<readonly WriteCount[]> {
    const present = await this.#store.keys(prefix);
    return [...this.#acknowledged].map(([fault, keys]) => ({
      fault,
      acknowledged: keys.length,
      lost: keys.filter((key) => !present.has(key)).length,
    }));
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const key = `${prefix}${this.#fault}/${String(this.#written++).padStart(8, '0')}`;
      const sentMs = performance.now();
      await this.#store.put(key, this.#value).then(
        () => this.#count(key, { sentMs, cameMs: performance.now() }),
        (error: Error) => this.#failures.push(error.message),
      );
    }
  }

  #count(key: string, times: Acknowledgement): void {
    const keys = this.#acknowledged.get(this.#fault) ?? [];
    keys.push(key);
    this.#acknowledged.set(this.#fault, keys);
    if (this.#isMeasuring) this.#times.push(times);
    else this.#times = [times];
    this.#acknowledge(times);
  }

  /** Resolves when a write is acknowledged that was sent then or later. */
  #acknowledgedSince(sinceMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const stalled = () => {
        const why = this.#failures.at(-1) ?? 'the last one waits for its answer';
        reject(new Error(`No write was acknowledged for ${stallMsMax / 1000} s: ${why}`));
      };
      let timer = setTimeout(stalled, stallMsMax);
      this.#acknowledge = ({ sentMs }) => {
        clearTimeout(timer);
        if (sentMs >= sinceMs) resolve();
        else timer = setTimeout(stalled, stallMsMax);
      };
    });
  }
}

let writer: Writer | null = null;

answerEach(async (job: WriterJob) => {
  if (job.type === 'open') {
    const { store, endpoints } = job;
    writer = new Writer(store === 'sdk' ? await openSdkStore(endpoints) : openEtcdStore(endpoints));
    return;
  }
  if (writer === null) throw new Error('Nothing was opened');
  if (job.type === 'write') await writer.write(job.fault, job.leader);
  else if (job.type === 'check') report({ type: 'checked', counts: await writer.check() });
  else {
    const measurement = await writer.strike(job.pid, job.signal, job.measureMs);
    report({ type: 'measured', measurement });
  }
});

function report(message: WriterReport): void {
  process.send?.(message);
}
