/** Runs the seeds that it is sent, one by one, and sends back what came of them. */
import { lost } from '../pool.ts';
import { runSeed, type SeedReport } from '../scenario.ts';

let seed = 0;

function send(report: SeedReport): void {
  process.send?.(report);
}

/** Something that no node waits for has failed: the seed is at fault, and nobody knows what is left. */
process.on('unhandledRejection', (error) => {
  const violation = `Unhandled: ${error instanceof Error ? error.stack : String(error)}`;
  send(lost(seed, violation));
  process.disconnect();
});

process.on('message', (wanted: number) => {
  seed = wanted;
  void runSeed(wanted).then(send);
});

// The parent decides what an interruption means.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
