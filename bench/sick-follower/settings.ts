import { Command, Option } from 'commander';
import { pick, positive, wholePositive, wholeUpTo } from '../options.ts';
import { type Sickness, sicknesses } from './sicknesses.ts';

export interface SickFollowerSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly valueBytes: number;
  /** Puts per second, of all writers together. */
  readonly rate: number;
  readonly sicknesses: readonly Sickness[];
}

const help = `
Three processes of Rollcall as shipped, whose messages to each other pass through links. 50 writers in one
process, which uses the SDK with its defaults, put at a steady rate; every put is timed from the moment
it was due. In each round and for each sickness they are timed while all nodes are well, then while a
follower is sick, and then that one gets well and catches up. The median of the rounds counts.

Sicknesses
  hung  its process is stopped (SIGSTOP), and its connections stay open
  slow  its process runs for 10 ms and stands still for 90 ms, again and again
  far   64 KiB/s pass towards it, which is less than what is written

Figures
  ms       between the moment that a put was due and its acknowledgement
  times    the p99 with the sick follower, by the p99 of the same round without
  stall    the longest time between two acknowledged puts, of all writers together
  waiting  the share of the time in which the leader could have run but had no processor

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench -- sick-follower`. */
export function sickFollowerCommand(run: (settings: SickFollowerSettings) => void): Command {
  return new Command('sick-follower')
    .description('Measure what a follower that hangs, is slow or far away costs the others.')
    .option('--rounds <number>', 'how often each sickness is measured', wholePositive, 5)
    .option('--seconds <number>', 'length of each measurement', positive, 4)
    .option('--value-bytes <number>', 'bytes of each value', wholeUpTo(1024 * 1024 - 16_384), 256)
    .option('--rate <number>', 'puts per second', wholeUpTo(100_000), 1000)
    .addOption(
      new Option('--sicknesses <list>', 'which, separated by commas')
        .argParser((text: string) => pick(text, sicknesses, ({ name }) => name))
        .default(sicknesses, 'all'),
    )
    .addHelpText('after', help)
    .allowExcessArguments(false)
    .action(run);
}
