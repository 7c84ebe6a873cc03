/**
 * What a process does from its start on, until there is a member and an endpoint before it: the
 * counterpart of `src/server/process.ts` without sockets. The member's lives are kept as shipped. A
 * directory that is nobody's is given a new id, and waits until a member hands it the cluster that has
 * taken it in.
 */
import { formatHash } from '../../src/base/hash.ts';
import { silentLog } from '../../src/base/log.ts';
import { createPrng, randomBelow } from '../../src/base/prng.ts';
import type { Birth, Identity } from '../../src/format/identity.ts';
import type { EntryId, NodeId } from '../../src/format/types.ts';
import type { Member } from '../../src/node/member.ts';
import { openMember } from '../../src/node/open-member.ts';
import { decideBirth, isListed } from '../../src/server/birth.ts';
import { MemberKeeper } from '../../src/server/keeper.ts';
import { openStorage } from '../../src/storage/storage.ts';
import type { Storage } from '../../src/storage/types.ts';
import type { PeerSelf } from '../../src/transport/hello.ts';
import { deniesEntry, valuesOf } from './checks/written.ts';
import { Endpoint } from './endpoint.ts';
import type { Life, SimNode } from './node.ts';
import type { Port } from './port.ts';
import { stream } from './random.ts';
import type { World } from './world.ts';

/** Resolves once the process serves, or waits to be taken in. */
export async function launch(world: World, node: SimNode, life: Life): Promise<void> {
  await new Launch(world, node, life).begin();
}

class Launch {
  readonly #world: World;
  readonly #node: SimNode;
  readonly #life: Life;
  readonly #keeper: MemberKeeper<Member>;
  /** The newest that was opened; while it closes it still speaks to its peers. */
  #speaking: Member | null = null;
  /** There is never a second one. */
  #isBirthChosen = false;

