/** Links that are cut or clogged, in every shape. */
import { randomBelow } from '../../../src/base/prng.ts';
import type { Party } from '../network.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { draw, type Fault, type FaultFamily, nothing, type Struck } from './fault.ts';
import { paused } from './process.ts';

export const linkFaults: FaultFamily = (random, { swarm }) => {
  const lastsMsMax = pick(random, [150, 1000, 3000]);
  const kinds: readonly Fault[] = [
    shape('isolate', 2, lastsMsMax, isolate),
    shape('isolateLeader', 4, lastsMsMax, isolateLeader),
    shape('split', 2, lastsMsMax, split),
    shape('splitLeader', 3, lastsMsMax, splitLeader),
    shape('oneWay', 2, lastsMsMax, oneWay),
    shape('deaf', 1, lastsMsMax, deaf),
    shape('bridge', 1, lastsMsMax, bridge),
    shape('ring', 1, lastsMsMax, ring),
    shape('clientCut', 1, lastsMsMax, clientCut),
    clog(lastsMsMax),
    swizzle(),
    flap(),
    alternateLeaders(swarm.isCalm ? 10 : 2),
    muffleLeader(swarm.isCalm ? 16 : 2),
  ];
  return draw(random, kinds);
};

/** By then a leader that is muffled is not heard any more. */
const lastWordsMs = 20;

/** Ordered pairs that are cut, and a word for them. */
interface Shape {
  readonly text: string;
  readonly cuts: readonly (readonly [Party, Party])[];
}

function shape(
  name: string,
  weight: number,
  lastsMsMax: number,
  find: (world: World) => Shape | null,
): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const found = find(world);
      if (found === null) return null;
      const mends = found.cuts.map(([from, to]) => world.network.cut(from, to));
      const leader = world.leader();
      if (leader !== null && isInMinority(world, leader.name)) world.hit('minorityLeader');
      return struck(world, found.text, mends, lastsMsMax);
    },
  };
}

function struck(
  world: World,
  text: string,
  mends: readonly (() => void)[],
  lastsMsMax: number,
): Struck {
  const end = (): void => {
    for (const mend of mends) mend();
  };
  return { text, lastsMs: between(world.random, 20, lastsMsMax), end };
}

/** From everybody; with luck its clients still reach it. */
function isolate(world: World): Shape {
  return isolated(world, pick(world.random, names(world)));
}

function isolateLeader(world: World): Shape | null {
  const leader = world.leader();
  return leader === null ? null : isolated(world, leader.name);
}

function isolated(world: World, name: Party): Shape {
  const others = names(world).filter((other) => other !== name);
  const clients = chance(world.random, 0.5) ? clientNames : [];
  return { text: name, cuts: between2([name], [...others, ...clients]) };
}

function split(world: World): Shape {
  const all = names(world);
  return divided(world, sample(world.random, all, 1 + randomBelow(world.random, all.length - 1)));
}

/** The leader with too few others, and some clients that still believe in it. */
function splitLeader(world: World): Shape | null {
  const leader = world.leader();
  if (leader === null) return null;
  const others = names(world).filter((name) => name !== leader.name);
  const few = Math.ceil(world.nodes.length / 2) - 2;
  return divided(world, [leader.name, ...sample(world.random, others, few)]);
}

function divided(world: World, left: readonly Party[]): Shape {
  const right = names(world).filter((name) => !left.includes(name));
  const near = clientNames.filter(() => chance(world.random, 0.5));
  const far = clientNames.filter((name) => !near.includes(name));
  return {
    text: `${left.join(' ')} | ${right.join(' ')}`,
    cuts: between2([...left, ...near], [...right, ...far]),
  };
}

function oneWay(world: World): Shape {
  world.hit('asymmetricCut');
  const [from, to] = sample(world.random, names(world), 2) as [Party, Party];
  return { text: `${from} → ${to}`, cuts: [[from, to]] };
}

/** It speaks and hears nothing, or the other way round. */
function deaf(world: World): Shape {
  world.hit('asymmetricCut');
  const name = pick(world.random, names(world));
  const others = names(world).filter((other) => other !== name);
  const isDeaf = chance(world.random, 0.5);
  const cuts = others.map((other): readonly [Party, Party] =>
    isDeaf ? [other, name] : [name, other],
  );
  return { text: `${name} ${isDeaf ? 'hears' : 'is heard by'} nobody`, cuts };
}

/** Two halves that only meet in one node. */
function bridge(world: World): Shape {
  const [middle, ...others] = sample(world.random, names(world), world.nodes.length);
  const left = others.slice(0, others.length / 2);
  const right = others.slice(others.length / 2);
  return { text: `over ${middle}`, cuts: between2(left, right) };
}

/** Each reaches only its two neighbours; of three, a chain. */
function ring(world: World): Shape {
  const all = sample(world.random, names(world), world.nodes.length);
  const cuts: (readonly [Party, Party])[] = [];
  for (const [at, from] of all.entries()) {
    for (const [other, to] of all.entries()) {
      const distance = Math.abs(at - other);
      const isFar = distance > 1 && (all.length === 3 || distance < all.length - 1);
      if (isFar) cuts.push([from, to]);
    }
  }
  return { text: all.join(' '), cuts };
}

function clientCut(world: World): Shape {
  const client = pick(world.random, clientNames);
  const count = chance(world.random, 0.5) ? world.nodes.length : 1 + randomBelow(world.random, 3);
  const some = sample(world.random, names(world), count);
  return { text: `${client} from ${some.join(' ')}`, cuts: between2([client], some) };
}

