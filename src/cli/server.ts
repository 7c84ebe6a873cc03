import { constants } from 'node:os';
import { Command, Option } from 'commander';
import { parseAddress, parseBound, parseCount, parseListen, parseName } from './argument.ts';
import { parseDuration } from './duration.ts';
import { examples, type Run } from './session.ts';

const exitMsMax = 1000;

interface ServerOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly clientListen: string;
  readonly clientAddress?: string;
  readonly peerListen: string;
  readonly initialCluster?: string;
  readonly join?: string;
  readonly peerAddress?: string;
  readonly insecure: boolean;
  readonly allowedHosts?: string;
  readonly logLevel: string;
  readonly logWindowMib?: number;
  readonly logRetainedMib?: number;
  readonly diskReserveMib?: number;
  readonly quotaMib?: number;
  readonly historyAge?: number;
  readonly historyRevisions?: number;
  readonly featureLevelMax?: number;
  readonly debug: boolean;
}

export function serverCommand(run: Run): Command {
  const command = new Command('server')
    .description('run one node until SIGTERM or Ctrl-C')
    .requiredOption('--name <name>', 'the name of the node', parseName)
    .requiredOption('--data-dir <directory>', 'where it keeps its state')
    .option('--client-listen <host:port>', 'for clients', parseListen, '127.0.0.1:4640')
    .option('--peer-listen <host:port>', 'for the other nodes', parseListen, '127.0.0.1:4641')
    .option(
      '--initial-cluster <list>',
      'NAME=HOST:PORT of the peer port of every node, the same for all; alone if left out',
    )
    .option(
      '--join <list>',
      'instead: HOST:PORT of the peer port of members of a cluster that is to take the node in',
    )
    .option(
      '--peer-address <host:port>',
      'what the other nodes dial, where it is not what the node listens on',
      parseAddress,
    )
    .option(
      '--client-address <host:port>',
      'what clients are told to connect to, where it is not what the node listens on',
      parseAddress,
    );
  return bounded(command)
    .addOption(
      new Option('--feature-level-max <level>', 'take part as an older version would')
        .argParser(parseCount)
        .hideHelp(),
    )
    .option(
      '--debug',
      'for tests: let this machine arm failpoints, read a trace and digests, by HTTP below /debug/',
      false,
    )
    .option('--insecure', 'allow addresses that are not loopback', false)
    .option('--allowed-hosts <list>', 'further names by which clients may call the node')
    .addOption(
      new Option('--log-level <level>', 'how much to log')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addHelpText(
      'after',
      examples(
        'server --name n1 --data-dir data/n1 --client-listen 127.0.0.1:4640 \\\n' +
          '      --peer-listen 127.0.0.1:4641 \\\n' +
          '      --initial-cluster n1=127.0.0.1:4641,n2=127.0.0.1:4651,n3=127.0.0.1:4661',
        'server --name n4 --data-dir data/n4 --client-listen 127.0.0.1:4670 \\\n' +
          '      --peer-listen 127.0.0.1:4671 --join 127.0.0.1:4641,127.0.0.1:4651',
      ),
    )
    .action((options: ServerOptions) => serve(run, options));
}

/** What a node keeps and takes at most. */
function bounded(command: Command): Command {
  return command
    .option(
      '--log-window-mib <number>',
      'how much of the newest log to keep for nodes that come back (default: 128)',
      parseCount,
    )
    .option(
      '--log-retained-mib <number>',
      'how much to keep at most while a node is behind (default: 1024)',
      parseCount,
    )
    .option(
      '--disk-reserve-mib <number>',
      'with less room than this on a disk nothing more is stored (default: 64)',
      parseCount,
    )
    .option(
      '--quota-mib <number>',
      'with so much stored, all kept revisions counted, nothing more is (default: 4096)',
      parseCount,
    )
    .option(
      '--history-age <duration>',
      'forget what was replaced longer ago than this; 0s: never (default: 1h)',
      parseDuration,
    )
    .option(
      '--history-revisions <number>',
      'keep so many revisions at most; 0: all (default: 1000000)',
      parseBound,
    );
}

async function serve({ terminal }: Run, options: ServerOptions): Promise<void> {
  // Loaded here, so that the commands of the client start without the whole server.
  const { startServer } = await import('../server/index.ts');
  const { dataDir: dataDirectory, ...rest } = options;
  const server = await startServer({ ...rest, dataDirectory });
  // A broken invariant: nothing that happens after it can be trusted.
  process.on('uncaughtException', (error) => {
    terminal.warn(`error: internal: ${error.message}\n${error.stack}\n`);
    terminal.exit(1);
  });
  let closing = false;
  const stopListening = terminal.onSignal((signal) => {
    if (closing) terminal.exit(128 + constants.signals[signal]);
    closing = true;
    void server.close();
  });
  const failure = await server.ended;
  stopListening();
  if (failure === null) return;
  // Whatever hangs after a failure of the disk must not keep a dead node's process.
  setTimeout(() => terminal.exit(1), exitMsMax).unref();
  throw failure;
}
