/** The program `rollcall`: its commands, and how they end. */
import { Command, CommanderError, Help, type Option } from 'commander';
import { type ErrorCode, RollcallError } from '../client/index.ts';
import { version } from '../server/version.ts';
import { compactCommand } from './compact.ts';
import { delCommand } from './del.ts';
import { deregisterCommand } from './deregister.ts';
import { devCommand } from './dev.ts';
import { discoverCommand } from './discover.ts';
import { electCommand } from './elect.ts';
import { getCommand } from './get.ts';
import { jsonLine } from './json.ts';
import { leaseCommand } from './lease.ts';
import { lockCommand } from './lock.ts';
import { memberCommand } from './member.ts';
import { putCommand } from './put.ts';
import { recoverCommand } from './recover.ts';
import { registerCommand } from './register.ts';
import { serverCommand } from './server.ts';
import { servicesCommand } from './services.ts';
import { examples, type Run } from './session.ts';
import { snapshotCommand } from './snapshot.ts';
import { statusCommand } from './status.ts';
import type { Terminal } from './terminal.ts';
import { transferLeaderCommand } from './transfer-leader.ts';
import { txnCommand } from './txn.ts';
import { UsageError } from './usage-error.ts';
import { watchCommand } from './watch.ts';

/** In the order of the help. */
const commands: readonly ((run: Run) => Command)[] = [
  putCommand,
  getCommand,
  delCommand,
  txnCommand,
  compactCommand,
  watchCommand,
  leaseCommand,
  lockCommand,
  electCommand,
  registerCommand,
  deregisterCommand,
  discoverCommand,
  servicesCommand,
  statusCommand,
  memberCommand,
  transferLeaderCommand,
  snapshotCommand,
  recoverCommand,
  serverCommand,
  devCommand,
];

const exitCodes = { failed: 1, usage: 2 } as const;
/** Refusals of what the command line says, whoever noticed it. */
const usageCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'invalidArgument',
  'insecureAddress',
]);

/**
 * Runs one command line (without the program's own name) and resolves with the exit code: 0 for
 * success, 1 for an operation that failed, 2 for a command line that makes no sense. Errors go to
 * standard error as `error: <code>: <message>`, with `--json` as `{"error": {code, message, definite}}`.
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const run: Run = { terminal, args, exitCode: 0 };
  try {
    await createProgram(run).parseAsync(args, { from: 'user' });
    return run.exitCode;
  } catch (error) {
    return report(run, error);
  }
}

function createProgram(run: Run): Command {
  const program = new Command('rollcall')
    .description('a strongly consistent service registry and coordination store')
    .version(version)
    .exitOverride()
    .configureHelp({ optionDescription: describe })
    .configureOutput({
      writeOut: (text) => run.terminal.print(text),
      writeErr: (text) => run.terminal.warn(text),
      outputError: (text) => warn(run, 'usage', text.replace(/^error: /, '').trimEnd()),
    })
    .showHelpAfterError(hint(run, 'rollcall'))
    .addHelpText(
      'after',
      examples('put config/color blue', 'get --prefix config/', 'register --help', 'dev'),
    )
    .addHelpText('after', 'Exit codes: 0 success, 1 the operation failed, 2 a wrong command line.');
  for (const create of commands) adopt(run, program, create(run));
  return program;
}

/** That a switch is off unless it is given goes without saying. */
function describe(option: Option): string {
  return option.defaultValue === false
    ? option.description
    : Help.prototype.optionDescription(option);
}

/** Commands that are made on their own do not take over the program's settings by themselves. */
function adopt(run: Run, parent: Command, command: Command): void {
  parent.addCommand(command);
  inherit(run, 'rollcall', parent, command);
}

function inherit(run: Run, path: string, parent: Command, command: Command): void {
  const name = `${path} ${command.name()}`;
  command.copyInheritedSettings(parent).showHelpAfterError(hint(run, name));
  for (const inner of command.commands) inherit(run, name, command, inner);
}

/** What follows a usage error, for people. */
function hint(run: Run, path: string): string | false {
  return wantsJson(run) ? false : `See: ${path} --help`;
}

function report(run: Run, error: unknown): number {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof UsageError) {
    warn(run, 'usage', error.message);
    return error.exitCode;
  }
  if (!(error instanceof RollcallError)) throw error;
  warn(run, error.code, error.message, error.definite);
  if (run.exitCode !== 0) return run.exitCode;
  return usageCodes.has(error.code) ? exitCodes.usage : exitCodes.failed;
}

function warn({ terminal, args }: Run, code: string, message: string, definite = true): void {
  if (wantsJson({ args })) {
    terminal.warn(jsonLine({ error: { code, message, definite } }));
    return;
  }
  terminal.warn(`error: ${code}: ${message}\n`);
  if (!definite) terminal.warn('It may have happened all the same.\n');
}

/** Also of a command line that can't be parsed. */
function wantsJson({ args }: Pick<Run, 'args'>): boolean {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).includes('--json');
}
