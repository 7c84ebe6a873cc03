/**
 * One server: its data directory, its two ports and, once it is born, the member behind them. The
 * ports are open before birth, so that the members find each other and clients hear what is missing.
 * They stay open while damage is repaired: the member goes, and comes back or is another one then.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type Random, randomId } from '../base/prng.ts';
import { featureLevel } from '../format/feature-level.ts';
import type { Birth, Identity } from '../format/identity.ts';
import type { RetentionBounds } from '../node/log-retention.ts';
import type { MemberApi, PeerTransport } from '../node/types.ts';
import { damagedPart } from '../storage/damage.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../storage/identity.ts';
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
import { createLog } from './log.ts';
import { forgottenLog, type Remedy, repair } from './repair.ts';
import { systemClock, systemRandom } from './system-clock.ts';
import { version } from './version.ts';

export interface RunningMember extends MemberApi {
  /** Hands over what it leads, answers what waits, then closes what it was given to store in. */
  close(): Promise<void>;
}

export interface MemberParts {
  readonly retention: RetentionBounds;
  readonly diskReserveBytes: number;
  readonly files: Files;
  readonly identity: Identity;
  readonly birth: Birth;
  readonly transport: PeerTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
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
  #files: Files | null = null;
  #identity: Identity | null = null;
  #endpoint: ClientEndpoint | null = null;
  #peers: Peers | null = null;
  #member: RunningMember | null = null;
  /** Of all members that this process has had, the newest: what others report does not count. */
  #life = 0;
  /** Repairs that are under way or wait for their turn. */
  #healing = 0;
  #waitsFor = 'its cluster';
  /** Set as soon as a birth was chosen for this member: there is never a second one. */
  #isBirthChosen = false;
  #resolveBorn: () => void = () => {};
  #resolveEnded: (failure: unknown) => void = () => {};
  #failure: unknown = null;
  #serving: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  constructor(configuration: ServerConfiguration, openMember: OpenMember, log: Log) {
    this.#configuration = configuration;
    this.#openMember = openMember;
    this.#log = log;
    this.born = new Promise((resolve) => {
      this.#resolveBorn = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get memberId(): string {
    return opened(this.#identity).memberId;
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
    const identity = await this.#loadIdentity(files);
    this.#identity = identity;
    const endpoint = await this.#openEndpoint(clientListen);
    this.#endpoint = endpoint;
    const peers = await this.#openPeers(await this.#selfOf(files, identity), peerListen);
    this.#peers = peers;
    const { memberId, birth } = identity;
    this.#log.info(
      { memberId, clients: endpoint.address, peers: peers.address, version },
      `Node "${this.name}" listens for clients on ${endpoint.address}`,
    );
    if (birth === null) this.#considerBirth();
    else await this.#serve(birth);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#log.info({}, `Node "${this.name}" stops`);
    // A member that is being opened closes itself; its files must not go before.
    await this.#serving?.catch(() => {});
    // The member goes first, so that it can hand over to its peers and its last answers still reach the
    // clients.
    for (const part of [this.#member, this.#peers, this.#endpoint, this.#files]) {
      await part?.close().catch((error: unknown) => this.#log.error({ error }, 'Closing failed'));
    }
    this.#resolveEnded(this.#failure);
  }

  async #loadIdentity(files: Files): Promise<Identity> {
    const stored = await loadIdentity(files).catch(async (error: unknown) => {
      await this.#repair(error, null);
      return null;
    });
    if (stored === null) return mintIdentity(files, this.name, randomId(systemRandom));
    if (stored.name !== this.name) {
      throw new RollcallError(
        'dataDirectory',
        `The data directory belongs to the member "${stored.name}", not "${this.name}"`,
      );
    }
    return stored;
  }

  #openEndpoint(listen: string): Promise<ClientEndpoint> {
    return openClientEndpoint({
      listen,
      provider: {
        memberId: () => this.memberId,
        name: this.name,
        member: () => this.#member,
        waitsFor: () => this.#waitsFor,
      },
      clock: systemClock,
      log: this.#log,
      version,
      allowedHosts: this.#configuration.allowedHosts,
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
        onLost: (said, by) => {
          // Several will say so of the member that is given up.
          if (this.#healing === 0) this.#memberFailed(forgottenLog(said, by));
        },
      },
    });
  }

  async #selfOf(files: Files, { memberId, name, birth }: Identity): Promise<PeerSelf> {
    const { peerAddress, initialCluster, join, clientAddress } = this.#configuration;
    // Whatever belonged to a cluster here, it must not begin a new one.
    const joins = birth === null && (await hasSetAside(files));
    return {
      memberId,
      name,
      birth,
      peerAddress,
      clientAddress: clientAddress ?? this.clientAddress,
      featureLevel,
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
    const { identity, peers } = this.#openedParts();
    if (this.#isBirthChosen || identity.birth !== null) return;
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
    const { identity } = this.#openedParts();
    if (this.#isBirthChosen || identity.birth !== null) return;
    if (isListed(birth, identity.memberId)) this.#choose(birth, `"${from}"`);
  }

  #choose(birth: Birth, by: string): void {
    this.#isBirthChosen = true;
    this.#log.info({ clusterId: birth.clusterId }, `${by} brings cluster ${birth.clusterId}`);
    this.#become(birth).catch((error: unknown) => this.#fail(error));
  }

  async #become(birth: Birth): Promise<void> {
    const { files, peers } = this.#openedParts();
    // Durable before anybody hears of it: a birth that was handed on is never made again.
    this.#identity = await saveBirth(files, birth);
    if (this.#closing !== null) return;
    peers.born(birth);
    await this.#serve(birth);
  }

  #serve(birth: Birth): Promise<void> {
    this.#serving = this.#openAndServe(birth);
    return this.#serving;
  }

  async #openAndServe(birth: Birth): Promise<void> {
    const { peers, endpoint } = this.#openedParts();
    const member = await this.#openHealthy(birth);
    if (member === null) {
      await this.#rejoin();
      return;
    }
    this.#member = member;
    if (this.#closing !== null) return;
    // Only now it is known who the members are: the member has told the transport.
    if (!this.#isBirthChosen) this.#refuseForeign(birth, peers);
    this.#tellOfChanges(member);
    endpoint.memberChanged();
    this.#resolveBorn();
  }

  /** Repairs first what is damaged. Null: this member is given up. */
  async #openHealthy(birth: Birth): Promise<RunningMember | null> {
    try {
      return await this.#startMember(birth);
    } catch (error) {
      if ((await this.#repair(error, birth)) === 'rejoin') return null;
    }
    return await this.#startMember(birth);
  }

  #startMember(birth: Birth): Promise<RunningMember> {
    const { files, identity, peers } = this.#openedParts();
    const life = ++this.#life;
    return this.#openMember({
      retention: this.#configuration.retention,
      diskReserveBytes: this.#configuration.diskReserveBytes,
      files,
      identity,
      birth,
      transport: peers,
      clock: systemClock,
      random: systemRandom,
      log: this.#log,
      onFatal: (error) => {
        if (life === this.#life) this.#memberFailed(error);
      },
    });
  }

  #repair(error: unknown, birth: Birth | null): Promise<Remedy> {
    const mayRejoin = this.#othersAddresses.length > 0;
    const hasPeers = mayRejoin || (birth !== null && birth.configuration.members.length > 1);
    return repair(error, hasPeers, {
      files: opened(this.#files),
      clock: systemClock,
      log: this.#log,
      name: this.name,
      mayRejoin,
    });
  }

  /** The member that is given up is nobody any more; a new one asks to be taken in. */
  async #rejoin(): Promise<void> {
    const { files, peers } = this.#openedParts();
    this.#identity = await mintIdentity(files, this.name, randomId(systemRandom));
    this.#isBirthChosen = false;
    if (this.#closing !== null) return;
    peers.become(await this.#selfOf(files, this.#identity));
    opened(this.#endpoint).memberChanged();
    this.#considerBirth();
  }

  /** Damage that shows while the member runs is repaired as at a start; anything else ends the node. */
  #memberFailed(error: unknown): void {
    if (this.#failure !== null || this.#closing !== null) return;
    if (damagedPart(error) === null) {
      this.#fail(error);
      return;
    }
    this.#life++;
    const before = this.#serving;
    this.#healing++;
    this.#serving = this.#heal(error, before).finally(() => {
      this.#healing--;
    });
    this.#serving.catch((failure: unknown) => this.#fail(failure));
  }

  async #heal(error: unknown, before: Promise<void> | null): Promise<void> {
    await before?.catch(() => {});
    const member = this.#member;
    const { birth } = opened(this.#identity);
    // What could not be opened has failed already.
    if (this.#closing !== null || (birth !== null && member === null)) return;
    this.#member = null;
    this.#waitsFor = 'the repair of what is damaged here';
    opened(this.#endpoint).memberChanged();
    await member?.close();
    const remedy = await this.#repair(error, birth);
    if (remedy === 'rejoin' || birth === null) await this.#rejoin();
    else if (this.#closing === null) await this.#openAndServe(birth);
  }

  #refuseForeign({ clusterId }: Birth, peers: Peers): void {
    if (!isForeign(peers.names, this.name, this.#configuration.initialCluster)) return;
    throw new RollcallError(
      'clusterMismatch',
      `The data directory belongs to cluster ${clusterId}, none of whose other members is in the ` +
        'initial cluster; if all of them were replaced, leave the initial cluster out',
    );
  }

  #tellOfChanges(member: RunningMember): void {
    let told: string | null = null;
    let isShort = false;
    member.onStatusChange(() => {
      const hasTrouble = member.status().troubles.includes('noSpace');
      if (hasTrouble !== isShort) this.#tellOfSpace(hasTrouble);
      isShort = hasTrouble;
      const { clusterId, leaderId, leaderName, role, standing, term } = member.status();
      const isRemoved = standing === 'removed';
      const news = isRemoved ? standing : `${leaderId} ${term}`;
      if (news === told) return;
      told = news;
      if (isRemoved) {
        const message = `Node "${this.name}" was removed from cluster ${clusterId}: it serves nothing any more`;
        this.#log.warn({ clusterId }, message);
        return;
      }
      const text =
        leaderId === null
          ? 'No leader is known'
          : `"${leaderName ?? leaderId}" leads${role === 'leader' ? ': this node' : ''}`;
      this.#log.info({ term, role }, text);
    });
  }

  #tellOfSpace(isShort: boolean): void {
    if (isShort) {
      const message =
        'The disk has less room than its reserve: nothing should be stored on it any more';
      this.#log.warn({}, message);
    } else {
      this.#log.info({}, 'The disk has room again');
    }
  }

  #fail(error: unknown): void {
    if (this.#failure !== null || this.#closing !== null) return;
    this.#failure = error;
    this.#log.error({ error }, 'The node cannot go on');
    void this.close();
  }

  #openedParts(): {
    readonly files: Files;
    readonly identity: Identity;
    readonly endpoint: ClientEndpoint;
    readonly peers: Peers;
  } {
    return {
      files: opened(this.#files),
      identity: opened(this.#identity),
      endpoint: opened(this.#endpoint),
      peers: opened(this.#peers),
    };
  }
}

function opened<T>(part: T | null): T {
  assert(part !== null, 'The server has not been opened');
  return part;
}
