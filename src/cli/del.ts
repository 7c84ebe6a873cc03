import type { Command } from 'commander';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';

interface DeleteCommandOptions extends ClientOptions {
  readonly prefix: boolean;
}

export function delCommand(run: Run): Command {
  return clientCommand(run, 'del')
    .description('delete a key, or all keys with a prefix; prints how many there were')
    .argument('<key>')
    .option('--prefix', 'all keys that begin with KEY; an empty KEY means every key', false)
    .addHelpText('after', examples('del config/color', 'del --prefix session/'))
    .action(async (key: string, options: DeleteCommandOptions) => {
      const { revision, deleted } = await withClient(options, (client) =>
        client.delete(options.prefix ? { prefix: key } : key),
      );
      show(run, options, { revision, deleted }, `${deleted}\n`);
    });
}
