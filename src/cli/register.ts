import { type Command, Option } from 'commander';
import {
  type Client,
  connect,
  type Registration,
  type RegistrationEnd,
  RollcallError,
} from '../client/index.ts';
import { collectPairs, collectTags, parseAddress, parseName } from './argument.ts';
import { Child } from './child.ts';
import { leaseTtl } from './duration.ts';
import { withOutages } from './outage.ts';
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

interface RegisterCommandOptions extends ClientOptions {
  readonly address: string;
  readonly id?: string;
  readonly ttl: number;
  readonly tag?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
}

export function registerCommand(run: Run): Command {
  return clientCommand(run, 'register')
    .summary('register an instance and keep it registered, perhaps while a command runs')
    .description(
      'Register an instance and keep it registered until stopped, then take it out again. With a ' +
        'command after --, run it, keep the instance registered while it lives, exit as it does ' +
        '(126 not executable, 127 not found); signals are passed on, and a second one kills it. ' +
        'Ends with 1 when somebody else takes the instance out or registers its id; a command ' +
        'goes on.',
    )
    .argument('<service>', 'the service', parseName)
    .argument('[command...]', 'a command to run, after --')
    .requiredOption('--address <host:port>', 'where the instance can be called', parseAddress)
    .option('--id <id>', 'the instance; drawn if left out', parseName)
    .addOption(
      new Option('--ttl <duration>', 'how long it outlives a crash')
        .argParser(leaseTtl)
        .default(10_000, '10s'),
    )
    .option('--tag <tag>', 'a tag; may stand several times', collectTags)
    .option('--meta <name=value>', 'metadata; may stand several times', collectPairs)
    .addHelpText(
      'after',
      examples(
        'register api --address 10.0.0.7:8080 --tag blue --meta zone=a',
        'register api --address 10.0.0.7:8080 --ttl 5s -- node api.js --port 8080',
      ),
    )
    .action(
      async (service: string, command: readonly string[], options: RegisterCommandOptions) => {
        const [file, ...args] = command;
        if (file === undefined && run.args.at(-1) === '--') {
          throw new UsageError('A command is missing after --');
        }
        if (file === undefined) {
          await withClient(options, (client) =>
            registerUntilStopped(run, client, service, options),
          );
        } else {
          // A service must be able to start while the registry is away.
          const child = new Child(run.terminal, file, args);
          run.exitCode = await registerWhile(run, service, options, child);
        }
      },
    );
}

async function registerUntilStopped(
  run: Run,
  client: Client,
  service: string,
  options: RegisterCommandOptions,
): Promise<void> {
  const { address } = options;
  await untilStopped(run.terminal, async (signal) => {
    const registration = await register(client, service, options, signal).catch(unless(signal));
    if (registration === null) return;
    const { id } = registration;
    const tell = (event: string, more: object = {}): void => {
      const text = `${event} ${service}/${id} at ${address}\n`;
      show(run, options, { event, service, id, address, ...more }, text);
    };
    tell('registered');
    registration.on('lost', (reason) => tell('lost', { reason }));
    registration.on('restored', () => tell('restored'));
    const ended = new Promise<RegistrationEnd>((resolve) => registration.once('ended', resolve));
    const end = await withOutages(run, client, () => Promise.race([ended, aborted(signal)]));
    if (end !== null) {
      tell('ended', { reason: end });
      throw new RollcallError(endCodes[end], `${service}/${id} ${endTexts[end]}`);
    }
    await registration.deregister();
    if (registration.end === null) tell('deregistered');
    else run.terminal.warn(`rollcall: ${service}/${id} ${endTexts[registration.end]}\n`);
  });
}

const endCodes = { deregistered: 'instanceNotFound', replaced: 'instanceReplaced' } as const;
/** How somebody else ended a registration: what follows its name. */
const endTexts: Readonly<Record<RegistrationEnd, string>> = {
  deregistered: 'was taken out of the registry by somebody else, and stays out',
  replaced: 'was registered by another process since, and is left to it',
};

/** Standard output belongs to the command, so that all is told on standard error. */
async function registerWhile(
  run: Run,
  service: string,
  options: RegisterCommandOptions,
  child: Child,
): Promise<number> {
  const over = new AbortController();
  const ended = child.ended.finally(() => over.abort());
  ended.catch(() => {});
  let client: Client | null = null;
  try {
    client = await connectUntil(run, options, over.signal);
    const registration =
      client === null
        ? null
        : await register(client, service, options, over.signal).catch(unless(over.signal));
    if (client === null || registration === null) return await ended;
    return await withOutages(run, client, () => keepWhile(run, service, registration, ended));
  } catch (error) {
    child.stop();
    await ended.catch(() => {});
    throw error;
  } finally {
    await client?.close();
  }
}

/** Goes on trying for as long as the command lives; null once it has ended. */
async function connectUntil(
  run: Run,
  options: RegisterCommandOptions,
  signal: AbortSignal,
): Promise<Client | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { endpoints, timeout } = options;
      return await connect({ endpoints, requestTimeoutMs: timeout, signal });
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof RollcallError) || error.code !== 'unreachable') throw error;
      if (attempt === 1) {
        run.terminal.warn(`rollcall: not registered yet, and still trying: ${error.message}\n`);
      }
    }
  }
}

async function keepWhile(
  run: Run,
  service: string,
  registration: Registration,
  ended: Promise<number>,
): Promise<number> {
  const name = `${service}/${registration.id}`;
  const tell = (text: string): void => run.terminal.warn(`rollcall: ${name} ${text}\n`);
  registration.on('lost', (reason) => tell(`was lost (${reason})`));
  registration.on('restored', () => tell('is registered again'));
  registration.on('ended', (end) => tell(endTexts[end]));
  const code = await ended;
  const known = registration.end;
  try {
    await registration.deregister();
    if (known === null && registration.end !== null) tell(endTexts[registration.end]);
  } catch (error) {
    if (!(error instanceof RollcallError)) throw error;
    // The command's exit code is the answer; the instance goes with its TTL.
    tell(`could not be deregistered: ${error.code}: ${error.message}`);
  }
  return code;
}

function register(
  client: Client,
  service: string,
  options: RegisterCommandOptions,
  signal: AbortSignal,
): Promise<Registration> {
  return client.registry.register({
    service,
    address: options.address,
    ...(options.id === undefined ? {} : { id: options.id }),
    ttlMs: options.ttl,
    tags: options.tag ?? [],
    metadata: options.meta ?? {},
    signal,
  });
}

/** A failure after the end is the end. */
function unless(signal: AbortSignal): (error: unknown) => null {
  return (error) => {
    if (signal.aborted) return null;
    throw error;
  };
}

function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true });
  });
}
