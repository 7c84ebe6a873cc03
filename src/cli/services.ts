import type { Command } from 'commander';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';
import { renderTable } from './table.ts';

export function servicesCommand(run: Run): Command {
  return clientCommand(run, 'services')
    .description('print all services with the number of their instances')
    .addHelpText('after', examples('services', 'services --json'))
    .action(async (options: ClientOptions) => {
      const services = await withClient(options, (client) => client.registry.services());
      const table = renderTable(
        [{ title: 'service' }, { title: 'instances', numeric: true }],
        services.map(({ service, instances }) => [service, String(instances)]),
      );
      show(run, options, services, table);
    });
}
