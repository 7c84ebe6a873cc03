import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { converse, startModule } from '../processes.ts';
import type { WatchersJob, WatchersReport } from './watchers.ts';

/** Watchers, as seen from the process that runs the benchmark. */
export class WatchersProcess {
  readonly process: ChildProcess = startModule(new URL('./watchers.js', import.meta.url));

  async ask(job: WatchersJob): Promise<void> {
    await converse(this.process, job, () => {});
  }

  /** What came since the last time. */
  async lap(): Promise<WatchersReport> {
    let last: WatchersReport | null = null;
    await converse(this.process, { type: 'lap' }, (report: WatchersReport) => {
      last = report;
    });
    if (last === null) throw new Error('The watchers reported nothing');
    return last;
  }

  async end(): Promise<void> {
    const exit = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await exit;
  }
}
