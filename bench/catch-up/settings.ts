import { Command, Option } from 'commander';
import { pick, wholeUpTo } from '../options.ts';
import { type Way, ways } from './ways.ts';

export interface CatchUpSettings {
  readonly writes: number;
  readonly valueBytes: number;
  /** Puts per second from the fill on. */
  readonly rate: number;
  readonly ways: readonly Way[];
}

const help = `
Three processes of Rollcall as shipped. A follower is killed (SIGKILL), so many puts are written while it
is away, and it is started again while puts go on at a steady rate, until what it has applied stays
within a few entries of what the leader has. The writers are 50 in one process that uses the SDK with its
defaults; every put goes to a key of its own, and is timed from the moment it was due.

Ways to catch up, each on a cluster of its own
  log       the nodes keep as much log as they do by default: the follower gets entries
  snapshot  the nodes keep hardly any: the follower gets a state (its data directory shows it), and the
            entries from there on
  slow-link the same, with 8 MiB/s towards the follower. It should take at most twice as long as all that
            was missed takes at this rate, though writes go on

Figures
  s           from the start of the follower's process until it answers, and until it has caught up
  MB/s        value bytes that it had missed, by the time that it took to catch up
  puts/s      as fast as they are acknowledged while it is away (fill); at the steady rate before it is
              started (10 s) and while it catches up
  stall ms    the longest time between two acknowledged puts, of all writers together
  own ms      the longest pause of the writers' own process: what the machine or the benchmark held up
  leader MiB  its own resident memory when the follower is started, and how much more it took at most
  mapped MiB  how much more of files it had mapped: LevelDB reads its tables so, a whole state is in many of
              them, and the kernel takes these pages back when anybody needs the memory
  waiting     the share of the time in which the leader could have run but had no processor: where it is
              high, times say more of the machine than of the program
  failed      puts that failed or may have, from beginning to end
  lost        acknowledged puts that could not be read at the end; there must be none

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench -- catch-up`. */
export function catchUpCommand(run: (settings: CatchUpSettings) => void): Command {
  return new Command('catch-up')
    .description('Measure what it costs the others that a follower catches up.')
    .option('--writes <number>', 'puts that the follower misses', wholeUpTo(10_000_000), 200_000)
    .option('--value-bytes <number>', 'bytes of each value', wholeUpTo(1024 * 1024 - 16_384), 1024)
    .option('--rate <number>', 'puts per second while it catches up', wholeUpTo(100_000), 1000)
    .addOption(
      new Option('--ways <list>', 'which ways, separated by commas')
        .argParser((text: string) => pick(text, ways, ({ name }) => name))
        .default(ways, 'all'),
    )
    .addHelpText('after', help)
    .allowExcessArguments(false)
    .action(run);
}
