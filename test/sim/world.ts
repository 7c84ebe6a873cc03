/**
 * The world of one seed: machines with disks, a network, clients' sockets and one virtual time. Everything
 * in `node/` and below runs as shipped, the write-ahead log and its recovery included; only Level has a
 * model. Which faults strike is the matter of `faults/`, what clients do that of `workload/`.
 */
import { RollcallError } from '../../src/base/errors.ts';
import { type Random, randomId } from '../../src/base/prng.ts';
import { featureLevel, firstFeatureLevel } from '../../src/format/feature-level.ts';
import {
  isNodeMessage,
  type NodeMessage,
  nodeMessageLevel,
} from '../../src/format/node-message.ts';
import type { Member, NodeId, PeerMessage } from '../../src/format/types.ts';
import { mintBirth } from '../../src/server/birth.ts';
import type { StorageFailpoint } from '../../src/storage/failpoints.ts';
import { mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { repairNotePath } from '../../src/storage/repair-note.ts';
import type { Birth } from '../../src/storage/types.ts';
import { segmentPath } from '../../src/storage/wal/segment.ts';
import type { PeerSelf } from '../../src/transport/hello.ts';
import { Observer } from './checks/observer.ts';
import { VirtualClock } from './clock.ts';
import { Damages } from './damages.ts';
import { SimDisk } from './disk.ts';
import { drive } from './drive.ts';
import type { CutMode } from './file-content.ts';
import { type FileOperation, SimulatedFiles, type SimulatedFilesOptions } from './files.ts';
import { launch } from './launch.ts';
import { type Party, SimNetwork } from './network.ts';
import { isUp, Life, type SimNode } from './node.ts';
import { NodeClock } from './node-clock.ts';
import { Operator } from './operator.ts';
import { Peers } from './peers.ts';
import { Power } from './power.ts';
import type { ProbeName } from './probes.ts';
import { between, chance, pick, stream } from './random.ts';
import { SocketWorld } from './sockets.ts';
import { Survival } from './survival.ts';
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
  readonly survival: Survival;
  readonly operator: Operator;
  /** For faults and their times. */
  readonly random: Random;
  /** For the ids of members. */
  readonly idRandom: Random;
  readonly probes = new Set<ProbeName>();
  readonly faults = new Map<string, number>();
  readonly damages: Damages;
  /** What is broken already is all that will be. */
  isHealing = false;
  readonly #diskRandom: Random;
  readonly #birth: Birth;
  readonly #nodes: SimNode[];
  /** Of every member that ever was: ids never come back. */
  readonly #machines = new Map<NodeId, SimNode>();
  /** For people: the second member on a machine is `n1'`. */
  readonly #labels = new Map<NodeId, string>();
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
    this.idRandom = stream(seed, 'birth');
    this.#birth = mintBirth(drawMembers(swarm, this.idRandom), this.idRandom);
    this.#nodes = this.#birth.configuration.members.map(({ id, name, featureLevel: level }) => {
      const node = this.#machine(name);
      node.featureLevelMax = level;
      this.identified(node, id);
      return node;
    });
    this.peers = new Peers({
      network: this.network,
      clock: this.clock,
      hit,
      acrossLives: swarm.acrossLives,
      sent: (message, bytes) => {
        this.#traceMessage(message, bytes);
        if (isNodeMessage(message)) this.#checkLevel(message);
        else this.observer.sent(message);
      },
      partyAt: (address) => this.#partyAt(address),
      isPowered: (party) => this.#node(party)?.life !== null,
    });
    this.observer = new Observer({
      configuration: this.#birth.configuration,
      now,
      hit,
      violate: (text) => this.violate(text),
      nameOf: (id) => this.nameOf(id),
    });
    this.damages = new Damages(this);
    this.survival = new Survival(this);
    this.operator = new Operator(this);
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

  /** Something threw what nobody caught. */
  threw(error: unknown): void {
    this.violate(describe(error));
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

  /** Runs the scenario to its end, to the first violation, or for so many events. */
  async run(scenario: () => Promise<void>, events = Number.POSITIVE_INFINITY): Promise<void> {
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
    await drive(() => this.clock.events < events && this.#step());
    if (failure !== null) throw failure;
  }

  /** All machines, whoever they are. */
  get nodes(): readonly SimNode[] {
    return this.#nodes;
  }

  /** Those that vote by the newest committed configuration, in order of their names. */
  get voters(): readonly SimNode[] {
    const { voters } = this.observer.configuration;
    return this.#nodes.filter(({ id }) => id !== null && voters.includes(id));
  }

  /** The node that leads, by its own word. */
  leader(): SimNode | null {
    const id = this.observer.leader();
    return id === null ? null : this.machineOf(id);
  }

  /** Where this member is; null once its disk is lost. */
  machineOf(id: NodeId): SimNode | null {
    const node = this.#machines.get(id);
    return node?.id === id ? node : null;
  }

  nameOf(id: NodeId): string {
    return this.#labels.get(id) ?? id;
  }

  /** A process has found, or given, its directory this id. */
  identified(node: SimNode, id: NodeId): void {
    if (node.id !== id) this.gaveUp(node);
    node.id = id;
    if (this.#machines.has(id)) return;
    const earlier = [...this.#machines.values()].filter((machine) => machine === node).length;
    this.#machines.set(id, node);
    this.#labels.set(id, node.name + "'".repeat(earlier));
  }

  /** Every machine becomes a born member and starts. */
  async birth(): Promise<void> {
    for (const node of this.#nodes) {
      await mintIdentity(node.files, node.name, node.id as NodeId);
      await saveBirth(node.files, this.#birth);
      this.boot(node);
    }
  }

  /** A machine with an empty disk, which does not run yet. */
  addMachine(): SimNode {
    const node = this.#machine(`n${this.#nodes.length + 1}`);
    this.#nodes.push(node);
    return node;
  }

  /** All that was on the disk is gone, and the process with it. */
  loseDisk(node: SimNode): void {
    this.crash(node, 'power');
    this.gaveUp(node);
    node.files = this.#emptyDisk(node.disk, node.power);
  }

  /** What the member on this machine has promised is forgotten. */
  gaveUp(node: SimNode): void {
    if (node.id !== null) this.observer.lostDisk(node.id);
    node.id = null;
  }

  /**
   * Whom a node that is nobody yet is told of by its operator: the list that the cluster began with, as
   * long as that leads to somebody who belongs to it, or else some who do.
   */
  acquaintances(node: SimNode): Pick<PeerSelf, 'initialCluster' | 'join'> {
    const { members } = this.observer.configuration;
    const others = members
      .map(({ id }) => this.machineOf(id))
      .filter((other): other is SimNode => other !== null && other !== node)
      .map(({ name, peerAddress }) => ({ name, peerAddress }));
    const first = this.#birth.configuration.members;
    const initialCluster = first.map(({ name, peerAddress }) => ({ name, peerAddress }));
    const isFirst = initialCluster.some(
      (line) => line.name === node.name && line.peerAddress === node.peerAddress,
    );
    const isOfUse = others.some((other) =>
      initialCluster.some(({ peerAddress }) => peerAddress === other.peerAddress),
    );
    if (isFirst && isOfUse && chance(this.random, 0.5)) return { initialCluster, join: [] };
    return { initialCluster: [], join: others.map(({ peerAddress }) => peerAddress) };
  }

  boot(node: SimNode): void {
    if (isUp(node) || node.isLost) return;
    const clock = new NodeClock(this.clock, node.clockError, (error) => {
      this.ended(node, life, error);
    });
    const life = new Life(node.name, clock);
    node.life = life;
    node.disk.hasFailed = false;
    this.trace.say(node.name, () => 'starts');
    launch(this, node, life).catch((error: unknown) => this.ended(node, life, error));
  }

  /** The process ends in the middle of whatever it does. */
  crash(node: SimNode, kind: CrashKind): void {
    const { life } = node;
    if (life === null || life.clock.isOver) return;
    this.trace.say(node.name, () => (kind === 'kill' ? 'is killed' : 'loses its power'));
    node.featureLevelMax = featureLevel;
    if (life.member === null) this.hit('crashInBoot');
    if (node.disk.isCheckpointing) this.hit('crashInCheckpoint');
    if (node.id !== null) this.observer.crashed(node.id);
    life.clock.end();
    if (life.port !== null) {
      this.peers.ended(life.port, kind === 'power', () => between(this.random, 0.5, 20));
    }
    if (kind === 'kill') life.endpoint?.reset();
    else node.life = null;
    this.#restoreDisk(node, kind === 'kill' ? 'kill' : pick(this.#diskRandom, ['random', 'drop']));
    const { voters } = this;
    const up = voters.filter(isUp).length;
    if (up === 0) this.hit('wholeClusterDown');
    else if (up <= voters.length / 2) this.hit('majorityDown');
  }

  /** The process stands still, until it is told to go on. */
  pause(node: SimNode): void {
    if (!isUp(node)) return;
    if (node.id !== null) this.observer.ledTime.standsStill(node.id);
    node.life?.clock.pause();
  }

  /** `clock` is that of the process: another one may run on the machine by now. */
  resume(node: SimNode, clock: NodeClock): void {
    if (node.life?.clock === clock && node.id !== null) this.observer.ledTime.goesOn(node.id);
    clock.resume();
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
    for (const node of this.#nodes) {
      if (node.power.isOff && isUp(node)) this.crash(node, 'power');
    }
    if (!this.clock.step(Number.MAX_VALUE)) throw new Error('Nothing is left to happen');
    this.trace.mixEvent(this.clock.monotonic());
    if (this.clock.events > eventsMax) this.violate(`More than ${eventsMax} events`);
    return true;
  }

  /** The storage has come to one of its named places. */
  reach(node: SimNode, life: Life, name: StorageFailpoint): void | Promise<void> {
    if (node.failpoint?.name !== name || life.clock.isOver) return;
    const { reached } = node.failpoint;
    node.failpoint = null;
    return reached();
  }

  /** The process ended by itself, which it may only because its disk failed, or was damaged again. */
  ended(node: SimNode, life: Life, error: unknown): void {
    if (life.clock.isOver || node.power.isOff) return;
    const isStorage = error instanceof RollcallError && error.code === 'storageFailed';
    if (isStorage && node.disk.hasFailed) {
      this.hit('diskFailureEndedNode');
      this.crash(node, 'kill');
      this.restartLater(node, between(this.random, 50, 800));
      return;
    }
    const isDamage = error instanceof RollcallError && error.code === 'dataDamaged';
    if (isDamage && this.damages.isAgain(node)) {
      this.hit('damagedAgain');
      this.crash(node, 'kill');
      // Somebody has looked for the cause, and lets the node try again.
      node.files.lose(repairNotePath);
      this.restartLater(node, between(this.random, 50, 800));
      return;
    }
    this.violate(`${node.name} ended: ${describe(error)}`);
  }

  /** Whoever watches over the processes starts it again. */
  restartLater(node: SimNode, delayMs: number): void {
    this.clock.after(delayMs, () => this.boot(node));
  }

  watched(client: string): void {
    if (this.#watching.has(client)) this.hit('watchResumed');
    this.#watching.add(client);
  }

  /** The cluster is at this level, as one of its members says. */
  levelReached(level: number): void {
    if (this.swarm.older > 0 && level > firstFeatureLevel) this.hit('levelRaised');
  }

  /** An older program would hang up. */
  #checkLevel(message: NodeMessage): void {
    const known = this.machineOf(message.to)?.featureLevelMax ?? featureLevel;
    if (nodeMessageLevel(message) <= known) return;
    this.violate(`A ${message.type} to ${this.nameOf(message.to)}, which is too old to read it`);
  }

  #traceMessage(message: PeerMessage, bytes: Uint8Array): void {
    this.trace.mix(bytes.length);
    this.trace.say(this.nameOf(message.from), () => messageText(message, (id) => this.nameOf(id)));
  }

  /** A machine answers at the port that it used to have, too: clients that were away still find it. */
  #lifeAt(address: string): Life | null {
    return this.#node(address.split(':')[0] as Party)?.life ?? null;
  }

  #partyAt(address: string): Party | null {
    return this.#nodes.find(({ peerAddress }) => peerAddress === address)?.name ?? null;
  }

  #node(party: Party): SimNode | null {
    return this.#nodes.find(({ name }) => name === party) ?? null;
  }

  #machine(name: string): SimNode {
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
      ...{ id: null, name, address: `${name}:4640`, peerAddress: `${name}:4641` },
      clockError: {
        rate: 1 + between(random, -drift, drift),
        wallSkewMs: between(random, -wallSkewMs, wallSkewMs),
      },
      ...{ disk, power, failpoint: null, life: null, isLost: false, featureLevelMax: featureLevel },
      files: this.#emptyDisk(disk, power),
    };
    return node;
  }

  #emptyDisk(disk: SimDisk, power: Power): SimulatedFiles {
    return new SimulatedFiles(this.#fileOptions(disk, power));
  }

  #fileOptions(disk: SimDisk, power: Power): SimulatedFilesOptions {
    return {
      power,
      before: (operation) => this.#beforeFile(disk, operation),
      beforeWrite: () => disk.beforeBatch(),
      freeBytes: () => disk.freeBytes,
    };
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
    node.files = node.files.cut(mode, this.#diskRandom, this.#fileOptions(disk, power));
    node.power = power;
  }
}

function drawMembers({ nodes, older }: Swarm, random: Random): readonly Member[] {
  return Array.from({ length: nodes }, (_, at) => ({
    id: randomId(random),
    name: `n${at + 1}`,
    peerAddress: `n${at + 1}:4641`,
    clientAddress: `n${at + 1}:4640`,
    featureLevel: at < older ? firstFeatureLevel : featureLevel,
    replaces: null,
    autoPromote: false,
  }));
}

function messageText(message: PeerMessage, name: (id: NodeId) => string): string {
  const { from, to, type, ...rest } = message;
  const brief = JSON.stringify(rest, (_, value: unknown) =>
    Array.isArray(value) ? value.length : value,
  );
  return `${name(from)} → ${name(to)} ${type} ${brief}`;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