function clog(lastsMsMax: number): Fault {
  return {
    name: 'clog',
    weight: 2,
    strike: (world) => {
      const [from, to] = sample(world.random, [...names(world), ...clientNames], 2) as [
        Party,
        Party,
      ];
      return struck(world, `${from} → ${to}`, [world.network.clog(from, to)], lastsMsMax);
    },
  };
}

/** Links are clogged one by one and let go in another order. */
function swizzle(): Fault {
  return {
    name: 'swizzle',
    weight: 1,
    strike: (world) => {
      const { random, network, clock } = world;
      const node = pick(random, names(world));
      const others = names(world).filter((name) => name !== node);
      const lets: (() => void)[] = [];
      for (const other of others) {
        clock.after(between(random, 0, 200), () => lets.push(network.clog(other, node)));
        clock.after(between(random, 0, 200), () => lets.push(network.clog(node, other)));
      }
      const end = (): void => {
        // Those that had not begun yet are caught by the second round.
        for (const delayMs of [0, 250]) {
          clock.after(delayMs, () => {
            for (const letGo of sample(random, lets.splice(0), 100)) letGo();
          });
        }
      };
      return { text: node, lastsMs: between(random, 100, 600), end };
    },
  };
}

/** A link that goes and comes. */
function flap(): Fault {
  return {
    name: 'flap',
    weight: 1,
    strike: (world) => {
      const { random, network, clock } = world;
      const [left, right] = sample(random, names(world), 2) as [Party, Party];
      let mends: (() => void)[] = [];
      let isOver = false;
      const mend = (): void => {
        for (const one of mends.splice(0)) one();
      };
      const turn = (): void => {
        if (isOver) return;
        if (mends.length > 0) mend();
        else mends = [network.cut(left, right), network.cut(right, left)];
        clock.after(between(random, 5, 120), turn);
      };
      turn();
      const end = (): void => {
        isOver = true;
        mend();
      };
      return { text: `${left} ${right}`, lastsMs: between(random, 200, 1500), end };
    },
  };
}

/**
 * Whoever comes to lead is cut off soon, and the one before comes back with a log that the others may
 * have gone beyond: the way to entries of old terms that are on many members and yet not committed. Or
 * it comes back a little earlier, loses what it had alone, and may lead again without it.
 */
function alternateLeaders(weight: number): Fault {
  return {
    name: 'alternateLeaders',
    weight,
    strike: (world) => {
      const { random, clock } = world;
      let out: Party | null = null;
      let mend: () => void = nothing;
      let isOver = false;
      const change = (leader: Party): void => {
        if (isOver) return;
        mend();
        const mends = isolated(world, leader).cuts.map(([from, to]) => world.network.cut(from, to));
        out = leader;
        mend = () => {
          for (const one of mends) one();
        };
        watch();
      };
      const watch = (): void => {
        if (isOver) return;
        const leader = world.leader()?.name ?? out;
        if (leader === out) {
          clock.after(10, watch);
        } else if (leader !== null) {
          if (chance(random, 0.5)) mend();
          clock.after(between(random, 0, 60), () => change(leader));
        }
      };
      watch();
      const end = (): void => {
        isOver = true;
        mend();
      };
      return { text: 'in turn', lastsMs: between(random, 1000, 3500), end };
    },
  };
}

/**
 * What the leader says is lost, and what it is told comes late and all at once: answers to heartbeats
 * that were the last ones, when others may have elected another leader since. Often it stands still as
 * well until they surely have, and then goes on for a while as if nothing had happened.
 */
function muffleLeader(weight: number): Fault {
  return {
    name: 'muffleLeader',
    weight,
    strike: (world) => {
      const { network, random, clock } = world;
      const node = world.leader();
      if (node === null) return null;
      const leader = node.name;
      const others = names(world).filter((name) => name !== leader);
      const near = clientNames.filter(() => chance(random, 0.5));
      const mends = others.map((other) => network.clog(other, leader));
      const cuts = [...others.map((other) => [leader, other] as const), ...between2(near, others)];
      let isOver = false;
      // Its last heartbeats still arrive.
      clock.after(between(random, 0, lastWordsMs), () => {
        if (isOver) return;
        for (const [from, to] of cuts) mends.push(network.cut(from, to));
      });
      const stillMs = chance(random, 0.6) ? between(random, 600, 900) : 0;
      if (stillMs > 0) {
        clock.after(lastWordsMs, () => {
          const pause = isOver ? null : paused(world, node, 0);
          if (pause !== null) clock.after(stillMs, pause.end);
        });
      }
      const end = (): void => {
        isOver = true;
        for (const mend of mends) mend();
      };
      const lastsMs =
        stillMs > 0 ? lastWordsMs + stillMs + between(random, 15, 250) : between(random, 380, 620);
      return { text: leader, lastsMs, end };
    },
  };
}

/** The clients that a scenario may have; cuts of those that it has not cost nothing. */
export const clientNames: readonly Party[] = ['c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'c7'];

function names(world: World): readonly Party[] {
  return world.nodes.map(({ name }) => name);
}

export function between2(
  left: readonly Party[],
  right: readonly Party[],
): readonly (readonly [Party, Party])[] {
  return left.flatMap((one) =>
    right.flatMap((other): (readonly [Party, Party])[] => [
      [one, other],
      [other, one],
    ]),
  );
}

function isInMinority(world: World, name: Party): boolean {
  const { network } = world;
  const reached = names(world).filter(
    (other) => other === name || (network.isOpen(name, other) && network.isOpen(other, name)),
  );
  return reached.length <= world.nodes.length / 2;
}
