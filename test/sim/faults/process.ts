/** Processes that die, stop, stand still or are slow, and machines that lose their power. */
import { randomBelow } from '../../../src/base/prng.ts';
import { isUp, type SimNode } from '../node.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { CrashKind, World } from '../world.ts';
import { draw, type Fault, type FaultFamily, nothing, type Struck } from './fault.ts';

export const processFaults: FaultFamily = (random) => {
  const downMsMax = pick(random, [50, 400, 2000]);
  const kinds: readonly Fault[] = [
    crash('kill', 'kill', downMsMax),
    crash('powerCut', 'power', downMsMax),
    cutInOperation(downMsMax),
    crashLeader(downMsMax),
    crashAll(downMsMax),
    restart(),
    pause(pick(random, [100, 700, 2500])),
    pauseLeader(),
    slow(pick(random, [0.1, 0.5, 2, 6])),
    crashTwice(),
  ];
  return draw(random, kinds);
};

function crash(name: string, kind: CrashKind, downMsMax: number): Fault {
  return {
    name,
    weight: 3,
    strike: (world) => {
      const node = victim(world);
      return node === null ? null : crashed(world, node, kind, downMsMax);
    },
  };
}

function crashLeader(downMsMax: number): Fault {
  return {
    name: 'crashLeader',
    weight: 4,
    strike: (world) => {
      const leader = world.leader();
      if (leader === null || !isUp(leader)) return null;
      return crashed(world, leader, pick(world.random, ['kill', 'power']), downMsMax);
    },
  };
}

/** The power goes in the middle of one of the next operations that change something. */
function cutInOperation(downMsMax: number): Fault {
  return {
    name: 'cutInOperation',
    weight: 3,
    strike: (world) => {
      const node = victim(world);
      if (node === null) return null;
      const operations = randomBelow(world.random, 12);
      node.power.cutAfter(operations);
      const { power } = node;
      watchPower(world, node, () => power.isOff, downMsMax);
      return { text: `${node.name} after ${operations} operations`, lastsMs: 0, end: nothing };
    },
  };
}

function crashAll(downMsMax: number): Fault {
  return {
    name: 'crashAll',
    weight: 0.7,
    strike: (world) => {
      const kind: CrashKind = pick(world.random, ['kill', 'power', 'power']);
      const up = world.nodes.filter(isUp);
      for (const node of up) crashed(world, node, kind, downMsMax);
      return up.length === 0 ? null : { text: `all, ${kind}`, lastsMs: 0, end: nothing };
    },
  };
}

/** Dies again while it starts, or has just started. */
function crashTwice(): Fault {
  return {
    name: 'crashInBoot',
    weight: 2,
    strike: (world) => {
      const node = victim(world);
      if (node === null) return null;
      const kind: CrashKind = pick(world.random, ['kill', 'power']);
      const kindAgain: CrashKind = pick(world.random, ['kill', 'power']);
      world.crash(node, kind);
      const againMs = between(world.random, 0, pick(world.random, [5, 40]));
      world.clock.after(1, () => world.boot(node));
      world.clock.after(1 + againMs, () => {
        world.crash(node, kindAgain);
        world.restartLater(node, 20);
      });
      return { text: `${node.name}, ${kind} and ${kindAgain}`, lastsMs: 0, end: nothing };
    },
  };
}

/** As an operator does it: the process is asked to stop and started again. */
function restart(): Fault {
  return {
    name: 'restart',
    weight: 1,
    strike: (world) => {
      const node = victim(world);
      if (node === null || node.life?.member == null) return null;
      void world.stop(node).then(() => world.restartLater(node, between(world.random, 1, 100)));
      return { text: node.name, lastsMs: 0, end: nothing };
    },
  };
}

function pause(pauseMsMax: number): Fault {
  return {
    name: 'pause',
    weight: 2,
    strike: (world) => paused(world, victim(world), between(world.random, 10, pauseMsMax)),
  };
}

function pauseLeader(): Fault {
  return {
    name: 'pauseLeader',
    weight: 2,
    // After a short one it still leads.
    strike: (world) =>
      paused(world, world.leader(), between(world.random, 100, pick(world.random, [450, 2500]))),
  };
}

function slow(costMsMax: number): Fault {
  return {
    name: 'slow',
    weight: 2,
    strike: (world) => {
      const node = victim(world);
      const clock = node?.life?.clock;
      if (node === null || clock === undefined) return null;
      clock.slow(() => world.random() * costMsMax);
      const end = (): void => clock.slow(null);
      return { text: node.name, lastsMs: between(world.random, 100, 1500), end };
    },
  };
}

export function paused(world: World, node: SimNode | null, lastsMs: number): Struck | null {
  const clock = node?.life?.clock;
  if (node === null || clock === undefined || clock.isOver || clock.isPaused) return null;
  const wasLeader = world.leader() === node;
  world.pause(node);
  const end = (): void => {
    if (wasLeader && !clock.isOver) world.hit('pausedLeader');
    world.resume(node, clock);
  };
  return { text: node.name, lastsMs, end };
}

function crashed(world: World, node: SimNode, kind: CrashKind, downMsMax: number): Struck {
  world.crash(node, kind);
  world.restartLater(node, between(world.random, 1, downMsMax));
  return { text: node.name, lastsMs: 0, end: nothing };
}

function watchPower(world: World, node: SimNode, isOff: () => boolean, downMsMax: number): void {
  const { power } = node;
  world.clock.after(10, () => {
    if (isOff()) world.restartLater(node, between(world.random, 1, downMsMax));
    else if (node.power === power) watchPower(world, node, isOff, downMsMax);
  });
}

/** Rather one more of a minority than one that leaves less than a majority. */
function victim(world: World): SimNode | null {
  const up = world.nodes.filter(isUp);
  const isMajorityAtRisk = up.length - 1 <= world.nodes.length / 2;
  if (up.length === 0 || (isMajorityAtRisk && chance(world.random, 0.7))) return null;
  return sample(world.random, up, 1)[0] ?? null;
}
