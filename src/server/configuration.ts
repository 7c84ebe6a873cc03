/** What a server is started with, checked as a whole before anything is opened. */
import { isAddress, isLoopback, parseAddress } from '../base/address.ts';
import { RollcallError } from '../base/errors.ts';
import { isName } from '../base/limits.ts';
import { featureLevel, firstFeatureLevel } from '../format/feature-level.ts';
import type { RetentionBounds } from '../node/log-retention.ts';
import type { HistoryBounds } from '../node/own-entries.ts';
import { type InitialMember, isDialable } from '../transport/hello.ts';
import { isLogLevel, type LogLevel, logLevels } from './log.ts';

export interface ServerOptions {
  readonly name: string;
  readonly dataDirectory: string;
  /** `host:port` for clients; port 0 lets the system choose. */
  readonly clientListen: string;
  /** What clients are told to connect to, where it differs from `clientListen`. */
  readonly clientAddress?: string | undefined;
  readonly peerListen: string;
  /** `name=host:port,…`, this member included. Only itself, unless given. Not needed once it is born. */
  readonly initialCluster?: string | undefined;
  /**
   * `host:port,…`: peer addresses of members of the cluster that this node asks to take it in. Instead
   * of `initialCluster`. Not needed once it is born.
   */
  readonly join?: string | undefined;
  /** What peers dial, where that differs from `peerListen`; in an initial cluster its line says that. */
  readonly peerAddress?: string | undefined;
  /** Allows addresses that other machines can reach, although nobody is authenticated. */
  readonly insecure?: boolean | undefined;
  /** Further names by which clients may call this node, separated by commas. */
  readonly allowedHosts?: string | undefined;
  readonly logLevel?: string | undefined;
  /** So much of the newest log is always kept for followers that come back. 128 MiB unless given, at least 1. */
  readonly logWindowMib?: number | undefined;
  /** So much is kept at most while a follower is behind; then it gets a state instead. 1024 MiB unless given. */
  readonly logRetainedMib?: number | undefined;
  /**
   * Take part as an older version would, that knows no higher feature level: the cluster then stays at it,
   * or is not joined when it is beyond it. For tests of upgrades. What this program knows, unless given.
   */
  readonly featureLevelMax?: number | undefined;
  /** With less room than this on the disk, nothing is taken that would fill it. 64 MiB unless given. */
  readonly diskReserveMib?: number | undefined;
  /** With so much stored, all kept revisions counted, nothing more is taken. 4096 MiB unless given. */
  readonly quotaMib?: number | undefined;
  /** What was replaced longer ago is compacted by itself; 0 is never. An hour unless given, in milliseconds. */
  readonly historyAge?: number | undefined;
  /** At most so many revisions are kept; 0 is all. A million unless given. */
  readonly historyRevisions?: number | undefined;
  /** Opens failpoints, trace and digests to this machine, below `/debug/` of the client port. */
  readonly debug?: boolean | undefined;
}

export interface ServerConfiguration {
  readonly name: string;
  readonly dataDirectory: string;
  readonly clientListen: string;
  /** Null: the address that the client port gets. */
  readonly clientAddress: string | null;
  readonly peerListen: string;
  /** What peers dial. */
  readonly peerAddress: string;
  /** In order of names. Empty if the node joins. */
  readonly initialCluster: readonly InitialMember[];
  /** Peer addresses of members of the cluster to join. Empty if the node begins one. */
  readonly join: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly logLevel: LogLevel;
  readonly retention: RetentionBounds;
  readonly featureLevelMax: number;
  readonly diskReserveBytes: number;
  readonly quotaBytes: number;
  readonly history: HistoryBounds;
  readonly debug: boolean;
}

const membersMax = 9;

