/**
 * The world of one seed: machines with disks, a network, clients' sockets and one virtual time. Everything
 * in `node/` and below runs as shipped, the write-ahead log and its recovery included; only Level has a
 * model. Which faults strike is the matter of `faults/`, what clients do that of `workload/`.
 */
import type { Clock } from '../../src/base/clock.ts';
import { RollcallError } from '../../src/base/errors.ts';
import { formatHash } from '../../src/base/hash.ts';
import { createPrng, type Random, randomBelow, randomId } from '../../src/base/prng.ts';
import { isNodeMessage } from '../../src/format/node-message.ts';
import type { PeerMessage } from '../../src/format/types.ts';
import { openMember } from '../../src/node/open-member.ts';
import type { StorageFailpoint } from '../../src/storage/failpoints.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { openStorage } from '../../src/storage/storage.ts';
import type { Birth, Storage } from '../../src/storage/types.ts';
import { segmentPath } from '../../src/storage/wal/segment.ts';
import { Observer } from './checks/observer.ts';
import { VirtualClock } from './clock.ts';
import { SimDisk } from './disk.ts';
import { drive } from './drive.ts';
import { Endpoint } from './endpoint.ts';
import type { CutMode } from './file-content.ts';
import { type FileOperation, SimulatedFiles } from './files.ts';
import { SimNetwork } from './network.ts';
import { isUp, Life, type SimNode } from './node.ts';
import { NodeClock } from './node-clock.ts';
import { Peers } from './peers.ts';
import { Power } from './power.ts';
import type { ProbeName } from './probes.ts';
import { between, chance, pick, stream } from './random.ts';
import { SocketWorld } from './sockets.ts';
import type { Swarm } from './swarm.ts';
import { Trace } from './trace.ts';

/** `kill`: what was written stays. `power`: what was not synced may be lost or torn. */
export type CrashKind = 'kill' | 'power';

const secondSegment = segmentPath(2);

/** Beyond this the seed is out of hand. */
const eventsMax = 400_000;

export class World {
  readonly swarm: Swarm;
  readonly clock = new VirtualClock();
  readonly trace: Trace;
  readonly network: SimNetwork;
  readonly sockets: SocketWorld;
  readonly peers: Peers;
  readonly observer: Observer;
  readonly nodes: readonly SimNode[];
  /** For faults and their times. */
  readonly random: Random;
  readonly probes = new Set<ProbeName>();
  readonly faults = new Map<string, number>();
  readonly #diskRandom: Random;
  readonly #birth: Birth;
  readonly #nodesById: ReadonlyMap<string, SimNode>;
  /** Clients that have asked for a watch; each has one. */
  readonly #watching = new Set<string>();
  #violation: string | null = null;
  #isOver = false;