  constructor(world: World, node: SimNode, life: Life) {
    this.#world = world;
    this.#node = node;
    this.#life = life;
    const { clock } = life;
    this.#keeper = new MemberKeeper<Member>({
      ...{ files: node.files, clock, random: world.idRandom, name: node.name },
      log: { ...silentLog, warn: ({ part }, text) => this.#repaired(part, text) },
      mayRejoin: true,
      open: (identity, birth, onFatal) => this.#openMember(identity, birth, onFatal),
      host: {
        opened: () => this.#opened(),
        repairs: () => this.#gone(),
        rejoins: async (identity) => this.#rejoins(identity),
        failed: (error) => this.#failed(error),
      },
    });
  }

  async begin(): Promise<void> {
    const identity = await this.#keeper.load();
    if (this.#life.clock.isOver) return;
    const { birth, memberId } = identity;
    this.#world.identified(this.#node, memberId);
    const port = this.#openPort(identity);
    this.#life.port = port;
    if (birth === null) this.#considerBirth(port);
    else await this.#keeper.serve(birth);
  }

  #openPort(identity: Identity): Port {
    const { peers, observer, swarm } = this.#world;
    const { clock } = this.#life;
    const port = peers.open({
      ...{ party: this.#node.name, self: this.#selfOf(identity), clock },
      random: stream(swarm.seed, `port ${identity.memberId} ${this.#world.clock.events}`),
      hooks: {
        onHandshake: () => this.#considerBirth(port),
        onBirth: (birth) => this.#accept(port, birth),
        onLost: (said, by) => this.#lost(said, by),
        onRemoved: () => this.#world.hit('toldRemoved'),
        onGuest: () => this.#world.hit('guestMet'),
        onConfiguration: (configuration, index) =>
          observer.configured(port.self.memberId, configuration, index),
        onFeatureLevel: (level) => this.#world.levelReached(level),
        onFlush: () => {
          const status = this.#speaking?.status();
          if (status !== undefined) observer.turned(port.self.memberId, status);
        },
      },
    });
    port.open();
    return port;
  }

  #selfOf({ memberId, name, birth }: Identity): PeerSelf {
    const { peerAddress, address: clientAddress } = this.#node;
    const { initialCluster, join } =
      birth === null ? this.#world.acquaintances(this.#node) : { initialCluster: [], join: [] };
    return {
      ...{ memberId, name, birth, peerAddress, clientAddress },
      featureLevel: this.#node.featureLevelMax,
      ...{ initialCluster, join },
    };
  }

  #considerBirth(port: Port): void {
    if (this.#isBirthChosen || this.#keeper.identity.birth !== null) return;
    const decision = decideBirth(port.self, port.greeted());
    if (decision.type === 'mint') this.#world.violate(`${port.self.name} makes a second cluster`);
  }

  #accept(port: Port, birth: Birth): void {
    const { identity } = this.#keeper;
    if (this.#isBirthChosen || identity.birth !== null || !isListed(birth, identity.memberId))
      return;
    this.#isBirthChosen = true;
    this.#become(port, birth).catch((error: unknown) => this.#failed(error));
  }

  async #become(port: Port, birth: Birth): Promise<void> {
    const isBorn = await this.#keeper.become(birth);
    if (!isBorn || this.#life.clock.isOver) return;
    this.#world.hit('joinerBorn');
    port.born(birth);
    await this.#keeper.serve(birth);
  }

  #lost({ term, index }: EntryId, by: string): void {
    const { name } = this.#node;
    this.#world.violate(`${name} is told by ${by} that it lost entry ${index} of term ${term}`);
  }

  async #openMember(
    identity: Identity,
    birth: Birth,
    onFatal: (error: unknown) => void,
  ): Promise<Member> {
    const { swarm, observer, random } = this.#world;
    const { segmentBytes, generationBytesMax, generationAgeMsMax, valueCacheBytesMax } = swarm;
    const { files } = this.#node;
    const { clock, port } = this.#life;
    if (port === null) throw new Error(`${identity.name} has no port`);
    observer.born(identity.memberId, birth.configuration, birth.configurationIndex);
    const storage = await openStorage({
      ...{ files, clock, identity, openLevel: files.openLevel },
      ...{ segmentBytes, generationBytesMax, generationAgeMsMax, valueCacheBytesMax },
      failpoint: (place) => this.#world.reach(this.#node, this.#life, place),
    });
    if (clock.isOver) await never();
    this.#watch(identity.memberId, storage);
    const member = await openMember({
      ...{ ...identity, birth, storage, clock, transport: port, onFatal },
      featureLevelMax: this.#node.featureLevelMax,
      bounds: swarm.bounds,
      log: silentLog,
      random: createPrng(randomBelow(random, 2 ** 32)),
    }).catch(async (error: unknown) => {
      await storage.close();
      throw error;
    });
    if (clock.isOver) await never();
    this.#life.member = member;
    this.#speaking = member;
    member.start();
    return member;
  }

  #opened(): void {
    const world = this.#world;
    const life = this.#life;
    if (life.clock.isOver) return;
    const memberId = (): NodeId => this.#keeper.identity.memberId;
    world.damages.opened(this.#node);
    life.endpoint ??= new Endpoint(
      { member: () => life.member, memberId, name: this.#node.name },
      life.clock,
      {
        hit: (probe) => world.hit(probe),
        watched: (client) => world.watched(client),
        refused: (request, code) => {
          if (!deniesEntry(code)) return;
          world.observer.refused(memberId(), valuesOf(request), code);
        },
      },
      world.swarm.backlogMax,
    );
    life.endpoint.memberChanged();
  }

  /** Its port stays open, and whoever comes is told what the node waits for. */
  #gone(): void {
    const { observer } = this.#world;
    this.#world.hit('damageFoundRunning');
    observer.closed(this.#keeper.identity.memberId);
    this.#life.member = null;
    this.#life.endpoint?.memberChanged();
  }

  #repaired(part: unknown, text: string): void {
    this.#world.trace.say(this.#node.name, () => text);
    this.#world.damages.found(this.#node, text);
    if (part === 'state') this.#world.hit('stateRenewed');
    if (part === 'log') this.#world.hit('logGivenUp');
    if (part === 'identity') this.#world.hit('identityGivenUp');
  }

  #rejoins(identity: Identity): void {
    this.#isBirthChosen = false;
    this.#world.identified(this.#node, identity.memberId);
    this.#life.port?.become(this.#selfOf(identity));
  }

  /** Sees what the member hands to its disk, and when the disk is done. */
  #watch(id: NodeId, storage: Storage): void {
    const world = this.#world;
    const { observer } = world;
    observer.started(id, storage.hardState, storage.start.last.index, storage.entries);
    const append = storage.append.bind(storage);
    storage.append = async (writing) => {
      observer.handed(id, writing);
      if (writing.snapshot !== null) world.hit('stateInstalled');
      world.trace.mix(writing.entries.length);
      await append(writing);
      if (!this.#life.clock.isOver) observer.persisted(id);
    };
    const releaseLog = storage.releaseLog.bind(storage);
    storage.releaseLog = async (through) => {
      await releaseLog(through);
      if (storage.logFirst > 1) world.hit('logReleased');
    };
    const readLog = storage.readLog.bind(storage);
    storage.readLog = (from, bytesMax) => {
      // What a member reads for itself, in pieces that fit its own memory, is not for a follower.
      const { inflightBytesMax = Number.POSITIVE_INFINITY } = world.swarm.bounds;
      const isForFollower = bytesMax === Math.min(1024 * 1024, inflightBytesMax);
      world.hit(isForFollower ? 'logReadFromDisk' : 'backlogRead');
      return readLog(from, bytesMax);
    };
    const restoreState = storage.restoreState.bind(storage);
    storage.restoreState = () => {
      world.hit('stateFetched');
      return restoreState();
    };
    const applied = storage.applied.bind(storage);
    storage.applied = (header) => {
      const { applied: last, digest, featureLevel } = header();
      observer.applied(id, last.index, `${formatHash(digest)} at level ${featureLevel}`);
      applied(header);
    };
  }

  #failed(error: unknown): void {
    this.#world.ended(this.#node, this.#life, error);
  }
}

/** Nothing goes on in a process that has ended. */
function never(): Promise<void> {
  return new Promise(() => {});
}
