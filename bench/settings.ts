/** The options of `npm run bench`: one command for the loads, below it one for each other benchmark. */

import { type CatchUpSettings, catchUpCommand } from './catch-up/settings.ts';
import { type FailoverSettings, failoverCommand } from './failover/settings.ts';
import { type LeasesSettings, leasesCommand } from './leases/settings.ts';
import { type LoadSettings, loadCommand } from './load/settings.ts';
import { type MillionSettings, millionCommand } from './million/settings.ts';
import { type SickFollowerSettings, sickFollowerCommand } from './sick-follower/settings.ts';
import { type WatchSettings, watchCommand } from './watch/settings.ts';

export type Settings =
  | ({ readonly benchmark: 'load' } & LoadSettings)
  | ({ readonly benchmark: 'failover' } & FailoverSettings)
  | ({ readonly benchmark: 'catch-up' } & CatchUpSettings)
  | ({ readonly benchmark: 'sick-follower' } & SickFollowerSettings)
  | ({ readonly benchmark: 'leases' } & LeasesSettings)
  | ({ readonly benchmark: 'million' } & MillionSettings)
  | ({ readonly benchmark: 'watch' } & WatchSettings);

export function readSettings(argv: readonly string[]): Settings {
  const chosen: Settings[] = [];
  loadCommand((settings) => chosen.push({ benchmark: 'load', ...settings }))
    .addCommand(failoverCommand((settings) => chosen.push({ benchmark: 'failover', ...settings })))
    .addCommand(catchUpCommand((settings) => chosen.push({ benchmark: 'catch-up', ...settings })))
    .addCommand(
      sickFollowerCommand((settings) => chosen.push({ benchmark: 'sick-follower', ...settings })),
    )
    .addCommand(leasesCommand((settings) => chosen.push({ benchmark: 'leases', ...settings })))
    .addCommand(millionCommand((settings) => chosen.push({ benchmark: 'million', ...settings })))
    .addCommand(watchCommand((settings) => chosen.push({ benchmark: 'watch', ...settings })))
    // What follows its name belongs to a benchmark, also where the loads have an option of that name.
    .enablePositionalOptions()
    .parse(argv, { from: 'user' });
  const [settings] = chosen;
  if (settings === undefined) throw new Error('No benchmark was chosen');
  return settings;
}
