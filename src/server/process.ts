/**
 * One server: its data directory, its two ports and, once it is born, the member behind them. The
 * ports are open before birth, so that the members find each other and clients hear what is missing.
 * They stay open while damage is repaired: the member goes, and comes back or is another one then.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/prng.ts';
import type { Birth, Identity } from '../format/identity.ts';
import type { RetentionBounds } from '../node/log-retention.ts';
import type { HistoryBounds } from '../node/own-entries.ts';
import type { MemberApi, PeerTransport } from '../node/types.ts';
import { openNodeFiles } from '../storage/node-files.ts';
import { hasSetAside } from '../storage/repair.ts';
import type { Files } from '../storage/types.ts';
import type { PeerSelf } from '../transport/hello.ts';
import { openPeers, type Peers } from '../transport/peers.ts';
import { decideBirth, isForeign, isListed, mintBirth } from './birth.ts';
import { type ClientEndpoint, openClientEndpoint } from './client-endpoint.ts';
import {
  checkConfiguration,
  type ServerConfiguration,
  type ServerOptions,
} from './configuration.ts';
import { Debug } from './debug.ts';
import { MemberKeeper } from './keeper.ts';
import { createLog } from './log.ts';
import { tellNews } from './news.ts';
import { systemClock, systemRandom } from './system-clock.ts';
import { version } from './version.ts';

export interface RunningMember extends MemberApi {
  /** Hands over what it leads, answers what waits, then closes what it was given to store in. */
  close(): Promise<void>;
}

export interface MemberParts {
  readonly retention: RetentionBounds;
  readonly featureLevelMax: number;
  readonly diskReserveBytes: number;
  readonly quotaBytes: number;
  readonly history: HistoryBounds;
  readonly files: Files;
  readonly identity: Identity;
  readonly birth: Birth;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Null unless the node was started to be tested. */
  readonly debug: Debug | null;
  /** What is stored is damaged, the disk failed or an invariant broke: this member must end. */
  readonly onFatal: (error: unknown) => void;
}

export type OpenMember = (parts: MemberParts) => Promise<RunningMember>;