  constructor(swarm: Swarm, write: ((line: string) => void) | null) {
    const { seed } = swarm;
    this.swarm = swarm;
    this.random = stream(seed, 'faults');
    this.#diskRandom = stream(seed, 'disk');
    const now = (): number => this.clock.monotonic();
    this.trace = new Trace(now, write);
    const hit = (probe: ProbeName): void => this.hit(probe);
    this.network = new SimNetwork(this.clock, stream(seed, 'network'), hit);
    this.sockets = new SocketWorld(this.clock, this.network, (address) => this.#lifeAt(address));
    this.#birth = drawBirth(swarm.nodes, stream(seed, 'birth'));
    this.nodes = this.#birth.configuration.members.map((member) => this.#machine(member));
    this.#nodesById = new Map(this.nodes.map((node) => [node.id, node]));
    this.peers = new Peers({
      network: this.network,
      partyOf: (id) => this.#nodesById.get(id)?.name ?? null,
      hit,
      acrossLives: swarm.acrossLives,
      sent: (message, bytes) => {
        this.#traceMessage(message, bytes);
        if (!isNodeMessage(message)) this.observer.sent(message);
      },
    });
    this.observer = new Observer({
      configuration: this.#birth.configuration,
      now,
      hit,
      violate: (text) => this.violate(text),
      nameOf: (id) => this.#nodesById.get(id)?.name ?? id,
    });
  }

  get violation(): string | null {
    return this.#violation;
  }

  /** The first thing that went wrong ends the run. */
  violate(text: string): void {
    if (this.#violation !== null) return;
    this.#violation = text;
    this.trace.say('CHECK', () => text);
  }

  hit(probe: ProbeName): void {
    this.probes.add(probe);
  }

  /** A fault struck. */
  count(fault: string, text: () => string): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    this.trace.say('fault', () => `${fault}: ${text()}`);
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve));
  }

  /** Whether it came to hold in time; looked at every few milliseconds. */
  async until(holds: () => boolean, withinMs: number): Promise<boolean> {
    const end = this.clock.monotonic() + withinMs;
    while (!holds()) {
      if (this.clock.monotonic() >= end) return false;
      await this.sleep(5);
    }
    return true;
  }

  /** Runs the scenario to its end, or to the first violation. */
  async run(scenario: () => Promise<void>): Promise<void> {
    let failure: unknown = null;
    scenario().then(
      () => {
        this.#isOver = true;
      },
      (error: unknown) => {
        failure = error;
        this.#isOver = true;
      },
    );
    await drive(() => this.#step());
    if (failure !== null) throw failure;
  }

  get upNodes(): readonly SimNode[] {
    return this.nodes.filter((node) => node.life?.member != null && isUp(node));
  }

  /** The node that leads, by its own word. */
  leader(): SimNode | null {
    const id = this.observer.leader();
    return id === null ? null : (this.#nodesById.get(id) ?? null);
  }

  /** Every machine becomes a born member and starts. */
  async birth(): Promise<void> {
    for (const node of this.nodes) {
      await mintIdentity(node.files, node.name, node.id);
      await saveBirth(node.files, this.#birth);
      this.boot(node);
    }
  }

  boot(node: SimNode): void {
    if (isUp(node) || node.isLost) return;
    const clock = new NodeClock(this.clock, node.clockError, (error) => {
      this.#ended(node, life, error);
    });
    const life = new Life(node.name, clock);
    node.life = life;
    node.disk.hasFailed = false;
    this.trace.say(node.name, () => 'starts');
    this.#open(node, life).catch((error: unknown) => this.#ended(node, life, error));
  }

  /** The process ends in the middle of whatever it does. */
  crash(node: SimNode, kind: CrashKind): void {
    const { life } = node;
    if (life === null || life.clock.isOver) return;
    this.trace.say(node.name, () => (kind === 'kill' ? 'is killed' : 'loses its power'));
    if (life.member === null) this.hit('crashInBoot');
    if (node.disk.isCheckpointing) this.hit('crashInCheckpoint');
    this.observer.crashed(node.id);
    life.clock.end();
    this.peers.detach(node.id);
    if (kind === 'kill') life.endpoint?.reset();
    else node.life = null;
    this.#restoreDisk(node, kind === 'kill' ? 'kill' : pick(this.#diskRandom, ['random', 'drop']));
    for (const other of this.nodes) {
      if (other !== node) this.#noticeEnd(other, node, kind);
    }
    const up = this.nodes.filter(isUp).length;
    if (up === 0) this.hit('wholeClusterDown');
    else if (up <= this.nodes.length / 2) this.hit('majorityDown');
  }

  /** Sockets close with their process; nobody tells of a machine without power. */
  #noticeEnd(other: SimNode, node: SimNode, kind: CrashKind): void {
    if (chance(this.random, 0.7)) this.peers.unreachable(other.id, node.id);
    if (kind === 'power') return;
    this.clock.after(between(this.random, 0.5, 20), () => {
      const { network } = this;
      const isOpen = network.isOpen(other.name, node.name) && network.isOpen(node.name, other.name);
      if (isOpen && !isUp(node)) this.peers.gone(other.id, node.id);
    });
  }

  /** As by SIGTERM: it closes in good order, then its process ends. */
  async stop(node: SimNode): Promise<void> {
    const { life } = node;
    if (life?.member == null || life.isStopping) return;
    life.isStopping = true;
    this.trace.say(node.name, () => 'is asked to stop');
    await life.member.close();
    if (!life.clock.isOver) this.crash(node, 'kill');
  }

  #step(): boolean {
    if (this.#isOver || this.#violation !== null) return false;
    for (const node of this.nodes) {
      if (node.power.isOff && isUp(node)) this.crash(node, 'power');
    }
    if (!this.clock.step(Number.MAX_VALUE)) throw new Error('Nothing is left to happen');
    this.trace.mixTime(this.clock.monotonic());
    if (this.clock.events > eventsMax) this.violate(`More than ${eventsMax} events`);
    return true;
  }

  async #open(node: SimNode, life: Life): Promise<void> {
    const { clock } = life;
    const { segmentBytes, generationBytesMax, generationAgeMsMax, valueCacheBytesMax } = this.swarm;
    const identity = await loadIdentity(node.files);
    if (identity?.birth == null) throw new Error(`${node.name} is not born`);
    const storage = await openStorage({
      files: node.files,
      openLevel: node.files.openLevel,
      clock,
      identity,
      segmentBytes,
      generationBytesMax,
      generationAgeMsMax,
      valueCacheBytesMax,
      failpoint: (name) => this.#reach(node, life, name),
    });
    if (clock.isOver) return;
    this.#watchStorage(node, life, storage);
    const member = await openMember({
      ...identity,
      birth: identity.birth,
      storage,
      transport: this.peers.transport(node.id, clock, () => {
        if (life.member !== null) this.observer.turned(node.id, life.member.status());
      }),
      clock,
      bounds: this.swarm.bounds,
      random: createPrng(randomBelow(this.random, 2 ** 32)),
      onFatal: (error) => this.#ended(node, life, error),
    });
    if (clock.isOver) return;
    life.member = member;
    member.start();
    life.endpoint = new Endpoint(member, clock, {
      hit: (probe) => this.hit(probe),
      watched: (client) => this.#watched(client),
    });
  }

  /** The storage has come to one of its named places. */
  #reach(node: SimNode, life: Life, name: StorageFailpoint): void | Promise<void> {
    if (node.failpoint?.name !== name || life.clock.isOver) return;
    const { reached } = node.failpoint;
    node.failpoint = null;
    return reached();
  }

  /** Sees what the member hands to its disk, and when the disk is done. */
  #watchStorage(node: SimNode, life: Life, storage: Storage): void {
    const { id } = node;
    this.observer.started(id, storage.hardState, storage.start.last.index, storage.entries);
    const append = storage.append.bind(storage);
    storage.append = async (writing) => {
      this.observer.handed(id, writing);
      if (writing.snapshot !== null) this.hit('stateInstalled');
      this.trace.mix(writing.entries.length);
      await append(writing);
      if (!life.clock.isOver) this.observer.persisted(id);
    };
    const releaseLog = storage.releaseLog.bind(storage);
    storage.releaseLog = async (through) => {
      await releaseLog(through);
      if (storage.logFirst > 1) this.hit('logReleased');
    };
    const readLog = storage.readLog.bind(storage);
    storage.readLog = (from, bytesMax) => {
      this.hit('logReadFromDisk');
      return readLog(from, bytesMax);
    };
    const applied = storage.applied.bind(storage);
    storage.applied = (header) => {
      const { applied: last, digest } = header();
      this.observer.applied(id, last.index, formatHash(digest));
      applied(header);
    };
  }

  /** The process ended by itself, which it may only because its disk failed. */
  #ended(node: SimNode, life: Life, error: unknown): void {
    if (life.clock.isOver || node.power.isOff) return;
    const isStorage = error instanceof RollcallError && error.code === 'storageFailed';
    if (isStorage && node.disk.hasFailed) {
      this.hit('diskFailureEndedNode');
      this.crash(node, 'kill');
      this.restartLater(node, between(this.random, 50, 800));
      return;
    }
    this.violate(`${node.name} ended: ${describe(error)}`);
  }

  /** Whoever watches over the processes starts it again. */
  restartLater(node: SimNode, delayMs: number): void {
    this.clock.after(delayMs, () => this.boot(node));
  }

  #watched(client: string): void {
    if (this.#watching.has(client)) this.hit('watchResumed');
    this.#watching.add(client);
  }

  #traceMessage(message: PeerMessage, bytes: Uint8Array): void {
    this.trace.mix(bytes.length);
    this.trace.say(this.#nodesById.get(message.from)?.name ?? '?', () =>
      messageText(message, this.#nodesById),
    );
  }

  #lifeAt(address: string): Life | null {
    return this.nodes.find((node) => node.address === address)?.life ?? null;
  }

  #machine(member: { id: string; name: string; clientAddress: string }): SimNode {
    const { drift, wallSkewMs, syncMsMin, syncMsMean } = this.swarm;
    const random = this.#diskRandom;
    const disk = new SimDisk({
      random,
      syncMsMin,
      syncMsMean,
      wait: (delayMs, callback) => {
        const clock = node.life?.clock ?? null;
        this.clock.after(delayMs, () => {
          if (clock === null) callback();
          else clock.run('socket', callback);
        });
      },
    });
    const power = new Power();
    const node: SimNode = {
      id: member.id,
      name: member.name,
      address: member.clientAddress,
      clockError: {
        rate: 1 + between(random, -drift, drift),
        wallSkewMs: between(random, -wallSkewMs, wallSkewMs),
      },
      disk,
      failpoint: null,
      power,
      files: new SimulatedFiles({
        power,
        before: (operation) => this.#beforeFile(disk, operation),
        beforeWrite: () => disk.beforeBatch(),
        freeBytes: () => disk.freeBytes,
      }),
      life: null,
      isLost: false,
    };
    return node;
  }

  #beforeFile(disk: SimDisk, operation: FileOperation): void | Promise<void> {
    if (operation.path === secondSegment) this.hit('segmentRotated');
    return disk.before(operation);
  }

  /** What the machine finds on its disk afterwards. */
  #restoreDisk(node: SimNode, mode: CutMode): void {
    const { disk } = node;
    const power = new Power();
    disk.release();
    node.files = node.files.cut(mode, this.#diskRandom, {
      power,
      before: (operation) => this.#beforeFile(disk, operation),
      beforeWrite: () => disk.beforeBatch(),
      freeBytes: () => disk.freeBytes,
    });
    node.power = power;
  }
}

