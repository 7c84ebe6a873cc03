/** Disks that are slow, hang, fail or are full. */
import type { SimNode } from '../node.ts';
import { between, chance, pick } from '../random.ts';
import type { World } from '../world.ts';
import type { Fault, FaultFamily, Struck } from './fault.ts';

export const diskFaults: FaultFamily = (random) => {
  const lastsMsMax = pick(random, [100, 800, 3000]);
  const kinds: readonly Fault[] = [
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
  return kinds.filter(() => chance(random, 0.5));
};

function hang(world: World, node: SimNode | null, lastsMsMax: number): Struck | null {
  if (node === null || node.disk.isHung) return null;
  if (node === world.leader()) world.hit('diskHungOnLeader');
  const { disk, name } = node;
  disk.hang();
  return { text: name, lastsMs: between(world.random, 20, lastsMsMax), end: () => disk.release() };
}

function anyNode(world: World): SimNode {
  return pick(world.random, world.nodes);
}
