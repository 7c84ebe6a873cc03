import type { Command } from 'commander';
import type { Instance, ServiceSnapshot } from '../client/index.ts';
import { parseName } from './argument.ts';
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
import { renderTable } from './table.ts';

interface DiscoverOptions extends ClientOptions {
  readonly watch: boolean;
}

export function discoverCommand(run: Run): Command {
  return clientCommand(run, 'discover')
    .description('print the instances of a service, with --watch again after every change')
    .argument('<service>', 'the service', parseName)
    .option('--watch', 'go on until Ctrl-C', false)
    .addHelpText('after', examples('discover api', 'discover api --watch --json'))
    .action(async (service: string, options: DiscoverOptions) => {
      if (!options.watch) {
        const snapshot = await withClient(options, (client) => client.registry.snapshot(service));
        showSnapshot(run, options, snapshot);
        return;
      }
      await untilStopped(run.terminal, (signal) =>
        withClient(options, async (client) => {
          const view = client.registry.discover(service);
          signal.addEventListener('abort', () => view.close(), { once: true });
          if (signal.aborted) return;
          await withOutages(run, client, async () => {
            for await (const snapshot of view) showSnapshot(run, options, snapshot);
          });
        }),
      );
    });
}

function showSnapshot(run: Run, options: DiscoverOptions, snapshot: ServiceSnapshot): void {
  const { revision, instances } = snapshot;
  const heading = options.watch ? `revision ${revision}\n` : '';
  show(run, options, { revision, instances }, `${heading}${instanceTable(instances)}`);
}

function instanceTable(instances: readonly Instance[]): string {
  return renderTable(
    [{ title: 'id' }, { title: 'address' }, { title: 'tags' }, { title: 'metadata' }],
    instances.map(({ id, address, tags, metadata }) => [
      id,
      address,
      tags.join(','),
      Object.entries(metadata)
        .map(([name, value]) => `${name}=${value}`)
        .join(','),
    ]),
  );
}
