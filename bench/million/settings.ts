import { Command } from 'commander';
import { positive, wholeUpTo } from '../options.ts';

export interface MillionSettings {
  readonly keys: number;
  readonly versions: number;
  readonly valueBytes: number;
  /** Of each measurement of puts and of gets. */
  readonly seconds: number;
  /** How often all keys are written and compacted again. */
  readonly rounds: number;
}

const help = `
One node as shipped, a cluster of its own. Puts and gets of the SDK, 64 at a time, are timed while the store is
empty. Then all keys are written, again and again, until each has its versions; puts and gets of keys drawn
from all are timed once more, and the memory of the process is read. The node is stopped and started again:
from the start of the process until it answers. In the end all keys are written and everything but their
newest versions is compacted, round after round, and the size of the data directory is read.

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench -- million`. */
export function millionCommand(run: (settings: MillionSettings) => void): Command {
  return new Command('million')
    .description('Measure what a million keys with their history cost.')
    .option('--keys <number>', 'how many keys', wholeUpTo(10_000_000), 1_000_000)
    .option('--versions <number>', 'how often each of them is written', wholeUpTo(1000), 5)
    .option('--value-bytes <number>', 'bytes of each value', wholeUpTo(65_536), 256)
    .option('--seconds <number>', 'length of each measurement', positive, 10)
    .option('--rounds <number>', 'rounds of writing and compacting', wholeUpTo(1000), 10)
    .addHelpText('after', help)
    .allowExcessArguments(false)
    .action(run);
}