/** The clock of a client, which may run fast or slow as well. */
export function clientClock(world: World, random: Random): Clock {
  const { drift } = world.swarm;
  const error = { rate: 1 + between(random, -drift, drift), wallSkewMs: 0 };
  return new NodeClock(world.clock, error, (thrown) => world.violate(describe(thrown)));
}

function drawBirth(count: number, random: Random): Birth {
  const members = Array.from({ length: count }, (_, at) => ({
    id: randomId(random),
    name: `n${at + 1}`,
    peerAddress: `n${at + 1}:4641`,
    clientAddress: `n${at + 1}:4640`,
    featureLevel: 1,
    replaces: null,
    autoPromote: false,
  }));
  return {
    clusterId: randomId(random),
    incarnation: randomId(random),
    configurationIndex: 0,
    configuration: {
      members,
      voters: members.map(({ id }) => id),
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
    },
  };
}

function messageText(message: PeerMessage, nodes: ReadonlyMap<string, SimNode>): string {
  const { from, to, type, ...rest } = message;
  const brief = JSON.stringify(rest, (_, value: unknown) =>
    Array.isArray(value) ? value.length : value,
  );
  const name = (id: string): string => nodes.get(id)?.name ?? id;
  return `${name(from)} → ${name(to)} ${type} ${brief}`;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
