/** Disks that are slow, hang, fail or are full. */
import { randomBelow } from '../../../src/base/prng.ts';
import type { SimNode } from '../node.ts';
import { between, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { draw, type Fault, type FaultFamily, type Struck } from './fault.ts';
import { between2 } from './links.ts';

export const diskFaults: FaultFamily = (random) => {
  const lastsMsMax = pick(random, [100, 800, 3000]);
  const kinds: readonly Fault[] = [
    hangMajority(),
    hangBeforeCampaign(),
    {
      name: 'slowDisk',
      weight: 2,
      strike: (world) => {
        const { disk, name } = pick(world.random, world.nodes);
        disk.slowness = pick(world.random, [5, 30, 100]);
        const end = (): void => {
          disk.slowness = 1;
        };
        return { text: name, lastsMs: between(world.random, 50, lastsMsMax), end };
      },
    },
    { name: 'hungDisk', weight: 2, strike: (world) => hang(world, anyNode(world), lastsMsMax) },
    {
      name: 'hungDiskOfLeader',
      weight: 1,
      strike: (world) => hang(world, world.leader(), lastsMsMax),
    },
    {
      name: 'diskError',
      weight: 2,
      strike: (world) => {
        const { disk, name } = anyNode(world);
        disk.errors = pick(world.random, [0.02, 0.2]);
        const end = (): void => {
          disk.errors = 0;
        };
        return { text: name, lastsMs: between(world.random, 10, 300), end };
      },
    },
    {
      name: 'fullDisk',
      weight: 1,
      strike: (world) => {
        const { disk, name } = anyNode(world);
        disk.isFull = true;
        const end = (): void => {
          disk.isFull = false;
        };
        return { text: name, lastsMs: between(world.random, 50, lastsMsMax), end };
      },
    },
  ];
  return draw(random, kinds);
};

function hang(world: World, node: SimNode | null, lastsMsMax: number): Struck | null {
  if (node === null || node.disk.isHung) return null;
  if (node === world.leader()) world.hit('diskHungOnLeader');
  const { disk, name } = node;
  disk.hang();
  return { text: name, lastsMs: between(world.random, 20, lastsMsMax), end: () => disk.release() };
}

/** Long enough that members give up on writes, while heartbeats go on. */
function hangMajority(): Fault {
  return {
    name: 'hungMajority',
    weight: 1,
    strike: (world) => {
      const { random, nodes } = world;
      const leader = world.leader();
      const count = Math.floor(nodes.length / 2) + 1;
      const hung = sample(
        random,
        nodes.filter((node) => node !== leader),
        count,
      );
      for (const { disk } of hung) disk.hang();
      const end = (): void => {
        for (const { disk } of hung) disk.release();
      };
      const text = hung.map(({ name }) => name).join(' ');
      return { text, lastsMs: pick(random, [1000, 6000]), end };
    },
  };
}

/** Followers have a write under way, which comes back only after they have begun to campaign. */
function hangBeforeCampaign(): Fault {
  return {
    name: 'hungDiskAndLostLeader',
    weight: 2,
    strike: (world) => {
      const { random, nodes, clock, network } = world;
      const leader = world.leader();
      if (leader === null) return null;
      const others = nodes.filter((node) => node !== leader);
      const hung = sample(random, others, 1 + randomBelow(random, others.length));
      for (const { disk } of hung) disk.hang();
      const mends: (() => void)[] = [];
      let isOver = false;
      clock.after(between(random, 5, 60), () => {
        if (isOver) return;
        const names = others.map(({ name }) => name);
        for (const [from, to] of between2([leader.name], names)) mends.push(network.cut(from, to));
      });
      const end = (): void => {
        isOver = true;
        for (const { disk } of hung) disk.release();
        for (const mend of mends) mend();
      };
      const text = `${hung.map(({ name }) => name).join(' ')}, ${leader.name} is cut off`;
      return { text, lastsMs: between(random, 400, 950), end };
    },
  };
}

function anyNode(world: World): SimNode {
  return pick(world.random, world.nodes);
}
