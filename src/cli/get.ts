import { type Command, Option } from 'commander';
import { type Client, type KeySelector, type KeyValue, RollcallError } from '../client/index.ts';
import { jsonLine, keyDocument, pairDocument } from './json.ts';
import { addReadOptions, keysOf, type ReadKeyOptions, readOptionsOf } from './key-options.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import { lineOf } from './table.ts';

interface GetOptions extends ClientOptions, ReadKeyOptions {
  readonly raw: boolean;
  readonly serializable: boolean;
}

const linesHelp =
  '\nOf one KEY alone the value is printed as it is. With any option that names several keys or selects\n' +
  'among them each key and each value has one line: as it is; as a JSON string where it holds control\n' +
  'characters or begins with a quote; as {"base64":"…"} where it is not UTF-8. However many there are, they\n' +
  'are all of one revision. What is alike by --sort-by comes in the order of the keys; other orders than\n' +
  'that of the keys hold as many as fit into one answer, so give a --limit.\n';

export function getCommand(run: Run): Command {
  return addReadOptions(clientCommand(run, 'get'))
    .description('print the value of a key, or several keys, each followed by its value')
    .addOption(
      new Option('--raw', 'the bytes of the value and nothing else, no line end')
        .default(false)
        .conflicts(['prefix', 'fromKey', 'keysOnly', 'countOnly', 'json']),
    )
    .option('--serializable', 'let any node answer from what it has, possibly stale', false)
    .addHelpText(
      'after',
      examples(
        'get config/color',
        'get --prefix config/',
        'get --prefix config/ --sort-by mod --order descend --limit 10',
        'get a m --keys-only',
        'get config/color --rev 12 --json',
        'get --raw logo > logo.png',
      ),
    )
    .addHelpText('after', linesHelp)
    .action(async (key: string, rangeEnd: string | undefined, options: GetOptions) => {
      const keys = keysOf(key, rangeEnd, options);
      await withClient(options, (client) =>
        isOne(keys, options)
          ? printKey(run, client, key, options)
          : printKeys(run, client, keys, options),
      );
    });
}

/** One key, of which nothing is selected or left out. */
function isOne(keys: KeySelector, options: GetOptions): boolean {
  const { revision: _, ...selection } = readOptionsOf(options);
  return typeof keys === 'string' && Object.keys(selection).length === 0;
}

async function printKey(run: Run, client: Client, key: string, options: GetOptions): Promise<void> {
  const pair = await client.get(key, {
    ...readOptionsOf(options),
    serializable: options.serializable,
  });
  if (pair === null) throw new RollcallError('keyNotFound', `There is no key ${key}`);
  if (options.json) {
    run.terminal.print(jsonLine(pairDocument(pair)));
    return;
  }
  // The bytes as they are, whatever they are.
  run.terminal.print(pair.value);
  if (!options.raw) run.terminal.print('\n');
}

async function printKeys(
  run: Run,
  client: Client,
  keys: KeySelector,
  options: GetOptions,
): Promise<void> {
  const { serializable } = options;
  const { sortBy, countOnly, ...read } = readOptionsOf(options);
  if (countOnly) {
    const range = { ...read, countOnly, serializable };
    const { revision, count } = await client.range(keys, range);
    show(run, options, { revision, count }, `${count}\n`);
  } else if (sortBy === undefined || sortBy === 'key') {
    await printPages(run, client.pages(keys, { ...read, serializable }), options);
  } else {
    const range = await client.range(keys, { ...read, sortBy, serializable });
    if (range.more && range.pairs.length !== options.limit) {
      const message =
        `Of ${range.count} keys ${range.pairs.length} fit into one answer in this order; ` +
        'give a --limit of at most so many';
      throw new RollcallError('tooManyKeys', message);
    }
    await printPages(run, [range], options);
  }
}

interface PrintedPage {
  readonly revision: number;
  readonly pairs: readonly KeyValue[];
  readonly count: number;
  readonly more: boolean;
}

/** As they come, so that no number of keys is too large: also the JSON document is written in parts. */
async function printPages(
  { terminal }: Run,
  pages: AsyncIterable<PrintedPage> | Iterable<PrintedPage>,
  { json, keysOnly }: GetOptions,
): Promise<void> {
  let first: PrintedPage | null = null;
  let more = false;
  for await (const page of pages) {
    if (json) terminal.print(first === null ? head(page) : separator(page));
    first ??= page;
    ({ more } = page);
    terminal.print(page.pairs.map((pair) => text(pair, json, keysOnly)).join(json ? ',' : ''));
    await terminal.drained();
    // Nobody reads any more.
    if (terminal.outputClosed.aborted) return;
  }
  if (json) terminal.print(`],"more":${more}}\n`);
}

function head({ revision, count }: PrintedPage): string {
  return `{"revision":${revision},"count":${count},"pairs":[`;
}

function separator({ pairs }: PrintedPage): string {
  return pairs.length === 0 ? '' : ',';
}

function text(pair: KeyValue, json: boolean, keysOnly: boolean): string {
  if (json) return JSON.stringify(keysOnly ? keyDocument(pair) : pairDocument(pair));
  return keysOnly ? lineOf(pair.key) : pairLines(pair);
}

/** A line for the key and one for the value. */
export function pairLines({ key, value }: KeyValue): string {
  return lineOf(key) + lineOf(value);
}
