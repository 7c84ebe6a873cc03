import { Command, Option } from 'commander';
import { pick, positive, wholePositive, wholeUpTo } from '../options.ts';
import { type Scene, scenes } from './scenes.ts';

export interface WatchSettings {
  readonly rounds: number;
  readonly seconds: number;
  readonly valueBytes: number;
  /** Puts per second, where a scene has no rate of its own. */
  readonly rate: number;
  /** Puts before and while a socket is stalled, each. */
  readonly writes: number;
  readonly scenes: readonly Scene[];
}

const help = `
Three processes of Rollcall as shipped; 50 writers in a process of their own put at a steady rate, each put
timed from the moment it was due; watchers in another process count how late events are, from the moment
that the put was sent, so that the time to its commit is included. Both use the SDK.

Scenes
  matching    what a put costs the three nodes with one watcher of all keys, and with 10,000 watchers of
              10,000 keys: either way each put is an event for one of them
  crowd-20    1,000 watchers of one prefix over 20 sockets, 100 puts a second
  crowd-1000  the same over 1,000 sockets
  stalled     20 watchers alone, then beside 500 on one socket of the leader whose process is stopped
              (SIGSTOP); afterwards it goes on, and 50 of the 500 have to tell all that they missed

The results are printed and written as JSON under bench/results/.`;

/** `npm run bench -- watch`. */
export function watchCommand(run: (settings: WatchSettings) => void): Command {
  return new Command('watch')
    .description('Measure what watchers cost, and how late their events are.')
    .option('--rounds <number>', 'how often the scene matching is measured', wholePositive, 3)
    .option('--seconds <number>', 'length of each measurement', positive, 10)
    .option('--value-bytes <number>', 'bytes of each value', wholeUpTo(1024 * 1024 - 16_384), 256)
    .option('--rate <number>', 'puts per second', wholeUpTo(100_000), 1000)
    .option('--writes <number>', 'puts while a socket is stalled', wholeUpTo(10_000_000), 50_000)
    .addOption(
      new Option('--scenes <list>', 'which, separated by commas')
        .argParser((text: string) => pick(text, scenes, (name) => name))
        .default(scenes, 'all'),
    )
    .addHelpText('after', help)
    .allowExcessArguments(false)
    .action(run);
}
