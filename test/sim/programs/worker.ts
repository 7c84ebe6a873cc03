/** Runs the seeds that it is sent, one by one, and sends back what came of them. */
import { runSeed, type SeedReport } from '../scenario.ts';

let seed = 0;

function send(report: SeedReport): void {
  process.send?.(report);
}

/** Something that no node waits for has failed: the seed is at fault, and nobody knows what is left. */
process.on('unhandledRejection', (error) => {
  const violation = `Unhandled: ${error instanceof Error ? error.stack : String(error)}`;
  const nothing = {
    hash: '',
    hashOfBeginning: '',
    events: 0,
    virtualMs: 0,
    faults: {},
    probes: [],
  };
  send({ seed, violation, leaderChanges: 0, acknowledged: 0, ...nothing });
  process.disconnect();
});

process.on('message', (wanted: number) => {
  seed = wanted;
  void runSeed(wanted).then(send);
});

// The parent decides what an interruption means.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
