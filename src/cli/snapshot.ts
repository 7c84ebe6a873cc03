import { Command } from 'commander';
import { type Client, RollcallError, type Snapshot } from '../client/index.ts';
import type { BackupDescription, BackupReport } from '../server/backup.ts';
import { parseAddress, parseName } from './argument.ts';
import { jsonLine } from './json.ts';
import { bytesText, Progress } from './progress.ts';
import { recoveryText } from './recover.ts';
import {
  type ClientOptions,
  clientCommand,
  examples,
  type Run,
  show,
  stopCode,
  untilStopped,
  withClient,
} from './session.ts';
import { TargetFile } from './target-file.ts';

export function snapshotCommand(run: Run): Command {
  return new Command('snapshot')
    .description('save the whole state to a file, check such a file, make a cluster of it')
    .addCommand(saveCommand(run))
    .addCommand(verifyCommand(run))
    .addCommand(restoreCommand(run));
}

interface SaveOptions extends ClientOptions {
  readonly serializable: boolean;
  readonly force: boolean;
}

function saveCommand(run: Run): Command {
  return clientCommand(run, 'save')
    .argument('<file>', 'where to; it appears once it is whole')
    .description(
      'save the state, with everything that was acknowledged before, while the cluster works on',
    )
    .option('--serializable', 'from any node, which may be a little behind', false)
    .option('--force', 'replace a file that exists', false)
    .addHelpText('after', examples('snapshot save backup', 'snapshot save --serializable backup'))
    .action((file: string, options: SaveOptions) => save(run, file, options));
}

function verifyCommand(run: Run): Command {
  return new Command('verify')
    .argument('<file>', 'that `snapshot save` made')
    .description('check a saved state without a cluster: checksums, every value, the digest')
    .option('--json', 'print one JSON document per line', false)
    .addHelpText('after', examples('snapshot verify backup', 'snapshot verify backup --json'))
    .action(async (file: string, options: { readonly json: boolean }) => {
      const { verifyBackup } = await import('../server/backup.ts');
      const progress = new Progress(run.terminal);
      const report = await verifyBackup(file, (bytes) => progress.add(bytes)).finally(() => {
        progress.end();
      });
      run.terminal.print(options.json ? jsonLine({ file, ...report }) : reportText(report));
    });
}

interface RestoreOptions {
  readonly name: string;
  readonly dataDir: string;
  readonly peerListen: string;
  readonly clientListen: string;
  readonly peerAddress?: string;
  readonly clientAddress?: string;
  readonly json: boolean;
}

function restoreCommand(run: Run): Command {
  return new Command('restore')
    .argument('<file>', 'that `snapshot save` made')
    .description(
      'make the data directory of the first node of a cluster that goes on from the file',
    )
    .requiredOption('--name <name>', 'of the node', parseName)
    .requiredOption('--data-dir <directory>', 'a new one')
    .option(
      '--peer-listen <host:port>',
      'where the node will listen',
      parseAddress,
      '127.0.0.1:4641',
    )
    .option('--client-listen <host:port>', 'the same for clients', parseAddress, '127.0.0.1:4640')
    .option('--peer-address <host:port>', 'what the other nodes dial, if not that', parseAddress)
    .option('--client-address <host:port>', 'what clients are told, if not that', parseAddress)
    .option('--json', 'print one JSON document per line', false)
    .addHelpText('after', examples('snapshot restore backup --name n1 --data-dir data/n1'))
    .addHelpText(
      'after',
      'Start the node with `rollcall server` as ever. The other nodes of the backup, started with their\n' +
        'names and empty directories, join by themselves. Leases end, with their keys and instances.\n',
    )
    .action((file: string, options: RestoreOptions) => restore(run, file, options));
}

async function restore({ terminal }: Run, file: string, options: RestoreOptions): Promise<void> {
  const { restoreBackup } = await import('../server/recovery.ts');
  const { name, dataDir: dataDirectory, peerListen, clientListen } = options;
  const { peerAddress = peerListen, clientAddress = clientListen, json } = options;
  const progress = new Progress(terminal);
  const report = await restoreBackup({
    ...{ file, dataDirectory, name, peerAddress, clientAddress },
    progress: (bytes) => progress.add(bytes),
  }).finally(() => progress.end());
  terminal.print(json ? jsonLine(report) : recoveryText(report, dataDirectory));
}

async function save(run: Run, file: string, options: SaveOptions): Promise<void> {
  const { bytes, ...saved } = await untilStopped(run.terminal, async (signal) => {
    try {
      return await store(run, file, options, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      run.exitCode = stopCode(signal);
      const given = { definite: true, cause: error };
      throw new RollcallError('cancelled', `${file} was not saved`, given);
    }
  });
  const { revision, savedFrom, digest } = saved;
  const text = `saved ${file}: revision ${revision} from ${savedFrom}, ${bytesText(bytes)}, digest ${digest}\n`;
  show(run, options, { file, bytes, ...saved }, text);
}

/** The file is durable and complete when it resolves; nothing is left of it when it rejects. */
async function store(
  run: Run,
  file: string,
  options: SaveOptions,
  signal: AbortSignal,
): Promise<SavedBackup> {
  const { serializable, force, timeout: timeoutMs } = options;
  const target = await TargetFile.open(file, force);
  // At once, as a second signal would leave no time for it.
  const remove = (): void => target.remove();
  signal.addEventListener('abort', remove, { once: true });
  const progress = new Progress(run.terminal);
  try {
    const take = (client: Client): Promise<SavedBackup> => {
      return fill(target, client.cluster.snapshot({ serializable, timeoutMs, signal }), progress);
    };
    const saved = await withClient(options, take, { stop: signal });
    signal.throwIfAborted();
    await target.publish();
    return saved;
  } finally {
    progress.end();
    signal.removeEventListener('abort', remove);
    await target.close();
  }
}

type SavedBackup = BackupDescription & { readonly bytes: number };

/** Writes what comes, and checks that it is a whole backup. */
async function fill(
  target: TargetFile,
  snapshot: Snapshot,
  progress: Progress,
): Promise<SavedBackup> {
  // Loaded when needed, so that the commands of the client start without the state machine.
  const { describeBackup } = await import('../server/backup.ts');
  const { BackupReader } = await import('../storage/backup-file.ts');
  const reader = new BackupReader('What the node sent');
  let description: BackupDescription | null = null;
  let bytes = 0;
  for await (const piece of snapshot) {
    for (const part of reader.push(piece)) {
      if (part.type === 'header') description = describeBackup(part.header);
    }
    await target.write(piece);
    bytes += piece.length;
    progress.add(piece.length);
  }
  reader.finish();
  if (description === null) throw reader.damaged('it is empty', 0);
  return { ...description, bytes };
}

function reportText(report: BackupReport): string {
  const lines: readonly (readonly [string, string | number])[] = [
    ['cluster', report.clusterId],
    ['incarnation', report.incarnation],
    ['members', report.members.join(', ')],
    ['saved', `${report.savedAt} from ${report.savedFrom}`],
    ['level', report.featureLevel],
    ['revision', report.revision],
    ['applied', `index ${report.appliedIndex} of term ${report.appliedTerm}`],
    ['keys', report.keys],
    ['instances', report.instances],
    ['leases', report.leases],
    ['records', report.records],
    ['bytes', report.bytes],
    ['digest', report.digest],
  ];
  return lines.map(([name, value]) => `${name.padEnd(11)}  ${value}\n`).join('');
}
