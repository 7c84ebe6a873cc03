import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { RollcallError, type Snapshot } from '../client/index.ts';
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
  untilStopped,
  withClient,
} from './session.ts';
import { UsageError } from './usage-error.ts';

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
  const isTaken = await stat(file).then(
    () => true,
    () => false,
  );
  if (isTaken && !options.force) throw new UsageError(`${file} exists; --force replaces it`);
  const { bytes, ...saved } = await untilStopped(run.terminal, (signal) =>
    withClient(options, (client) => {
      const { serializable, timeout: timeoutMs } = options;
      return store(run, file, client.cluster.snapshot({ serializable, timeoutMs, signal }));
    }),
  );
  const { revision, savedFrom, digest } = saved;
  const text = `saved ${file}: revision ${revision} from ${savedFrom}, ${bytesText(bytes)}, digest ${digest}\n`;
  show(run, options, { file, bytes, ...saved }, text);
}

/** The file is durable and complete when it resolves; nothing is left of it when it rejects. */
async function store(
  run: Run,
  file: string,
  snapshot: Snapshot,
): Promise<BackupDescription & { readonly bytes: number }> {
  const part = `${file}.part`;
  const progress = new Progress(run.terminal);
  try {
    // It holds all that is in the cluster.
    const handle = await open(part, 'w', 0o600);
    try {
      const saved = await fill(handle, snapshot, progress);
      await handle.sync();
      await handle.close();
      await rename(part, file);
      await syncDirectory(dirname(resolve(file)));
      return saved;
    } catch (error) {
      await handle.close();
      await rm(part, { force: true });
      throw error;
    }
  } catch (cause) {
    await snapshot.return();
    if (cause instanceof RollcallError || !(cause instanceof Error)) throw cause;
    const message = `${file} cannot be written: ${cause.message}`;
    throw new RollcallError('storageFailed', message, { definite: true, cause });
  } finally {
    progress.end();
  }
}

/** Writes what comes, and checks that it is a whole backup. */
async function fill(
  handle: FileHandle,
  snapshot: Snapshot,
  progress: Progress,
): Promise<BackupDescription & { readonly bytes: number }> {
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
    await handle.writeFile(piece);
    bytes += piece.length;
    progress.add(piece.length);
  }
  reader.finish();
  if (description === null) throw reader.damaged('it is empty', 0);
  return { ...description, bytes };
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
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
