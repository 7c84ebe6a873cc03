/** What every command that talks to a cluster has in common. */
import { constants } from 'node:os';
import { Command, Option } from 'commander';
import { type Client, connect, type EndpointStatus, endpointStatuses } from '../client/index.ts';
import { parseAddresses } from './argument.ts';
import { timeout } from './duration.ts';
import { jsonLine } from './json.ts';
import { type StopSignal, stopSignals, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export const defaultEndpoints = ['127.0.0.1:4640', '127.0.0.1:4650', '127.0.0.1:4660'];

/** One run of the program: the terminal it talks to and the exit code it will end with. */
export interface Run {
  readonly terminal: Terminal;
  /** The command line, without the program's own name. */
  readonly args: readonly string[];
  exitCode: number;
}

export interface ClientOptions {
  readonly endpoints: readonly string[];
  readonly timeout: number;
  readonly json: boolean;
}

/** A command with the options that all commands of the client have. */
export function clientCommand(run: Run, name: string): Command {
  return new Command(name)
    .addOption(
      new Option('--endpoints <list>', 'HOST:PORT of the nodes, separated by commas')
        .argParser(parseAddresses)
        .default(endpointsFromEnvironment(run.terminal), 'ROLLCALL_ENDPOINTS or the local cluster'),
    )
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for an answer')
        .argParser(timeout)
        .default(5000, '5s'),
    )
    .option('--json', 'print one JSON document per line', false);
}

function endpointsFromEnvironment(terminal: Terminal): readonly string[] {
  const given = terminal.environment.ROLLCALL_ENDPOINTS;
  if (given === undefined || given === '') return defaultEndpoints;
  return given.split(',').map((address) => address.trim());
}

/**
 * Runs `body` with a connected client, which is closed afterwards whatever happens; `stop` ends the connecting.
 * Most commands are over before a session would help them.
 */
export async function withClient<T>(
  options: ClientOptions,
  body: (client: Client) => Promise<T>,
  { stop, sessions = false }: { readonly stop?: AbortSignal; readonly sessions?: boolean } = {},
): Promise<T> {
  const client = await connect({
    endpoints: checked(options.endpoints),
    requestTimeoutMs: options.timeout,
    sessions,
    ...(stop && { signal: stop }),
  });
  try {
    return await body(client);
  } finally {
    await client.close();
  }
}

export function statuses(options: ClientOptions): Promise<readonly EndpointStatus[]> {
  return endpointStatuses(checked(options.endpoints), options.timeout);
}

/** A JSON document for programs or text for people. */
export function show(run: Run, options: ClientOptions, document: unknown, text: string): void {
  run.terminal.print(options.json ? jsonLine(document) : text);
}

/**
 * Aborted by Ctrl-C, a request to terminate or a reader that went away: the good end of a command that
 * would go on for ever. A second signal ends the process at once.
 */
export async function untilStopped<T>(
  terminal: Terminal,
  body: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const closed = (): void => stop.abort();
  const stopListening = terminal.onSignal((signal) => {
    if (stop.signal.aborted) terminal.exit(signalCode(signal));
    stop.abort(signal);
  });
  if (terminal.outputClosed.aborted) stop.abort();
  terminal.outputClosed.addEventListener('abort', closed, { once: true });
  try {
    return await body(stop.signal);
  } finally {
    stopListening();
    terminal.outputClosed.removeEventListener('abort', closed);
  }
}

/** The exit code of a command that a stop of `untilStopped` has kept from its end, as shells have it. */
export function stopCode({ reason }: AbortSignal): number {
  const signal = stopSignals.find((one) => one === reason);
  return signal === undefined ? 1 : signalCode(signal);
}

function signalCode(signal: StopSignal): number {
  return 128 + constants.signals[signal];
}

/** Examples below a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ rollcall ${line}\n`).join('')}`;
}

/** The environment is as much the user's word as the command line. */
function checked(endpoints: readonly string[]): readonly string[] {
  try {
    return parseAddresses(endpoints.join(','));
  } catch (cause) {
    const message = `ROLLCALL_ENDPOINTS is "${endpoints.join(',')}", not a list of HOST:PORT`;
    throw new UsageError(message, { cause });
  }
}
