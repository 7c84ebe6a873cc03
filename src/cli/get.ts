import type { Command } from 'commander';
import { type Client, type KeyValue, RollcallError } from '../client/index.ts';
import { parseRevision } from './argument.ts';
import { jsonLine, pairDocument } from './json.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';

interface GetOptions extends ClientOptions {
  readonly prefix: boolean;
  readonly rev?: number;
  readonly serializable: boolean;
}

export function getCommand(run: Run): Command {
  return clientCommand(run, 'get')
    .description('print the value of a key, or all keys with a prefix, each followed by its value')
    .argument('<key>')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .option('--rev <revision>', 'as it was at this revision', parseRevision)
    .option('--serializable', 'let any node answer from what it has, possibly stale', false)
    .addHelpText(
      'after',
      examples('get config/color', 'get --prefix config/', 'get config/color --rev 12 --json'),
    )
    .action(async (key: string, options: GetOptions) => {
      await withClient(options, (client) =>
        options.prefix
          ? printPrefix(run, client, key, options)
          : printKey(run, client, key, options),
      );
    });
}

async function printKey(run: Run, client: Client, key: string, options: GetOptions): Promise<void> {
  const pair = await client.get(key, readOptions(options));
  if (pair === null) throw new RollcallError('keyNotFound', `There is no key ${key}`);
  if (options.json) run.terminal.print(jsonLine(pairDocument(pair)));
  else printLine(run, pair.value);
}

async function printPrefix(
  run: Run,
  client: Client,
  prefix: string,
  options: GetOptions,
): Promise<void> {
  const { revision, pairs } = await client.getPrefix(prefix, readOptions(options));
  if (options.json) show(run, options, { revision, pairs: pairs.map(pairDocument) }, '');
  else for (const pair of pairs) printPair(run, pair);
}

function printPair(run: Run, pair: KeyValue): void {
  printLine(run, pair.key);
  printLine(run, pair.value);
}

/** The bytes as they are, whatever they are. */
function printLine(run: Run, bytes: Uint8Array): void {
  run.terminal.print(bytes);
  run.terminal.print('\n');
}

function readOptions({ rev, serializable }: GetOptions) {
  return { serializable, ...(rev === undefined ? {} : { revision: rev }) };
}
