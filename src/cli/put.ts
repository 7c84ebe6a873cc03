import type { Command } from 'commander';
import { parseLeaseId } from './argument.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';

interface PutCommandOptions extends ClientOptions {
  readonly lease?: string;
}

export function putCommand(run: Run): Command {
  return clientCommand(run, 'put')
    .description('store a value under a key')
    .argument('<key>')
    .argument('<value>')
    .option('--lease <id>', 'delete the key when this lease ends', parseLeaseId)
    .addHelpText(
      'after',
      examples('put config/color blue', 'put session/7 active --lease 5d3c8a1f0b2e4c69'),
    )
    .action(async (key: string, value: string, options: PutCommandOptions) => {
      const { revision } = await withClient(options, (client) =>
        client.put(key, value, { leaseId: options.lease ?? null }),
      );
      show(run, options, { revision }, `revision ${revision}\n`);
    });
}
