import { type Command, Option } from 'commander';
import { type Client, type Holding, RollcallError } from '../client/index.ts';
import { parseKey } from './argument.ts';
import { Child } from './child.ts';
import { leaseTtl } from './duration.ts';
import { withOutages } from './outage.ts';
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
import { UsageError } from './usage-error.ts';

export interface HoldingCommandOptions extends ClientOptions {
  readonly ttl: number;
}

export function holdingTtl(): Option {
  return new Option('--ttl <duration>', 'how long a crash or a lost network keeps others waiting')
    .argParser(leaseTtl)
    .default(10_000, '10s');
}

export function lockCommand(run: Run): Command {
  return clientCommand(run, 'lock')
    .summary('wait for a lock and hold it, perhaps while a command runs')
    .description(
      'Wait for a lock, in the order of asking, and hold it until stopped. With a command after --, run it ' +
        'while the lock is held, and exit as it does (126 not executable, 127 not found); signals are passed ' +
        'on, and a second one kills it. When the lock is lost, the command is asked to end, and killed a ' +
        'tenth of the TTL later; then it ends with 1. The command finds the fencing token in ' +
        'ROLLCALL_LOCK_TOKEN, and in ROLLCALL_LOCK_KEY the key whose create revision it is while the lock is held.',
    )
    .argument('<name>', 'the lock', parseKey)
    .argument('[command...]', 'a command to run, after --')
    .addOption(holdingTtl())
    .addHelpText(
      'after',
      examples(
        'lock jobs/nightly -- ./nightly.sh --all',
        `lock deploy --ttl 30s -- sh -c 'deploy --fencing-token "$ROLLCALL_LOCK_TOKEN"'`,
        'lock maintenance',
      ),
    )
    .action(async (name: string, command: readonly string[], options: HoldingCommandOptions) => {
      const [file, ...args] = command;
      if (file === undefined && run.args.at(-1) === '--') {
        throw new UsageError('A command is missing after --');
      }
      await withClient(
        options,
        async (client) => {
          if (file === undefined) await holdUntilStopped(run, client, name, options);
          else await holdWhile(run, client, name, options, [file, ...args]);
        },
        { sessions: true },
      );
    });
}

async function holdUntilStopped(
  run: Run,
  client: Client,
  name: string,
  options: HoldingCommandOptions,
): Promise<void> {
  await untilStopped(run.terminal, async (stop) => {
    const lock = await acquire(run, client, stop, () =>
      client.lock(name, { ttlMs: options.ttl, signal: stop }),
    );
    if (lock === null) return;
    const { key, token } = lock;
    show(run, options, { event: 'locked', key, token }, `locked ${key} token ${token}\n`);
    await holdOn(run, client, lock, stop);
    show(run, options, { event: 'released', key, token }, `released ${key}\n`);
  });
}

/** Null, and the exit code is set, where the wait was stopped. */
export async function acquire<T extends Holding>(
  run: Run,
  client: Client,
  stop: AbortSignal,
  ask: () => Promise<T>,
): Promise<T | null> {
  try {
    return await withOutages(run, client, ask);
  } catch (error) {
    if (!stop.aborted) throw error;
    run.exitCode = stopCode(stop);
    return null;
  }
}

/** Holds on until it is stopped, and releases; throws `notHeld` when it is lost before. */
export async function holdOn(
  run: Run,
  client: Client,
  holding: Holding,
  stop: AbortSignal,
): Promise<void> {
  const stopped = new Promise<null>((resolve) => {
    if (stop.aborted) resolve(null);
    stop.addEventListener('abort', () => resolve(null), { once: true });
  });
  const loss = await withOutages(run, client, () => Promise.race([holding.lost, stopped]));
  if (loss !== null) throw new RollcallError('notHeld', `${holding.key} was lost (${loss})`);
  await holding.release();
}

async function holdWhile(
  run: Run,
  client: Client,
  name: string,
  { ttl }: HoldingCommandOptions,
  command: readonly [string, ...string[]],
): Promise<void> {
  const lock = await untilStopped(run.terminal, (stop) =>
    acquire(run, client, stop, () => client.lock(name, { ttlMs: ttl, signal: stop })),
  );
  // Nothing can come in between, so that from here on the signals are those of the command.
  if (lock === null) return;
  try {
    run.exitCode = await runWhile(run, client, lock, command);
  } finally {
    await releaseOrTell(run, lock);
  }
}

async function runWhile(
  run: Run,
  client: Client,
  lock: Holding,
  [file, ...args]: readonly [string, ...string[]],
): Promise<number> {
  const child = new Child(run.terminal, file, args, {
    ROLLCALL_LOCK_KEY: lock.key,
    ROLLCALL_LOCK_TOKEN: String(lock.token),
  });
  let killing: NodeJS.Timeout | null = null;
  void lock.lost.then((loss) => {
    if (child.over) return;
    run.terminal.warn(`rollcall: ${lock.key} was lost (${loss}): ${file} has to end\n`);
    child.stop();
    // Half of the time that others keep away, so that it is dead by then, however late the timer comes.
    killing = setTimeout(() => child.kill(), lock.graceMs / 2);
  });
  try {
    const code = await withOutages(run, client, () => child.ended);
    if (lock.loss === null) return code;
  } finally {
    if (killing !== null) clearTimeout(killing);
  }
  throw new RollcallError('notHeld', `${lock.key} was lost (${lock.loss}) while ${file} ran`);
}

/** The command's exit code is the answer; the lock goes with its TTL. */
async function releaseOrTell(run: Run, lock: Holding): Promise<void> {
  try {
    await lock.release();
  } catch (error) {
    if (!(error instanceof RollcallError)) throw error;
    run.terminal.warn(
      `rollcall: ${lock.key} could not be released: ${error.code}: ${error.message}\n`,
    );
  }
}
