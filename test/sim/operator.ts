/**
 * Who changes the members of a run: asks through the SDK as people do, and keeps a record of what was
 * asked and answered, since nobody may come or go unless somebody wanted it.
 */
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, connectThrough } from '../../src/client/client.ts';
import type { ClusterControl } from '../../src/client/cluster-control.ts';
import type { Configuration, NodeId } from '../../src/raft/types.ts';
import { clientClock } from './client-clock.ts';
import type { ProbeName } from './probes.ts';
import { stream } from './random.ts';
import type { World } from './world.ts';

export interface Wish {
  readonly text: string;
  /** Whose name may come, and which ids may go, if it is granted. */
  readonly comes: string | null;
  readonly goes: NodeId | null;
  readonly ask: (cluster: ClusterControl) => Promise<unknown>;
  /** Holds of a configuration in which it was granted. */
  readonly isGranted: (configuration: Configuration) => boolean;
}

/** A refusal leaves everything as it was, for certain. */
const refusalProbes: Readonly<Record<string, ProbeName>> = {
  notReady: 'changeRefusedNotReady',
  changePending: 'changeRefusedPending',
  transferring: 'changeRefusedTransferring',
  wrongRole: 'changeRefusedWrongRole',
  notCaughtUp: 'changeRefusedNotCaughtUp',
  losesQuorum: 'changeRefusedLosesQuorum',
  noVoters: 'changeRefusedNoVoters',
};

export class Operator {
  readonly #world: World;
  #client: Promise<Client> | null = null;
  /** The wishes that were not refused for certain, those without an answer yet included. */
  readonly #wishes = new Set<Wish>();
  #open = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Null once it was granted; the error otherwise. */
  async wish(wish: Wish): Promise<RollcallError | null> {
    const world = this.#world;
    const { text, comes, goes, ask, isGranted } = wish;
    const stays = goes === null ? () => {} : world.survival.leaves(goes);
    const { changes } = world.observer.configurations;
    this.#wishes.add(wish);
    this.#client ??= this.#connect();
    const client = await this.#client;
    world.trace.say('op', () => `${text} …`);
    if (this.#open++ > 0) world.hit('changesAtOnce');
    try {
      await ask(client.cluster);
      world.trace.say('op', () => `${text}: done`);
      if (!world.observer.configurations.since(changes).some(isGranted)) {
        world.violate(`op: ${text} was answered, and is in no committed configuration`);
      }
      return null;
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      world.trace.say('op', () => `${text}: ${error.code} ${error.message}`);
      if (error.definite) {
        this.#wishes.delete(wish);
        stays();
      }
      this.#failed(error, text);
      if (error.code === 'leadershipLost' && error.definite) world.hit('changeReverted');
      return error;
    } finally {
      this.#open--;
      if (comes !== null) world.trace.mix(comes.length);
    }
  }

  /** Null, or who came or went though nobody had wanted it. */
  check(): string | null {
    const { observer } = this.#world;
    const all = observer.configurations.since(0);
    const wishes = [...this.#wishes];
    const mayCome = new Set(wishes.map(({ comes }) => comes));
    const mayGo = new Set(wishes.map(({ goes }) => goes));
    const born = new Set(all[0]?.members.map(({ id }) => id));
    const names = new Set(all[0]?.members.map(({ name }) => name));
    for (const { id, name } of all.flatMap(({ members }) => members)) {
      const isWanted = born.has(id) || mayCome.has(name) || names.has(name);
      if (!isWanted) return `${name} was taken in, though nobody had asked for that`;
      const isKept = !observer.configurations.isGone(id) || observer.isWiped(id);
      if (!isKept && !mayGo.has(id)) {
        return `${this.#world.nameOf(id)} was removed, though nobody had asked for that`;
      }
    }
    return null;
  }

  #failed({ code, details, message }: RollcallError, text: string): void {
    const { reason } = details;
    if (code === 'membershipRefused' && typeof reason === 'string') {
      const probe = refusalProbes[reason];
      if (probe !== undefined) this.#world.hit(probe);
    } else if (code === 'memberNotFound') {
      this.#world.hit('changeOfStranger');
    } else if (!expected.has(code)) {
      this.#world.violate(`op: ${text} failed with ${code}: ${message}`);
    }
  }

  /** However long that takes. */
  async #connect(): Promise<Client> {
    const world = this.#world;
    const { seed, requestTimeoutMs } = world.swarm;
    const random = stream(seed, 'operator');
    const clock = clientClock(world, random);
    const dial = world.sockets.dialer('op', clock);
    for (;;) {
      try {
        const endpoints = world.voters.map(({ address }) => address);
        return await connectThrough({ clock, random, dial }, { endpoints, requestTimeoutMs });
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        await world.sleep(50);
      }
    }
  }
}

const expected: ReadonlySet<string> = new Set([
  'closed',
  'membershipRefused',
  'timeout',
  'connectionLost',
  'leadershipLost',
  'noLeader',
  'notLeader',
  'unreachable',
  'removed',
  'storageFailed',
  // Whoever repairs itself belongs to nobody meanwhile.
  'notBorn',
]);
