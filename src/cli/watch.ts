import type { Command } from 'commander';
import type { WatchBatch } from '../client/index.ts';
import { parseRevision, selectorOf } from './argument.ts';
import { batchDocument } from './json.ts';
import { withOutages } from './outage.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  untilStopped,
  withClient,
} from './session.ts';
import { printable } from './table.ts';

interface WatchCommandOptions extends ClientOptions {
  readonly prefix: boolean;
  readonly rev?: number;
}

export function watchCommand(run: Run): Command {
  return clientCommand(run, 'watch')
    .description(
      'print changes as they happen: revision, put or delete, key, value; ends by Ctrl-C',
    )
    .argument('<key>')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .option('--rev <revision>', 'begin with the changes of this revision', parseRevision)
    .addHelpText(
      'after',
      examples('watch config/color', 'watch --prefix config/ --json', 'watch --prefix "" --rev 1'),
    )
    .action(async (key: string, options: WatchCommandOptions) => {
      const keys = selectorOf(key, options.prefix);
      await untilStopped(run.terminal, (signal) =>
        withClient(options, async (client) => {
          const startRevision = options.rev ?? 0;
          const watch = client.watch(keys, { startRevision, signal });
          await withOutages(run, client, async () => {
            for await (const batch of watch) {
              show(run, options, batchDocument(batch), batchText(batch));
            }
          });
        }),
      );
    });
}

function batchText({ revision, events }: WatchBatch): string {
  const lines = events.map(({ type, pair }) =>
    type === 'put'
      ? `${revision} put ${printable(pair.keyText)} ${printable(pair.valueText)}\n`
      : `${revision} delete ${printable(pair.keyText)}\n`,
  );
  return lines.join('');
}
