import type { Command } from 'commander';
import { parseName } from './argument.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';

export function deregisterCommand(run: Run): Command {
  return clientCommand(run, 'deregister')
    .description('take an instance out of the registry, whoever registered it')
    .argument('<service>', 'the service', parseName)
    .argument('<id>', 'the instance', parseName)
    .addHelpText('after', examples('deregister api api-7'))
    .action(async (service: string, id: string, options: ClientOptions) => {
      const { revision } = await withClient(options, (client) =>
        client.registry.deregister(service, id),
      );
      show(run, options, { service, id, revision }, `deregistered ${service}/${id}\n`);
    });
}
