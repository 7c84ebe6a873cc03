import type { Command } from 'commander';
import type { Client, KeyValue } from '../client/index.ts';
import { parseKey } from './argument.ts';
import { pairDocument } from './json.ts';
import { acquire, type HoldingCommandOptions, holdingTtl, holdOn } from './lock.ts';
import { withOutages } from './outage.ts';
import { clientCommand, examples, type Run, show, untilStopped, withClient } from './session.ts';
import { printable } from './table.ts';
import { UsageError } from './usage-error.ts';

interface ElectCommandOptions extends HoldingCommandOptions {
  readonly listen: boolean;
}

export function electCommand(run: Run): Command {
  return clientCommand(run, 'elect')
    .summary('run for election and lead until stopped, or tell who leads')
    .description(
      'Wait, in the order of coming, until the proposal is elected; lead until stopped, and resign. Ends ' +
        'with 1 when the leadership is lost. With --listen, tell who leads, and each change of that.',
    )
    .argument('<name>', 'the election', parseKey)
    .argument('[proposal]', 'what the leader says to all who listen')
    .addOption(holdingTtl())
    .option('--listen', 'only tell who leads', false)
    .addHelpText('after', examples('elect shard-1 10.0.0.7:8080', 'elect shard-1 --listen'))
    .action(async (name: string, proposal: string | undefined, options: ElectCommandOptions) => {
      if (options.listen !== (proposal === undefined)) {
        throw new UsageError('Either a PROPOSAL or --listen is needed');
      }
      await untilStopped(run.terminal, (stop) =>
        withClient(
          options,
          (client) =>
            proposal === undefined
              ? listen(run, client, name, options, stop)
              : campaign(run, client, name, proposal, options, stop),
          { stop, sessions: proposal !== undefined },
        ),
      );
    });
}

async function campaign(
  run: Run,
  client: Client,
  name: string,
  proposal: string,
  options: ElectCommandOptions,
  stop: AbortSignal,
): Promise<void> {
  const leadership = await acquire(run, client, stop, () =>
    client.election(name).campaign(proposal, { ttlMs: options.ttl, signal: stop }),
  );
  if (leadership === null) return;
  const { key, token } = leadership;
  const elected = { event: 'elected', key, token, proposal };
  show(run, options, elected, `elected ${key} token ${token} ${printable(proposal)}\n`);
  await holdOn(run, client, leadership, stop);
  show(run, options, { event: 'resigned', key, token, proposal }, `resigned ${key}\n`);
}

async function listen(
  run: Run,
  client: Client,
  name: string,
  options: ElectCommandOptions,
  stop: AbortSignal,
): Promise<void> {
  await withOutages(run, client, async () => {
    for await (const leader of client.election(name).observe({ signal: stop })) {
      const document = { leader: leader === null ? null : pairDocument(leader) };
      show(run, options, document, leaderText(leader));
    }
  });
}

function leaderText(leader: KeyValue | null): string {
  if (leader === null) return 'nobody leads\n';
  const { keyText, valueText, createRevision } = leader;
  return `leader ${printable(keyText)} token ${createRevision} ${printable(valueText)}\n`;
}
