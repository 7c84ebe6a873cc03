import { type Command, Option } from 'commander';
import { type Client, type KeyValue, RollcallError } from '../client/index.ts';
import { selectorOf } from './argument.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import { UsageError } from './usage-error.ts';

/** Half of what one command may delete, so that keys which come meanwhile still fit. */
const chunkKeysMax = 2048;

interface DeleteCommandOptions extends ClientOptions {
  readonly prefix: boolean;
  readonly chunked: boolean;
}

export function delCommand(run: Run): Command {
  return clientCommand(run, 'del')
    .description('delete a key, or all keys with a prefix; prints how many there were')
    .argument('<key>')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .addOption(
      new Option(
        '--chunked',
        'with --prefix: delete in several steps, not atomically, however many keys there are; ' +
          'without it more than 4,096 are refused',
      ).default(false),
    )
    .addHelpText(
      'after',
      examples('del config/color', 'del --prefix session/', 'del --prefix --chunked session/'),
    )
    .action(async (key: string, options: DeleteCommandOptions) => {
      if (options.chunked && !options.prefix) throw new UsageError('--chunked goes with --prefix');
      const keys = selectorOf(key, options.prefix);
      const { revision, deleted } = await withClient(options, (client) =>
        options.chunked ? deleteChunked(run, client, key, options) : client.delete(keys),
      );
      show(run, options, { revision, deleted }, `${deleted}\n`);
    });
}

/**
 * From the first key of the prefix to the last, a page at a time. Each step is atomic; what comes behind
 * the place that was reached stays.
 */
async function deleteChunked(
  run: Run,
  client: Client,
  prefix: string,
  options: DeleteCommandOptions,
): Promise<{ readonly revision: number; readonly deleted: number }> {
  const range = { keysOnly: true, limit: chunkKeysMax };
  const start = Buffer.from(prefix);
  let page = await client.range({ prefix }, range);
  let { revision } = page;
  let deleted = 0;
  for (;;) {
    const keys = page.pairs.filter((pair) => start.equals(pair.key.subarray(0, start.length)));
    const [first, last] = [keys[0], keys.at(-1)];
    if (first === undefined || last === undefined) return { revision, deleted };
    try {
      const step = await client.delete({ key: first.key, end: after(last) });
      revision = step.revision;
      deleted += step.deleted;
      if (!page.more) return { revision, deleted };
      if (!options.json) run.terminal.warn(`rollcall: ${deleted} keys deleted so far\n`);
      page = await client.range({ from: after(last) }, range);
    } catch (cause) {
      throw cause instanceof RollcallError ? halfway(cause, deleted) : cause;
    }
  }
}

/** The smallest key after this one. */
function after({ key }: KeyValue): Uint8Array {
  return Buffer.concat([key, Uint8Array.of(0)]);
}

/** Whatever becomes of the last step, those before it have happened. */
function halfway(cause: RollcallError, deleted: number): RollcallError {
  const message = `${cause.message}; ${deleted} keys were deleted before`;
  return new RollcallError(cause.code, message, {
    definite: cause.definite && deleted === 0,
    cause,
  });
}