/** Throws `invalidArgument` or `insecureAddress`. */
export function checkConfiguration(options: ServerOptions): ServerConfiguration {
  const { name, dataDirectory, clientListen, peerListen, insecure = false } = options;
  if (!isName(name)) {
    throw invalid(`"${name.slice(0, 200)}" is not a name: 1 to 128 of a-z 0-9 . _ -`);
  }
  if (dataDirectory === '') throw invalid('The data directory has to be given');
  checkListen(clientListen, insecure);
  checkListen(peerListen, insecure);
  if (clientListen === peerListen && parseAddress(clientListen).port !== 0) {
    throw invalid(`Clients and peers each need a port of their own, both have ${clientListen}`);
  }
  const { clientAddress = null, logLevel = 'info' } = options;
  if (!isLogLevel(logLevel)) throw invalid(`The log level is one of ${logLevels.join(', ')}`);
  checkAdvertised(clientListen, clientAddress);
  const { peerAddress, initialCluster, join } = checkPeers(options);
  return {
    name,
    dataDirectory,
    clientListen,
    clientAddress,
    peerListen,
    peerAddress,
    initialCluster,
    join,
    allowedHosts: hostsOf([clientListen, clientAddress, options.allowedHosts]),
    logLevel,
    retention: retentionOf(options),
    featureLevelMax: levelOf(options),
    diskReserveBytes: diskReserveOf(options),
    quotaBytes: quotaOf(options),
    history: historyOf(options),
    debug: options.debug ?? false,
  };
}

const mebi = 1024 * 1024;

function retentionOf(options: ServerOptions): RetentionBounds {
  const { logWindowMib = 128, logRetainedMib = Math.max(1024, logWindowMib) } = options;
  const isWindow = Number.isSafeInteger(logWindowMib) && logWindowMib >= 1;
  if (!isWindow) throw invalid(`The log window is ${logWindowMib} MiB, not a number from 1 on`);
  if (!Number.isSafeInteger(logRetainedMib) || logRetainedMib < logWindowMib) {
    throw invalid(`${logRetainedMib} MiB of log at most is less than the window always kept`);
  }
  return { logWindowBytes: logWindowMib * mebi, logRetainedBytesMax: logRetainedMib * mebi };
}

function diskReserveOf({ diskReserveMib = 64 }: ServerOptions): number {
  if (Number.isSafeInteger(diskReserveMib) && diskReserveMib >= 1) return diskReserveMib * mebi;
  throw invalid(`The reserve of the disk is ${diskReserveMib} MiB, not a number from 1 on`);
}

function quotaOf({ quotaMib = 4096 }: ServerOptions): number {
  if (Number.isSafeInteger(quotaMib) && quotaMib >= 1) return quotaMib * mebi;
  throw invalid(`The quota is ${quotaMib} MiB, not a number from 1 on`);
}

function historyOf({
  historyAge = 3_600_000,
  historyRevisions = 1_000_000,
}: ServerOptions): HistoryBounds {
  for (const [what, bound] of [
    ['age', historyAge],
    ['number of revisions', historyRevisions],
  ] as const) {
    if (Number.isSafeInteger(bound) && bound >= 0) continue;
    throw invalid(`The ${what} of the history is ${bound}, not a whole number from 0 on`);
  }
  return { historyAgeMs: historyAge, historyRevisions };
}

function levelOf({ featureLevelMax = featureLevel }: ServerOptions): number {
  const isLevel = Number.isSafeInteger(featureLevelMax) && featureLevelMax >= firstFeatureLevel;
  if (isLevel && featureLevelMax <= featureLevel) return featureLevelMax;
  throw invalid(
    `This program knows the feature levels ${firstFeatureLevel} to ${featureLevel}, not ${featureLevelMax}`,
  );
}

