/**
 * Whole members in one process under one virtual clock and one seed: everything in `node/` and below
 * as shipped, the write-ahead log and recovery included, on simulated disks and a simulated network.
 */
import type { Clock, Timer } from '../../src/base/clock.ts';
import { RollcallError } from '../../src/base/errors.ts';
import { createPrng, type Random, randomBelow, randomId } from '../../src/base/prng.ts';
import type { Member } from '../../src/node/member.ts';
import { openMember } from '../../src/node/open-member.ts';
import type { Request, Response } from '../../src/node/types.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { openStorage } from '../../src/storage/storage.ts';
import type { Birth } from '../../src/storage/types.ts';
import { VirtualClock } from './clock.ts';
import { SimulatedFiles } from './files.ts';
import { type NetworkFaults, SimNetwork } from './network.ts';
import { Power } from './power.ts';

const quiet: NetworkFaults = { loss: 0, repeat: 0, delayMsMax: 0.5 };

export interface SimNode {
  readonly id: string;
  readonly name: string;
  files: SimulatedFiles;
  power: Power;
  clock: LifeClock;
  member: Member | null;
  /** Set when the node ended its life by itself. */
  fatal: unknown;
}

export class SimCluster {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly network: SimNetwork;
  readonly nodes: readonly SimNode[];
  readonly #birth: Birth;

  constructor(seed: number, count = 3) {
    this.random = createPrng(seed);
    this.network = new SimNetwork(this.clock, this.random, quiet);
    const members = Array.from({ length: count }, (_, at) => ({
      id: randomId(this.random),
      name: `n${at + 1}`,
      peerAddress: `10.0.0.${at + 1}:4641`,
      clientAddress: `10.0.0.${at + 1}:4640`,
      featureLevel: 1,
      replaces: null,
      autoPromote: false,
    }));
    this.#birth = {
      clusterId: randomId(this.random),
      incarnation: randomId(this.random),
      configurationIndex: 0,
      configuration: {
        members,
        voters: members.map(({ id }) => id),
        votersOutgoing: [],
        learners: [],
        learnersNext: [],
      },
    };
    this.nodes = members.map(({ id, name }) => ({
      id,
      name,
      ...this.#machine(),
      clock: new LifeClock(this.clock),
      member: null,
      fatal: null,
    }));
  }

  /** Boots every node and waits until one leads. */
  static async start(seed: number, count = 3): Promise<SimCluster> {
    const cluster = new SimCluster(seed, count);
    for (const node of cluster.nodes) {
      await cluster.settle(mintIdentity(node.files, node.name, node.id));
      await cluster.settle(saveBirth(node.files, cluster.#birth));
      await cluster.boot(node);
    }
    await cluster.runUntil(() => cluster.leader() !== null, 10_000);
    return cluster;
  }

  /** The node that leads in the highest term, by its own word. */
  leader(): SimNode | null {
    let found: SimNode | null = null;
    let term = 0;
    for (const node of this.nodes) {
      const status = node.member?.status();
      if (status?.role !== 'leader' || status.term < term) continue;
      found = node;
      term = status.term;
    }
    return found;
  }

  async boot(node: SimNode): Promise<void> {
    const clock = new LifeClock(this.clock);
    node.clock = clock;
    const identity = await this.settle(loadIdentity(node.files));
    if (identity?.birth == null) throw new Error(`${node.name} is not born`);
    const opening = openStorage({
      files: node.files,
      openLevel: node.files.openLevel,
      clock,
      identity,
      segmentBytes: 64 * 1024,
      generationBytesMax: 16 * 1024,
      generationAgeMsMax: 300,
    });
    const storage = await this.settle(opening);
    const member = openMember({
      ...identity,
      birth: identity.birth,
      storage,
      transport: this.network.transport(node.id),
      clock,
      random: createPrng(randomBelow(this.random, 2 ** 32)),
      onFatal: (error) => {
        // A power cut ends what was under way; that is no end of its own.
        if (!clock.isOver) node.fatal = error;
      },
    });
    node.member = await this.settle(member);
    node.member.start();
  }

  /** The power goes: what was not synced may be lost, torn or kept. */
  crash(node: SimNode): void {
    node.clock.end();
    node.member = null;
    this.network.detach(node.id);
    const { power, options } = this.#options();
    node.files = node.files.cut('random', this.random, options);
    node.power = power;
  }

  /** Submits to one node; an error is a value here. Null when the node died before it answered. */
  submit(node: SimNode, request: Request): Promise<Response | RollcallError> {
    const { member } = node;
    if (member === null) {
      return Promise.resolve(new RollcallError('unreachable', `${node.name} is down`));
    }
    return new Promise((resolve) => member.submit(request, resolve));
  }

  /** Lets so much virtual time pass. */
  async run(ms: number): Promise<void> {
    const end = this.clock.monotonic() + ms;
    while (this.clock.step(end)) await settled();
  }

  async runUntil(holds: () => boolean, withinMs: number): Promise<void> {
    const end = this.clock.monotonic() + withinMs;
    while (!holds()) {
      if (!this.clock.step(end)) throw new Error(`It did not come true within ${withinMs} ms`);
      await settled();
    }
  }

  /** Runs until the promise is settled. */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let done = false;
    const watched = promise.finally(() => {
      done = true;
    });
    watched.catch(() => {});
    await settled();
    await this.runUntil(() => done, 60_000);
    return watched;
  }

  #machine() {
    const { power, options } = this.#options();
    return {
      power,
      files: new SimulatedFiles(options),
    };
  }

  /** A disk that takes up to a millisecond for what must be durable. */
  #options() {
    const power = new Power();
    const before = ({ kind }: { readonly kind: string }): void | Promise<void> => {
      if (kind !== 'sync' && kind !== 'writeDurably') return;
      const delayMs = this.random();
      return new Promise((resolve) => this.clock.after(delayMs, resolve));
    };
    return { power, options: { power, before } };
  }
}

/** The clock of one life of a node: nothing of it happens after the life has ended. */
class LifeClock implements Clock {
  readonly #clock: Clock;
  isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  end(): void {
    this.isOver = true;
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  wall(): number {
    return this.#clock.wall();
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(delayMs, () => {
      if (!this.isOver) callback();
    });
  }

  soon(callback: () => void): void {
    this.#clock.soon(() => {
      if (!this.isOver) callback();
    });
  }
}

/** All promises that can go on without time passing have gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
