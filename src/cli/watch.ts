import { type Command, Option } from 'commander';
import type { KeySelector, WatchBatch, WatchOptions } from '../client/index.ts';
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
import { UsageError } from './usage-error.ts';

interface WatchCommandOptions extends ClientOptions {
  readonly prefix: boolean;
  readonly fromKey: boolean;
  readonly rev?: number;
  readonly prevKv: boolean;
  readonly filter?: 'put' | 'delete';
  readonly progress: boolean;
}

export function watchCommand(run: Run): Command {
  return clientCommand(run, 'watch')
    .description(
      'print changes as they happen: revision, put or delete, key, value; ends by Ctrl-C',
    )
    .argument('<key>')
    .argument('[range-end]', 'every key from KEY up to but not including this one')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .option('--from-key', 'all keys from KEY on', false)
    .option('--rev <revision>', 'begin with the changes of this revision', parseRevision)
    .option('--prev-kv', 'print also what there was before', false)
    .addOption(
      new Option('--filter <kind>', 'print only this kind of change').choices(['put', 'delete']),
    )
    .option('--progress', 'print the revision now and then while nothing changes', false)
    .addHelpText(
      'after',
      examples(
        'watch config/color',
        'watch --prefix config/ --json',
        'watch a b --filter delete --prev-kv',
        'watch --prefix "" --rev 1',
      ),
    )
    .action(async (key: string, rangeEnd: string | undefined, options: WatchCommandOptions) => {
      const keys = watchedKeys(key, rangeEnd, options);
      await untilStopped(run.terminal, (signal) =>
        withClient(options, async (client) => {
          const watch = client.watch(keys, { ...watchOptions(options), signal });
          await withOutages(run, client, async () => {
            for await (const batch of watch) {
              show(run, options, documentOf(batch, options), batchText(batch));
            }
          });
        }),
      );
    });
}

function watchedKeys(
  key: string,
  end: string | undefined,
  { prefix, fromKey }: WatchCommandOptions,
): KeySelector {
  if (Number(prefix) + Number(fromKey) + Number(end !== undefined) > 1) {
    throw new UsageError('Of RANGE-END, --prefix and --from-key there can be one');
  }
  if (end === '') throw new UsageError('An empty RANGE-END is no key; use --from-key for all keys');
  if (end !== undefined && key !== '') return { key, end };
  if (fromKey && key !== '') return { from: key };
  return selectorOf(key, prefix);
}

function watchOptions({ rev = 0, prevKv, filter, progress }: WatchCommandOptions): WatchOptions {
  const only = filter === undefined ? {} : { only: filter };
  return { startRevision: rev, previous: prevKv, progress, ...only };
}

function documentOf(batch: WatchBatch, { prevKv }: WatchCommandOptions): object {
  if (batch.events.length === 0) return { progress: batch.revision };
  return batchDocument(batch, prevKv);
}

function batchText({ revision, events }: WatchBatch): string {
  if (events.length === 0) return `${revision} progress\n`;
  const lines = events.map(({ type, pair, previous }) => {
    const value = type === 'put' ? ` ${printable(pair.valueText)}` : '';
    const before = previous === null ? '' : ` before ${printable(previous.valueText)}`;
    return `${revision} ${type} ${printable(pair.keyText)}${value}${before}\n`;
  });
  return lines.join('');
}
