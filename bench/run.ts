/**
 * `npm run bench`: Rollcall beside etcd, and beside the limit of this machine. Here a benchmark gets its
 * directory, and whatever ends it, nothing of it is left behind. See `--help` for what there is.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CatchUpBench } from './catch-up/bench.ts';
import { FailoverBench } from './failover/bench.ts';
import { LeasesBench } from './leases/bench.ts';
import { LoadBench } from './load/bench.ts';
import { MillionBench } from './million/bench.ts';
import { killAll, stopAll } from './processes.ts';
import { progress } from './progress.ts';
import { resultsDirectory } from './results.ts';
import { readSettings, type Settings } from './settings.ts';
import { SickFollowerBench } from './sick-follower/bench.ts';
import { WatchBench } from './watch/bench.ts';

function benchmarkOf(given: Settings): { run(): Promise<void> } {
  switch (given.benchmark) {
    case 'load':
      return new LoadBench(given, directory);
    case 'failover':
      return new FailoverBench(given, directory);
    case 'catch-up':
      return new CatchUpBench(given, directory);
    case 'sick-follower':
      return new SickFollowerBench(given, directory);
    case 'leases':
      return new LeasesBench(given, directory);
    case 'million':
      return new MillionBench(given, directory);
    case 'watch':
      return new WatchBench(given, directory);
  }
}

const settings = readSettings(process.argv.slice(2));
await mkdir(resultsDirectory, { recursive: true });
// Beside the results: on the disk of the project, which a temporary directory need not be.
const directory = await mkdtemp(join(resultsDirectory, 'data-'));
const removeDirectory = () => rm(directory, { recursive: true, force: true });
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    isInterrupted = true;
    killAll();
    void stopAll().then(async () => {
      await removeDirectory();
      process.exit(130);
    });
  });
}
try {
  await benchmarkOf(settings).run();
} catch (error) {
  progress('');
  const message = error instanceof Error ? error.message : String(error);
  // What fails because all was ended is no news.
  if (!isInterrupted) process.stderr.write(`error: ${message}\n`);
  process.exitCode = isInterrupted ? 130 : 1;
} finally {
  await stopAll();
  await removeDirectory();
}