export interface RunningServer {
  readonly memberId: string;
  readonly name: string;
  /** Where the ports are, with the numbers that the system chose. */
  readonly clientAddress: string;
  readonly peerAddress: string;
  /** Resolves once the member belongs to a cluster and its endpoint serves it. */
  readonly born: Promise<void>;
  /** Resolves when the server has ended: to null after `close`, otherwise to what ended it. */
  readonly ended: Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Resolves once both ports are open and a member that was born before serves. When it throws, all
 * that was opened is closed again.
 */
export async function startServer(
  options: ServerOptions,
  openMember: OpenMember,
  log?: Log,
): Promise<RunningServer> {
  const configuration = checkConfiguration(options);
  const { name, logLevel } = configuration;
  const server = new Server(
    configuration,
    openMember,
    log ?? createLog({ level: logLevel, fields: { node: name }, output: process.stdout }),
  );
  try {
    await server.open();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

class Server implements RunningServer {
  readonly born: Promise<void>;
  readonly ended: Promise<unknown>;
  readonly #configuration: ServerConfiguration;
  readonly #openMember: OpenMember;
  readonly #log: Log;
  readonly #debug: Debug | null;
  #files: Files | null = null;
  #keeper: MemberKeeper<RunningMember> | null = null;
  #endpoint: ClientEndpoint | null = null;
  #peers: Peers | null = null;
  #waitsFor = 'its cluster';
  /** Set as soon as a birth was chosen for this member: there is never a second one. */
  #isBirthChosen = false;
  #resolveBorn: () => void = () => {};
  #resolveEnded: (failure: unknown) => void = () => {};
  #failure: unknown = null;
  #closing: Promise<void> | null = null;

  constructor(configuration: ServerConfiguration, openMember: OpenMember, log: Log) {
    this.#configuration = configuration;
    this.#openMember = openMember;
    this.#log = log;
    this.#debug = configuration.debug ? new Debug(systemClock, log) : null;
    this.born = new Promise((resolve) => {
      this.#resolveBorn = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get memberId(): string {
    return opened(this.#keeper).identity.memberId;
  }

  get name(): string {
    return this.#configuration.name;
  }

  get clientAddress(): string {
    return opened(this.#endpoint).address;
  }

  get peerAddress(): string {
    return opened(this.#peers).address;
  }

  async open(): Promise<void> {
    const { dataDirectory, clientListen, peerListen } = this.#configuration;
    const files = await openNodeFiles(dataDirectory);
    this.#files = files;
    const keeper = this.#createKeeper(files);
    this.#keeper = keeper;
    const identity = await keeper.load();
    const endpoint = await this.#openEndpoint(clientListen);
    this.#endpoint = endpoint;
    const peers = await this.#openPeers(await this.#selfOf(files, identity), peerListen);
    this.#peers = peers;
    const { memberId, birth } = identity;
    this.#log.info(
      { memberId, clients: endpoint.address, peers: peers.address, version },
      `Node "${this.name}" listens for clients on ${endpoint.address}`,
    );
    if (this.#debug !== null) {
      const message =
        'Whoever is on this machine may end or stop the node, by /debug/ on its client port';
      this.#log.warn({}, message);
    }
    if (birth === null) this.#considerBirth();
    else await keeper.serve(birth);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#log.info({}, `Node "${this.name}" stops`);
    // The member goes first, so that it can hand over to its peers and its last answers still reach the
    // clients.
    for (const part of [this.#keeper, this.#peers, this.#endpoint, this.#files]) {
      await part?.close().catch((error: unknown) => this.#log.error({ error }, 'Closing failed'));
    }
    this.#resolveEnded(this.#failure);
  }

  #createKeeper(files: Files): MemberKeeper<RunningMember> {
    const failpoints = this.#debug?.failpoints;
    return new MemberKeeper<RunningMember>({
      files,
      clock: systemClock,
      random: systemRandom,
      log: this.#log,
      name: this.name,
      mayRejoin: this.#othersAddresses.length > 0,
      ...(failpoints && { failpoint: (name) => failpoints.reachStorage(name) }),
      open: (identity, birth, onFatal) => {
        return this.#openMember({
          retention: this.#configuration.retention,
          featureLevelMax: this.#configuration.featureLevelMax,
          diskReserveBytes: this.#configuration.diskReserveBytes,
          quotaBytes: this.#configuration.quotaBytes,
          history: this.#configuration.history,
          ...{ files, identity, birth, onFatal },
          transport: opened(this.#peers),
          clock: systemClock,
          random: systemRandom,
          log: this.#log,
          debug: this.#debug,
        });
      },
      host: {
        opened: (member) => this.#opened(member),
        repairs: () => {
          this.#waitsFor = 'the repair of what is damaged here';
          opened(this.#endpoint).memberChanged();
        },
        rejoins: (identity) => this.#rejoins(files, identity),
        failed: (error) => this.#fail(error),
      },
    });
  }

  #openEndpoint(listen: string): Promise<ClientEndpoint> {
    return openClientEndpoint({
      listen,
      provider: {
        memberId: () => this.memberId,
        name: this.name,
        member: () => opened(this.#keeper).member,
        waitsFor: () => this.#waitsFor,
      },
      clock: systemClock,
      log: this.#log,
      version,
      allowedHosts: this.#configuration.allowedHosts,
      debug: this.#debug,
    });
  }

  #openPeers(self: PeerSelf, listen: string): Promise<Peers> {
    return openPeers({
      listen,
      self,
      clock: systemClock,
      random: systemRandom,
      log: this.#log,
      hooks: {
        onHandshake: () => this.#considerBirth(),
        onBirth: (birth, from) => this.#accept(birth, from.name),
        onLost: (said, by) => opened(this.#keeper).lost(said, by),
        onOutdated: (refusal) => this.#fail(refusal),
      },
    });
  }

  async #selfOf(files: Files, { memberId, name, birth }: Identity): Promise<PeerSelf> {
    const { peerAddress, initialCluster, join, clientAddress, featureLevelMax } =
      this.#configuration;
    // Whatever belonged to a cluster here, it must not begin a new one.
    const joins = birth === null && (await hasSetAside(files));
    return {
      memberId,
      name,
      birth,
      peerAddress,
      clientAddress: clientAddress ?? this.clientAddress,
      featureLevel: featureLevelMax,
      initialCluster: joins ? [] : initialCluster,
      join: joins ? this.#othersAddresses : join,
    };
  }

  /** Peer addresses of others that could take this node in. */
  get #othersAddresses(): readonly string[] {
    const { initialCluster, join } = this.#configuration;
    const others = initialCluster.filter(({ name }) => name !== this.name);
    return [...join, ...others.map(({ peerAddress }) => peerAddress)];
  }

  #considerBirth(): void {
    const { keeper, peers } = this.#openedParts();
    if (this.#isBirthChosen || keeper.identity.birth !== null) return;
    const decision = decideBirth(peers.self, peers.greeted());
    if (decision.type === 'mint') {
      this.#choose(mintBirth(decision.members, systemRandom), 'All members have met; this one');
    } else if (decision.reason !== this.#waitsFor) {
      this.#waitsFor = decision.reason;
      this.#log.info({}, `Node "${this.name}" waits for ${decision.reason}`);
    }
  }

  /** Any holder of the birth may hand it over; all of them hold the same one. */
  #accept(birth: Birth, from: string): void {
    const { identity } = opened(this.#keeper);
    if (this.#isBirthChosen || identity.birth !== null) return;
    if (isListed(birth, identity.memberId)) this.#choose(birth, `"${from}"`);
  }

  #choose(birth: Birth, by: string): void {
    this.#isBirthChosen = true;
    this.#log.info({ clusterId: birth.clusterId }, `${by} brings cluster ${birth.clusterId}`);
    this.#become(birth).catch((error: unknown) => this.#fail(error));
  }

  async #become(birth: Birth): Promise<void> {
    const { keeper, peers } = this.#openedParts();
    // Durable before anybody hears of it: a birth that was handed on is never made again.
    const isBorn = await keeper.become(birth);
    if (!isBorn || this.#closing !== null) return;
    peers.born(birth);
    await keeper.serve(birth);
  }

  #opened(member: RunningMember): void {
    const { keeper, peers, endpoint } = this.#openedParts();
    // Only now it is known who the members are: the member has told the transport.
    if (!this.#isBirthChosen) this.#refuseForeign(opened(keeper.identity.birth), peers);
    tellNews(member, this.#log);
    endpoint.memberChanged();
    this.#resolveBorn();
  }

  async #rejoins(files: Files, identity: Identity): Promise<void> {
    this.#isBirthChosen = false;
    const { peers, endpoint } = this.#openedParts();
    peers.become(await this.#selfOf(files, identity));
    endpoint.memberChanged();
    this.#considerBirth();
  }

  #refuseForeign({ clusterId }: Birth, peers: Peers): void {
    if (!isForeign(peers.names, this.name, this.#configuration.initialCluster)) return;
    throw new RollcallError(
      'clusterMismatch',
      `The data directory belongs to cluster ${clusterId}, none of whose other members is in the ` +
        'initial cluster; if all of them were replaced, leave the initial cluster out',
    );
  }

  #fail(error: unknown): void {
    if (this.#failure !== null || this.#closing !== null) return;
    this.#failure = error;
    this.#log.error({ error }, 'The node cannot go on');
    void this.close();
  }

  #openedParts(): {
    readonly keeper: MemberKeeper<RunningMember>;
    readonly endpoint: ClientEndpoint;
    readonly peers: Peers;
  } {
    return {
      keeper: opened(this.#keeper),
      endpoint: opened(this.#endpoint),
      peers: opened(this.#peers),
    };
  }
}

function opened<T>(part: T | null): T {
  assert(part !== null, 'The server has not been opened');
  return part;
}
