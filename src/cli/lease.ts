import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { type Client, RollcallError } from '../client/index.ts';
import { parseLeaseId } from './argument.ts';
import { formatDuration, leaseTtl } from './duration.ts';
import { textOrBase64 } from './json.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  untilStopped,
  withClient,
} from './session.ts';
import { lineOf, renderTable } from './table.ts';

export function leaseCommand(run: Run): Command {
  return new Command('lease')
    .description('grant, renew, look at and revoke leases')
    .addCommand(grantCommand(run))
    .addCommand(keepAliveCommand(run))
    .addCommand(revokeCommand(run))
    .addCommand(ttlCommand(run))
    .addCommand(listCommand(run));
}

function grantCommand(run: Run): Command {
  return clientCommand(run, 'grant')
    .description('grant a lease and print its id')
    .addOption(
      new Option('--ttl <duration>', 'how long it lives without a renewal, at least 500ms')
        .argParser(leaseTtl)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--id <id>', '16 hexadecimal digits; drawn if left out').argParser(parseLeaseId),
    )
    .addHelpText('after', examples('lease grant --ttl 10s'))
    .action(async (options: ClientOptions & { readonly ttl: number; readonly id?: string }) => {
      const { leaseId, ttlMs, revision } = await withClient(options, (client) =>
        client.leases.grant({ ttlMs: options.ttl, ...(options.id && { leaseId: options.id }) }),
      );
      show(run, options, { leaseId, ttlMs, revision }, `${leaseId}\n`);
    });
}

function keepAliveCommand(run: Run): Command {
  return clientCommand(run, 'keep-alive')
    .description('renew a lease every third of its TTL, until Ctrl-C or the end of the lease')
    .argument('<id>', 'the lease', parseLeaseId)
    .addHelpText('after', examples('lease keep-alive 5d3c8a1f0b2e4c69'))
    .action(async (leaseId: string, options: ClientOptions) => {
      await untilStopped(run.terminal, (signal) =>
        withClient(options, (client) => keepAlive(run, client, leaseId, options, signal)),
      );
    });
}

/** A timer holds no more; renewing early costs nothing. */
const renewalMsMax = 2 ** 31 - 1;

async function keepAlive(
  run: Run,
  client: Client,
  leaseId: string,
  options: ClientOptions,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = 1000;
  while (!signal.aborted) {
    try {
      const { ttlMs, revision } = await client.leases.keepAliveOnce(leaseId, { signal });
      pauseMs = Math.min(ttlMs / 3, renewalMsMax);
      const text = `${leaseId} renewed for ${formatDuration(ttlMs)}\n`;
      show(run, options, { leaseId, ttlMs, revision }, text);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof RollcallError) || error.code === 'leaseNotFound') throw error;
      // The lease may live on: only the cluster can say, once it answers again.
      run.terminal.warn(`warning: ${error.code}: ${error.message}\n`);
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}

function revokeCommand(run: Run): Command {
  return clientCommand(run, 'revoke')
    .description('end a lease and delete its keys')
    .argument('<id>', 'the lease', parseLeaseId)
    .addHelpText('after', examples('lease revoke 5d3c8a1f0b2e4c69'))
    .action(async (leaseId: string, options: ClientOptions) => {
      const { revision } = await withClient(options, (client) => client.leases.revoke(leaseId));
      show(run, options, { leaseId, revision }, `${leaseId} revoked\n`);
    });
}

function ttlCommand(run: Run): Command {
  return clientCommand(run, 'ttl')
    .description('print what is left of a lease')
    .argument('<id>', 'the lease', parseLeaseId)
    .option('--keys', 'also print the keys that go with it', false)
    .addHelpText('after', examples('lease ttl 5d3c8a1f0b2e4c69 --keys'))
    .action(async (leaseId: string, options: ClientOptions & { readonly keys: boolean }) => {
      const status = await withClient(options, (client) =>
        client.leases.timeToLive(leaseId, { keys: options.keys }),
      );
      const { grantedTtlMs, remainingMs, revision } = status;
      const keys = options.keys ? { keys: status.keys.map((key) => textOrBase64('key', key)) } : {};
      const lines = [
        `${leaseId} has ${formatDuration(remainingMs)} of ${formatDuration(grantedTtlMs)} left\n`,
        ...status.keys.map(lineOf),
      ];
      const document = { leaseId, grantedTtlMs, remainingMs, revision, ...keys };
      show(run, options, document, lines.join(''));
    });
}

function listCommand(run: Run): Command {
  return clientCommand(run, 'list')
    .description('print all leases')
    .addHelpText('after', examples('lease list', 'lease list --json'))
    .action(async (options: ClientOptions) => {
      const leases = await withClient(options, (client) => client.leases.list());
      const table = renderTable(
        [{ title: 'lease' }, { title: 'ttl', numeric: true }, { title: 'left', numeric: true }],
        leases.map(({ leaseId, ttlMs, remainingMs }) => [
          leaseId,
          formatDuration(ttlMs),
          formatDuration(remainingMs),
        ]),
      );
      show(run, options, leases, table);
    });
}
