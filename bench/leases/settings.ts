import { Command } from 'commander';
import { positive, wholePositive, wholeUpTo } from '../options.ts';

export interface LeasesSettings {
  readonly rounds: number;
  /** How long the leases are kept while that is measured. */
  readonly seconds: number;
  readonly leases: number;
  readonly connections: number;
  readonly ttlMs: number;
  /** Puts per second while the leases end. */
  readonly rate: number;
}

const help = `
Three processes of Rollcall as shipped. One process holds all leases over as many clients of the SDK as there
are connections; each lease has one key, and is renewed every third of its TTL. First it is measured what
keeping them costs the leader, while nobody does anything else. Then 50 writers in another process put at a
steady rate, before and while all leases end at once: they are renewed together for the last time, and left alone.

Figures
  core     the leader's processor time by the time that passed: 1 is one whole core
  gone s   between the moment when the last lease was due and the end of the last key
  put ms   between the moment that a put was due and its acknowledgement
  waiting  the share of the time in which the leader could have run but had no processor

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench -- leases`. */
export function leasesCommand(run: (settings: LeasesSettings) => void): Command {
  return new Command('leases')
    .description('Measure what it costs to keep very many leases, and to end them all at once.')
    .option('--rounds <number>', 'how often all of it is done', wholePositive, 1)
    .option('--seconds <number>', 'for how long they are kept', positive, 20)
    .option('--leases <number>', 'how many', wholeUpTo(1_000_000), 100_000)
    .option('--connections <number>', 'over how many clients', wholeUpTo(1000), 100)
    .option('--ttl-ms <number>', 'TTL of each lease', wholeUpTo(600_000), 20_000)
    .option('--rate <number>', 'puts per second', wholeUpTo(100_000), 500)
    .addHelpText('after', help)
    .allowExcessArguments(false)
    .action(run);
}
