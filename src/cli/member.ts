import { Command } from 'commander';
import {
  type Client,
  type ClusterMember,
  type Membership,
  RollcallError,
} from '../client/index.ts';
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

/** How often `--wait` looks. */
const lookMs = 200;

export function memberCommand(run: Run): Command {
  return new Command('member')
    .description('show and change who belongs to the cluster')
    .addCommand(listCommand(run))
    .addCommand(addCommand(run))
    .addCommand(replaceCommand(run))
    .addCommand(promoteCommand(run))
    .addCommand(removeCommand(run))
    .addHelpText(
      'after',
      '\nA node joins in two steps: start it with `rollcall server --join …`, which asks to be taken\n' +
        'in, then `rollcall member add NAME`. A member that lost its data directory and is started\n' +
        'again under its old name is taken in again by itself.\n',
    );
}

function listCommand(run: Run): Command {
  return clientCommand(run, 'list')
    .description('print all members, and the nodes that ask to join')
    .addHelpText('after', examples('member list', 'member list --json'))
    .action(async (options: ClientOptions) => {
      showMembers(run, options, await withClient(options, (client) => client.cluster.members()));
    });
}

interface AddOptions extends ClientOptions {
  readonly learner: boolean;
  readonly wait: boolean;
}

function addCommand(run: Run): Command {
  return clientCommand(run, 'add')
    .argument('<name>', 'of a node that was started with `rollcall server --join`')
    .description('take in a node: as a learner at first, as a voter once it has caught up')
    .option('--learner', 'keep it a learner until `member promote`', false)
    .option('--wait', 'return only once it votes', false)
    .addHelpText('after', examples('member add n4', 'member add n4 --wait'))
    .action(async (name: string, options: AddOptions) => {
      await withClient(options, async (client) => {
        const added = await client.cluster.add(name, { autoPromote: !options.learner });
        const waits = options.wait && !options.learner;
        const members = waits ? await votes(run, client, name, added) : added;
        if (members !== null) showMembers(run, options, members);
      });
    });
}

function replaceCommand(run: Run): Command {
  return clientCommand(run, 'replace')
    .argument('<member>', 'name or id of the member that is to leave')
    .argument('<name>', 'of a node that was started with `rollcall server --join`')
    .description(
      'take in a node in the place of a member, which leaves once the node has caught up',
    )
    .option('--wait', 'return only once it votes', false)
    .addHelpText('after', examples('member replace n2 n4', 'member replace n2 n4 --wait'))
    .action(async (member: string, name: string, options: AddOptions) => {
      await withClient(options, async (client) => {
        const added = await client.cluster.replace(member, name);
        const members = options.wait ? await votes(run, client, name, added) : added;
        if (members !== null) showMembers(run, options, members);
      });
    });
}

function promoteCommand(run: Run): Command {
  return clientCommand(run, 'promote')
    .argument('<member>', 'name or id of a learner that has caught up')
    .description('make a voter of a learner')
    .addHelpText('after', examples('member promote n4'))
    .action(async (member: string, options: ClientOptions) => {
      await withClient(options, async ({ cluster }) => {
        const promoted = await cluster.promote(member).catch(unlessVoter);
        const members = promoted ?? (await cluster.members());
        const voter = members.members.find(({ id, name }) => id === member || name === member);
        if (promoted === null && !options.json) {
          run.terminal.print(`${voter?.name ?? member} votes already\n`);
        }
        showMembers(run, options, members);
      });
    });
}

function removeCommand(run: Run): Command {
  return clientCommand(run, 'remove')
    .argument('<member>', 'name or id')
    .description('remove a member, which serves nothing from then on; its data directory stays')
    .addHelpText('after', examples('member remove n4', 'member remove 1f0c83b2a96d7e54'))
    .action(async (member: string, options: ClientOptions) => {
      const members = await withClient(options, (client) => client.cluster.remove(member));
      showMembers(run, options, members);
    });
}

/** What a command asks for may be there already: null then. */
function unlessVoter(error: unknown): null {
  const { reason } = error instanceof RollcallError ? error.details : {};
  // Of all members only voters cannot be promoted for what they are.
  if (reason === 'wrongRole') return null;
  throw error;
}

/** Null when the wait was stopped; the node goes on to join all the same. */
async function votes(
  run: Run,
  client: Client,
  name: string,
  added: Membership,
): Promise<Membership | null> {
  let told = '';
  return await untilStopped(run.terminal, async (stop) => {
    let members = added;
    while (!stop.aborted) {
      const member = members.members.find((one) => one.name === name);
      if (member?.standing === 'voter') return members;
      const news = `${name} has ${member?.matchIndex ?? 0} of ${members.lastIndex} entries\n`;
      if (news !== told) run.terminal.warn(news);
      told = news;
      await new Promise((resolve) => setTimeout(resolve, lookMs));
      members = await client.cluster.members();
    }
    return null;
  });
}

function showMembers(run: Run, options: ClientOptions, membership: Membership): void {
  const { members, applicants, lastIndex } = membership;
  const document = [
    ...members.map((member) => ({ ...member, lastIndex })),
    ...applicants.map((applicant) => ({ ...applicant, standing: 'applicant' })),
  ];
  const table = renderTable(
    [
      { title: 'node' },
      { title: 'id' },
      { title: 'standing' },
      { title: 'peers' },
      { title: 'clients' },
      { title: 'level', numeric: true },
      { title: 'log', numeric: true },
      { title: 'state' },
    ],
    [
      ...members.map((member) => [
        member.name,
        member.id,
        standingText(member),
        member.peerAddress,
        member.clientAddress,
        String(member.featureLevel),
        member.matchIndex === null ? '' : String(member.matchIndex),
        reachText(member),
      ]),
      ...applicants.map(({ name, id, peerAddress, clientAddress, featureLevel }) => [
        name,
        id,
        'applicant',
        peerAddress,
        clientAddress,
        String(featureLevel),
        '',
        'asks to join',
      ]),
    ],
  );
  show(run, options, document, table);
}

function reachText({ isReachable }: ClusterMember): string {
  if (isReachable === null) return '';
  return isReachable ? 'reachable' : 'silent';
}

function standingText({ standing, leads, replaces }: ClusterMember): string {
  if (leads) return `${standing} (leader)`;
  return replaces === null ? standing : `${standing} for ${replaces}`;
}