function checkPeers(
  options: ServerOptions,
): Pick<ServerConfiguration, 'peerAddress' | 'initialCluster' | 'join'> {
  const { name, peerListen, peerAddress: advertised = peerListen } = options;
  if (options.join !== undefined && options.initialCluster !== undefined) {
    throw invalid('A node either joins a cluster or is of the initial one, not both');
  }
  const join = options.join === undefined ? [] : parseJoin(options.join);
  const line = options.initialCluster ?? `${name}=${advertised}`;
  const initialCluster = join.length > 0 ? [] : parseCluster(line);
  const own = join.length > 0 ? { name, peerAddress: advertised } : findOwn(initialCluster, name);
  if (options.peerAddress !== undefined && own.peerAddress !== options.peerAddress) {
    throw invalid(`The initial cluster says ${own.peerAddress}, not ${options.peerAddress}`);
  }
  parseMember(`${name}=${own.peerAddress}`);
  if (isEveryAddress(own.peerAddress)) {
    throw invalid(`${own.peerAddress} is every address; say by --peer-address which one peers use`);
  }
  return { peerAddress: own.peerAddress, initialCluster, join };
}

function findOwn(initialCluster: readonly InitialMember[], name: string): InitialMember {
  const own = initialCluster.find((member) => member.name === name);
  if (own === undefined) throw invalid(`The initial cluster does not list "${name}" itself`);
  return own;
}

function parseJoin(text: string): readonly string[] {
  const addresses = text.split(',').map((address) => address.trim());
  for (const address of addresses) {
    if (parseAddress(address).port === 0) throw invalid('Nobody listens on port 0');
    if (!isDialable(address)) throw invalid(`"${address}" cannot be dialed`);
  }
  return [...new Set(addresses)];
}

/** Parses `name=host:port,…`; the list comes back in order of names. */
export function parseCluster(text: string): readonly InitialMember[] {
  const members = text.split(',').map(parseMember);
  if (members.length > membersMax) {
    throw invalid(`${members.length} members, at most ${membersMax} are allowed`);
  }
  for (const field of ['name', 'peerAddress'] as const) {
    const seen = new Set<string>();
    for (const { [field]: value } of members) {
      if (seen.has(value)) throw invalid(`The initial cluster lists ${value} twice`);
      seen.add(value);
    }
  }
  return members.sort((left, right) => (left.name < right.name ? -1 : 1));
}

function parseMember(text: string): InitialMember {
  const [name = '', peerAddress = '', ...rest] = text.trim().split('=');
  if (!isName(name) || !isAddress(peerAddress) || rest.length > 0) {
    const found = `"${text.slice(0, 300)}" is not a member NAME=HOST:PORT`;
    throw invalid(`The initial cluster is a list of NAME=HOST:PORT, and ${found}`);
  }
  if (!isDialable(peerAddress)) throw invalid(`"${peerAddress}" cannot be dialed`);
  return { name, peerAddress };
}

function checkListen(address: string, insecure: boolean): void {
  const { host } = parseAddress(address);
  if (insecure || isLoopback(host)) return;
  throw new RollcallError(
    'insecureAddress',
    `${address} can be reached from other machines, and nobody is authenticated yet; ` +
      'listen on loopback, or say --insecure',
  );
}

function checkAdvertised(clientListen: string, clientAddress: string | null): void {
  if (clientAddress !== null) {
    if (parseAddress(clientAddress).port === 0) throw invalid('Clients cannot connect to port 0');
  } else if (isEveryAddress(clientListen)) {
    throw invalid(
      `${clientListen} is every address; say by --client-address which one clients use`,
    );
  }
}

function isEveryAddress(address: string): boolean {
  return ['0.0.0.0', '::'].includes(parseAddress(address).host);
}

function hostsOf(sources: readonly (string | null | undefined)[]): readonly string[] {
  const [listen, advertised, listed] = sources;
  const addresses = [listen, advertised].flatMap((address) =>
    address ? [parseAddress(address).host] : [],
  );
  const names = (listed ?? '').split(',').map((name) => name.trim());
  return [...addresses, ...names].filter((name) => name !== '');
}

function invalid(message: string): RollcallError {
  return new RollcallError('invalidArgument', message);
}
