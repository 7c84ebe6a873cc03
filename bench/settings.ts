/** The options of `npm run bench`: one command for the loads, one below it for the failover. */

import type { FailoverSettings } from './failover/settings.ts';
import { failoverCommand } from './failover/settings.ts';
import { type LoadSettings, loadCommand } from './load/settings.ts';

export type Settings =
  | ({ readonly benchmark: 'load' } & LoadSettings)
  | ({ readonly benchmark: 'failover' } & FailoverSettings);

export function readSettings(argv: readonly string[]): Settings {
  const chosen: Settings[] = [];
  loadCommand((settings) => chosen.push({ benchmark: 'load', ...settings }))
    .addCommand(failoverCommand((settings) => chosen.push({ benchmark: 'failover', ...settings })))
    // What follows `failover` belongs to it, also where both have an option of that name.
    .enablePositionalOptions()
    .parse(argv, { from: 'user' });
  const [settings] = chosen;
  if (settings === undefined) throw new Error('No benchmark was chosen');
  return settings;
}
