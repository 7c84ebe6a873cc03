import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { converse, startModule } from '../processes.ts';
import type { Measurement, WriteCount, WritersJob, WritersReport } from './writers.ts';

/** The writers, as seen from the process that runs the benchmark. */
export class WritersProcess {
  readonly #process: ChildProcess = startModule(new URL('./writers.js', import.meta.url));
  readonly #progress: (written: number) => void;

  constructor(progress: (written: number) => void) {
    this.#progress = progress;
  }

  async measure(job: WritersJob & { readonly type: 'fill' | 'lap' }): Promise<Measurement> {
    const report = await this.ask(job);
    if (report?.type !== 'measured') throw new Error('The writers measured nothing');
    return report.measurement;
  }

  async check(): Promise<WriteCount> {
    const report = await this.ask({ type: 'check' });
    if (report?.type !== 'checked') throw new Error('The writers checked nothing');
    return report.count;
  }

  /** The last report of the job. */
  async ask(job: WritersJob): Promise<WritersReport | null> {
    let last: WritersReport | null = null;
    await converse(this.#process, job, (report: WritersReport) => {
      if (report.type === 'progress') this.#progress(report.written);
      last = report;
    });
    return last;
  }

  async end(): Promise<void> {
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGTERM');
    await exit;
  }
}
