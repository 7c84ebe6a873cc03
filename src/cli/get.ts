import { type Command, Option } from 'commander';
import { type Client, type KeyValue, RollcallError } from '../client/index.ts';
import { parseRevision, selectorOf } from './argument.ts';
import { jsonLine, pairDocument } from './json.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import { lineOf } from './table.ts';

interface GetOptions extends ClientOptions {
  readonly prefix: boolean;
  readonly raw: boolean;
  readonly rev?: number;
  readonly serializable: boolean;
}

const prefixHelp =
  '\nWith --prefix each key and each value has one line: as it is; as a JSON string where it holds\n' +
  'control characters or begins with a quote; as {"base64":"…"} where it is not UTF-8.\n';

export function getCommand(run: Run): Command {
  return clientCommand(run, 'get')
    .description('print the value of a key, or all keys with a prefix, each followed by its value')
    .argument('<key>')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .option('--rev <revision>', 'as it was at this revision', parseRevision)
    .addOption(
      new Option('--raw', 'the bytes of the value and nothing else, no line end')
        .default(false)
        .conflicts(['prefix', 'json']),
    )
    .option('--serializable', 'let any node answer from what it has, possibly stale', false)
    .addHelpText(
      'after',
      examples(
        'get config/color',
        'get --prefix config/',
        'get config/color --rev 12 --json',
        'get --raw logo > logo.png',
      ),
    )
    .addHelpText('after', prefixHelp)
    .action(async (key: string, options: GetOptions) => {
      selectorOf(key, options.prefix);
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
  if (options.json) {
    run.terminal.print(jsonLine(pairDocument(pair)));
    return;
  }
  // The bytes as they are, whatever they are.
  run.terminal.print(pair.value);
  if (!options.raw) run.terminal.print('\n');
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
  run.terminal.print(lineOf(pair.key) + lineOf(pair.value));
}

function readOptions({ rev, serializable }: GetOptions) {
  return { serializable, ...(rev === undefined ? {} : { revision: rev }) };
}
