/**
 * What a process does from its start on, until there is a member and an endpoint before it: the
 * counterpart of `src/server/process.ts` without sockets. A directory that is nobody's is given a new id,
 * and waits until a member hands it the cluster that has taken it in.
 */
import { formatHash } from '../../src/base/hash.ts';
import { createPrng, randomBelow } from '../../src/base/prng.ts';
import { featureLevel } from '../../src/format/feature-level.ts';
import type { Birth, Identity } from '../../src/format/identity.ts';
import type { EntryId, NodeId } from '../../src/format/types.ts';
import { openMember } from '../../src/node/open-member.ts';
import { decideBirth, isListed } from '../../src/server/birth.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { openStorage } from '../../src/storage/storage.ts';
import type { Storage } from '../../src/storage/types.ts';
import type { PeerSelf } from '../../src/transport/hello.ts';
import { Endpoint } from './endpoint.ts';
import type { Life, SimNode } from './node.ts';
import type { Port } from './port.ts';
import { stream } from './random.ts';
import type { World } from './world.ts';

export async function launch(world: World, node: SimNode, life: Life): Promise<void> {
  const { files, name } = node;
  const stored = await loadIdentity(files);
  const identity = stored ?? (await mintIdentity(files, name, world.drawId()));
  if (!life.clock.isOver) await new Launch(world, node, life, identity).begin();
}

class Launch {
  readonly #world: World;
  readonly #node: SimNode;
  readonly #life: Life;
  readonly #identity: Identity;
  readonly #port: Port;
  /** There is never a second one. */
  #isBirthChosen = false;

  constructor(world: World, node: SimNode, life: Life, identity: Identity) {
    this.#world = world;
    this.#node = node;
    this.#life = life;
    this.#identity = identity;
    this.#port = this.#open();
  }

  async begin(): Promise<void> {
    const { birth, memberId } = this.#identity;
    this.#world.identified(this.#node, memberId);
    this.#life.port = this.#port;
    if (birth === null) this.#considerBirth();
    else await this.#serve(birth);
  }

  #open(): Port {
    const { peers, observer, swarm } = this.#world;
    const { memberId } = this.#identity;
    const life = this.#life;
    return peers.open({
      party: this.#node.name,
      self: this.#self(),
      clock: life.clock,
      random: stream(swarm.seed, `port ${memberId} ${this.#world.clock.events}`),
      hooks: {
        onHandshake: () => this.#considerBirth(),
        onBirth: (birth) => this.#accept(birth),
        onLost: (said, by) => this.#lost(said, by),
        onRemoved: () => this.#world.hit('toldRemoved'),
        onGuest: () => this.#world.hit('guestMet'),
        onConfiguration: (configuration, index) =>
          observer.configured(memberId, configuration, index),
        onFlush: () => {
          if (life.member !== null) observer.turned(memberId, life.member.status());
        },
      },
    });
  }

  #self(): PeerSelf {
    const { memberId, name, birth } = this.#identity;
    const { peerAddress, address: clientAddress } = this.#node;
    const { initialCluster, join } =
      birth === null ? this.#world.acquaintances(this.#node) : { initialCluster: [], join: [] };
    return {
      ...{ memberId, name, birth, peerAddress, clientAddress, featureLevel },
      ...{ initialCluster, join },
    };
  }

  #considerBirth(): void {
    if (this.#isBirthChosen || this.#identity.birth !== null) return;
    const decision = decideBirth(this.#port.self, this.#port.greeted());
    if (decision.type === 'mint') this.#world.violate(`${this.#node.name} makes a second cluster`);
  }

  #accept(birth: Birth): void {
    if (this.#isBirthChosen || this.#identity.birth !== null) return;
    if (!isListed(birth, this.#identity.memberId)) return;
    this.#isBirthChosen = true;
    this.#become(birth).catch((error: unknown) => this.#failed(error));
  }

  async #become(birth: Birth): Promise<void> {
    await saveBirth(this.#node.files, birth);
    if (this.#life.clock.isOver) return;
    this.#world.hit('joinerBorn');
    this.#port.become(birth);
    await this.#serve(birth);
  }

  #lost({ term, index }: EntryId, by: string): void {
    const { name } = this.#node;
    this.#world.violate(`${name} is told by ${by} that it lost entry ${index} of term ${term}`);
  }

  async #serve(birth: Birth): Promise<void> {
    const { swarm, observer, random } = this.#world;
    const { segmentBytes, generationBytesMax, generationAgeMsMax, valueCacheBytesMax } = swarm;
    const { files } = this.#node;
    const { clock } = this.#life;
    const { memberId, name } = this.#identity;
    observer.born(memberId, birth.configuration, birth.configurationIndex);
    const storage = await openStorage({
      ...{ files, clock, identity: { ...this.#identity, birth } },
      openLevel: files.openLevel,
      ...{ segmentBytes, generationBytesMax, generationAgeMsMax, valueCacheBytesMax },
      failpoint: (place) => this.#world.reach(this.#node, this.#life, place),
    });
    if (clock.isOver) return;
    this.#watch(storage);
    const member = await openMember({
      ...{ memberId, name, birth, storage, clock },
      transport: this.#port,
      bounds: swarm.bounds,
      random: createPrng(randomBelow(random, 2 ** 32)),
      onFatal: (error) => this.#failed(error),
    });
    if (clock.isOver) return;
    this.#life.member = member;
    member.start();
    this.#life.endpoint = new Endpoint(member, clock, {
      hit: (probe) => this.#world.hit(probe),
      watched: (client) => this.#world.watched(client),
    });
  }

  /** Sees what the member hands to its disk, and when the disk is done. */
  #watch(storage: Storage): void {
    const world = this.#world;
    const { observer } = world;
    const id: NodeId = this.#identity.memberId;
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
      world.hit('logReadFromDisk');
      return readLog(from, bytesMax);
    };
    const applied = storage.applied.bind(storage);
    storage.applied = (header) => {
      const { applied: last, digest } = header();
      observer.applied(id, last.index, formatHash(digest));
      applied(header);
    };
  }

  #failed(error: unknown): void {
    this.#world.ended(this.#node, this.#life, error);
  }
}
