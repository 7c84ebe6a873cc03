import { type Command, Option } from 'commander';
import { type Client, type KeySelector, type KeyValue, RollcallError } from '../client/index.ts';
import { keyAfter, keyRange } from '../client/key.ts';
import { pairLines } from './get.ts';
import { pairDocument } from './json.ts';
import { addDeleteOptions, type DeleteKeyOptions, deleteOptionsOf, keysOf } from './key-options.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import { UsageError } from './usage-error.ts';

/** As the end of a range: to the end of all keys. */
const spaceEnd = '\0';
/** Half of what one command may delete, so that keys which come meanwhile still fit. */
const chunkKeysMax = 2048;

interface DeleteCommandOptions extends ClientOptions, DeleteKeyOptions {
  readonly chunked: boolean;
}

interface Deleted {
  readonly revision: number;
  readonly deleted: number;
  readonly previous?: readonly KeyValue[];
}

export function delCommand(run: Run): Command {
  return addDeleteOptions(clientCommand(run, 'del'))
    .description('delete a key, or several of them; prints how many there were')
    .addOption(
      new Option(
        '--chunked',
        'of several keys: delete in several steps, not atomically, however many keys there are; ' +
          'without it more than 4,096 are refused',
      )
        .default(false)
        .conflicts('prevKv'),
    )
    .addHelpText(
      'after',
      examples(
        'del config/color',
        'del --prefix session/',
        'del a m --prev-kv',
        'del --prefix --chunked session/',
      ),
    )
    .action(async (key: string, rangeEnd: string | undefined, options: DeleteCommandOptions) => {
      const keys = keysOf(key, rangeEnd, options);
      if (options.chunked && typeof keys === 'string') {
        throw new UsageError('--chunked goes with --prefix, --from-key or a RANGE-END');
      }
      const result: Deleted = await withClient(options, (client) =>
        options.chunked
          ? deleteChunked(run, client, keys, options)
          : client.delete(keys, deleteOptionsOf(options)),
      );
      showDeleted(run, options, result);
    });
}

function showDeleted(run: Run, options: DeleteCommandOptions, result: Deleted): void {
  const { revision, deleted, previous = [] } = result;
  const documents = options.prevKv ? { previous: previous.map(pairDocument) } : {};
  const text = `${deleted}\n${previous.map(pairLines).join('')}`;
  show(run, options, { revision, deleted, ...documents }, text);
}

/**
 * From the first key to the last, a page at a time. Each step is atomic; what comes behind the place that
 * was reached stays.
 */
async function deleteChunked(
  run: Run,
  client: Client,
  keys: KeySelector,
  options: DeleteCommandOptions,
): Promise<Deleted> {
  const read = { keysOnly: true, limit: chunkKeysMax };
  const { rangeEnd } = keyRange(keys);
  const end = rangeEnd === null || rangeEnd === spaceEnd ? null : bytesOf(rangeEnd);
  let page = await client.range(keys, read);
  let { revision } = page;
  let deleted = 0;
  for (;;) {
    const [first, last] = [page.pairs[0], page.pairs.at(-1)];
    if (first === undefined || last === undefined) return { revision, deleted };
    const next = after(last);
    try {
      const step = await client.delete(between(first.key, next));
      revision = step.revision;
      deleted += step.deleted;
      if (!page.more || next === null) return { revision, deleted };
      if (!options.json) run.terminal.warn(`rollcall: ${deleted} keys deleted so far\n`);
      page = await client.range(between(next, end), read);
    } catch (cause) {
      throw cause instanceof RollcallError ? halfway(cause, deleted) : cause;
    }
  }
}

/** Without an end: all keys from the first on. */
function between(key: Uint8Array, end: Uint8Array | null): KeySelector {
  return end === null ? { from: key } : { key, end };
}

/** The smallest key after this one; null when there can be none. */
function after({ key }: KeyValue): Uint8Array | null {
  const next = keyAfter(Buffer.from(key).toString('latin1'));
  return next === null ? null : bytesOf(next);
}

function bytesOf(key: string): Uint8Array {
  return Buffer.from(key, 'latin1');
}

/** Whatever becomes of the last step, those before it have happened. */
function halfway(cause: RollcallError, deleted: number): RollcallError {
  const message = `${cause.message}; ${deleted} keys were deleted before`;
  return new RollcallError(cause.code, message, {
    definite: cause.definite && deleted === 0,
    cause,
  });
}
