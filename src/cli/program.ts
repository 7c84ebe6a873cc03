/** The program `rollcall`: its commands, and how they end. */
import { Command, CommanderError, Help, type Option } from 'commander';
import { RollcallError } from '../client/index.ts';
import { version } from '../server/version.ts';
import { delCommand } from './del.ts';
import { deregisterCommand } from './deregister.ts';
import { devCommand } from './dev.ts';
import { discoverCommand } from './discover.ts';
import { getCommand } from './get.ts';
import { leaseCommand } from './lease.ts';
import { memberCommand } from './member.ts';
import { putCommand } from './put.ts';
import { registerCommand } from './register.ts';
import { serverCommand } from './server.ts';
import { servicesCommand } from './services.ts';
import { examples, type Run } from './session.ts';
import { statusCommand } from './status.ts';
import type { Terminal } from './terminal.ts';
import { transferLeaderCommand } from './transfer-leader.ts';
import { UsageError } from './usage-error.ts';
import { watchCommand } from './watch.ts';

/** In the order of the help. */
const commands: readonly ((run: Run) => Command)[] = [
  putCommand,
  getCommand,
  delCommand,
  watchCommand,
  leaseCommand,
  registerCommand,
  deregisterCommand,
  discoverCommand,
  servicesCommand,
  statusCommand,
  memberCommand,
  transferLeaderCommand,
  serverCommand,
  devCommand,
];

const exitCodes = { failed: 1, usage: 2 } as const;

/**
 * Runs one command line (without the program's own name) and resolves with the exit code: 0 for
 * success, 1 for an operation that failed, 2 for a command line that makes no sense. Errors go to
 * standard error as `error: <code>: <message>`.
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const run: Run = { terminal, args, exitCode: 0 };
  try {
    await createProgram(run).parseAsync(args, { from: 'user' });
    return run.exitCode;
  } catch (error) {
    return report(terminal, error);
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
      outputError: (text, write) => write(text.replace(/^error: /, 'error: usage: ')),
    })
    .addHelpText(
      'after',
      examples('put config/color blue', 'get --prefix config/', 'register --help', 'dev'),
    )
    .addHelpText('after', 'Exit codes: 0 success, 1 the operation failed, 2 a wrong command line.');
  for (const create of commands) adopt(program, create(run));
  return program;
}

/** That a switch is off unless it is given goes without saying. */
function describe(option: Option): string {
  return option.defaultValue === false
    ? option.description
    : Help.prototype.optionDescription(option);
}

/** Commands that are made on their own do not take over the program's settings by themselves. */
function adopt(parent: Command, command: Command): void {
  parent.addCommand(command);
  inherit(parent, command);
}

function inherit(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  for (const inner of command.commands) inherit(command, inner);
}

function report(terminal: Terminal, error: unknown): number {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof UsageError) {
    terminal.warn(`error: usage: ${error.message}\n`);
    return error.exitCode;
  }
  if (!(error instanceof RollcallError)) throw error;
  terminal.warn(`error: ${error.code}: ${error.message}\n`);
  if (!error.definite) terminal.warn('It may have happened all the same.\n');
  return exitCodes.failed;
}
