import type { Command } from 'commander';
import { parseRevision } from './argument.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  untilStopped,
  withClient,
} from './session.ts';

interface CompactOptions extends ClientOptions {
  readonly physical: boolean;
}

export function compactCommand(run: Run): Command {
  return clientCommand(run, 'compact')
    .description('forget the history before a revision; what keys hold now always stays')
    .argument(
      '<revision>',
      'the oldest that can be read and watched from afterwards',
      parseRevision,
    )
    .option('--physical', 'wait until what is forgotten is removed as well', false)
    .addHelpText('after', examples('compact 1200', 'compact 1200 --physical'))
    .action(async (compactRevision: number, options: CompactOptions) => {
      const { physical } = options;
      const { revision } = await untilStopped(run.terminal, (stop) =>
        withClient(
          options,
          (client) => client.compact(compactRevision, { physical, signal: stop }),
          { stop },
        ),
      );
      const text = `compacted up to revision ${compactRevision}\n`;
      show(run, options, { revision, compactRevision }, text);
    });
}
