/** Processes that end, fail or stand still at a named place of the storage. */
import { RollcallError } from '../../../src/base/errors.ts';
import { type StorageFailpoint, storageFailpoints } from '../../../src/storage/failpoints.ts';
import { isUp, type SimNode } from '../node.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { draw, type Fault, type FaultFamily } from './fault.ts';

const names = Object.keys(storageFailpoints) as StorageFailpoint[];
/** So long a place waits to be reached. */
const armedMs = 1500;

export const failpointFaults: FaultFamily = (random) => {
  const places = chance(random, 0.5) ? names : sample(random, names, 5);
  const kinds: readonly Fault[] = [
    fault('crashAt', 4, places, crash),
    fault('failAt', 1, places, fail),
    fault('delayAt', 1, places, delay),
  ];
  return draw(random, kinds);
};

type Reached = (world: World, node: SimNode) => Promise<void>;

/** It counts only once the place is reached. */
function fault(
  name: string,
  weight: number,
  places: readonly StorageFailpoint[],
  reached: Reached,
): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const node = pick(world.random, world.nodes);
      const place = pick(world.random, places);
      if (!isUp(node) || node.failpoint !== null) return null;
      const armed = {
        name: place,
        reached: () => {
          world.count(name, () => `${node.name} ${place}`);
          return reached(world, node);
        },
      };
      node.failpoint = armed;
      world.clock.after(armedMs, () => {
        if (node.failpoint === armed) node.failpoint = null;
      });
      return null;
    },
  };
}

async function crash(world: World, node: SimNode): Promise<void> {
  world.hit('crashAtFailpoint');
  world.crash(node, pick(world.random, ['kill', 'power']));
  world.restartLater(node, between(world.random, 1, 300));
  await never();
}

async function fail(_: World, node: SimNode): Promise<void> {
  node.disk.hasFailed = true;
  throw new RollcallError('storageFailed', 'EIO at a named place');
}

async function delay(world: World, node: SimNode): Promise<void> {
  const clock = node.life?.clock;
  await new Promise<void>((resolve) => {
    world.clock.after(between(world.random, 1, 600), () => clock?.run('socket', resolve));
  });
}

/** Nothing goes on in a process that has ended. */
function never(): Promise<void> {
  return new Promise(() => {});
}
