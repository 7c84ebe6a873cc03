import type { Command } from 'commander';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  withClient,
} from './session.ts';

export function transferLeaderCommand(run: Run): Command {
  return clientCommand(run, 'transfer-leader')
    .argument(
      '[node]',
      'name or id of the voter that is to lead; the most suitable one if left out',
    )
    .description('hand leadership over to another node, without a pause that clients would notice')
    .addHelpText('after', examples('transfer-leader', 'transfer-leader n2'))
    .action(async (node: string | undefined, options: ClientOptions) => {
      await withClient(options, async ({ cluster }) => {
        const { members } = await cluster.members();
        const leader = await cluster.transferLeadership(node ?? null);
        const led = members.some(({ id, leads }) => leads && id === leader.leaderId);
        show(run, options, leader, `${leader.leaderName} leads${led ? ' already' : ''}\n`);
      });
    });
}
