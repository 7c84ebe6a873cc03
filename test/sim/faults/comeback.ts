/**
 * Leaders that are deposed with a log of their own and soon lead again, or try to: what they hold, have
 * said and were told in their first term meets the next ones.
 */
import type { Party } from '../network.ts';
import type { SimNode } from '../node.ts';
import { between, chance, sample } from '../random.ts';
import type { World } from '../world.ts';
import { draw, type Fault, type FaultFamily, type Struck } from './fault.ts';
import { between2, clientNames } from './links.ts';

/** Looked at so often whether it leads again. */
const lookMs = 5;
/** So often whoever leads is asked to hand over. */
const askAgainMs = 60;

export const comebackFaults: FaultFamily = (random, { swarm }) =>
  draw(random, [deposedLeader(swarm.isCalm ? 24 : 4)]);

/**
 * Asks whoever leads to hand over to this node, until it leads a later term than before and `returned` is
 * called. The result ends that.
 */
export function leadBack(world: World, node: SimNode, returned: () => void): () => void {
  const { observer, clock } = world;
  const firstTerm = termOf(world, node);
  let isOver = false;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  const look = (): void => {
    if (isOver) return;
    const status = node.id === null ? null : observer.status(node.id);
    if (status?.role === 'leader' && status.term > firstTerm) {
      returned();
      return;
    }
    const leader = world.leader();
    if (leader !== node && clock.monotonic() - askedAtMs >= askAgainMs) {
      askedAtMs = clock.monotonic();
      leader?.life?.member?.submit({ type: 'transferLeadership', to: node.name }, () => {});
    }
    clock.after(lookMs, look);
  };
  look();
  return () => {
    isOver = true;
  };
}

/**
 * The leader is cut off, with most clients and perhaps with some who are too few, until another one
 * leads. Then it comes back: either leadership is handed to it, and what was meant for it in the
 * first term arrives once more; or the other leader is cut off in its turn.
 */
function deposedLeader(weight: number): Fault {
  return {
    name: 'deposedLeader',
    weight,
    strike: (world) => {
      const { random, clock, network } = world;
      const leader = world.leader();
      if (leader === null) return null;
      const apart = split(world, leader);
      const recording = network.record(leader.name);
      const ends: (() => void)[] = [...apart.mends, ...apart.mendsOfFew, () => recording.stop()];
      const apartMs = between(random, 350, 900);
      let isOver = false;
      clock.after(apartMs, () => {
        if (isOver) return;
        const isHandedOver = chance(random, 0.6);
        if (!isHandedOver) ends.push(...cutOffLeader(world, leader));
        for (const mend of apart.mends) mend();
        if (isHandedOver) ends.push(leadBack(world, leader, () => recording.replay()));
      });
      const end = (): void => {
        isOver = true;
        for (const one of ends) one();
      };
      const lastsMs = apartMs + between(random, 400, 1500);
      return { text: apart.text, lastsMs, end } satisfies Struck;
    },
  };
}

interface Apart {
  readonly text: string;
  readonly mends: readonly (() => void)[];
  /** For those who were with the leader, and stay away for longer. */
  readonly mendsOfFew: readonly (() => void)[];
}

function split(world: World, leader: SimNode): Apart {
  const { random, network, nodes } = world;
  const others = nodes.filter((node) => node !== leader).map(({ name }) => name);
  const fewMax = Math.max(0, Math.floor(world.voters.length / 2) - 1);
  const few = sample(random, others, chance(random, 0.8) ? fewMax : 0);
  const many = others.filter((name) => !few.includes(name));
  const near = clientNames.filter(() => chance(random, 0.8));
  const far = clientNames.filter((name) => !near.includes(name));
  const cut = (pairs: readonly (readonly [Party, Party])[]): readonly (() => void)[] =>
    pairs.map(([from, to]) => network.cut(from, to));
  // What the few acknowledge is sometimes heard only when it is replayed.
  const isDeaf = chance(random, 0.4);
  return {
    text: [leader.name, ...few].join(' '),
    mends: [
      ...cut(between2([leader.name, ...near], [...many, ...far])),
      ...cut(isDeaf ? few.map((name) => [name, leader.name] as const) : []),
    ],
    mendsOfFew: cut(between2(few, [...many, ...far])),
  };
}

/** From everybody but its clients. */
function cutOffLeader(world: World, deposed: SimNode): readonly (() => void)[] {
  const leader = world.leader();
  if (leader === null || leader === deposed) return [];
  const others = world.nodes.filter((node) => node !== leader).map(({ name }) => name);
  return between2([leader.name], others).map(([from, to]) => world.network.cut(from, to));
}

function termOf(world: World, { id }: SimNode): number {
  return id === null ? 0 : (world.observer.status(id)?.term ?? 0);
}
