/** Disks that are lost with all that is on them, as long as enough others are left. */
import type { SimNode } from '../node.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { draw, type Fault, type FaultFamily, nothing, type Struck } from './fault.ts';
import { loseLeaderInJoint } from './joint.ts';

/** So many seeds lose disks at all. */
const share = 0.45;

export const lostDiskFaults: FaultFamily = (random) => {
  if (!chance(random, share)) return [];
  const downMsMax = pick(random, [20, 300, 1500]);
  const kinds: readonly Fault[] = [
    {
      name: 'lostDisk',
      weight: 2,
      strike: (world) => lose(world, sample(world.random, world.nodes, 1)[0] ?? null, downMsMax),
    },
    {
      name: 'lostDiskOfLeader',
      weight: 1,
      strike: (world) => {
        const struck = lose(world, world.leader(), downMsMax);
        if (struck !== null) world.hit('diskOfLeaderLost');
        return struck;
      },
    },
  ];
  const drawn = draw(random, kinds);
  return drawn.length > 0 ? drawn : kinds.slice(0, 1);
};

function lose(world: World, node: SimNode | null, downMsMax: number): Struck | null {
  const id = node?.id ?? null;
  if (node === null || id === null || !world.survival.without(id)) return null;
  const isMember = world.observer.configuration.voters.includes(id);
  if (isMember) world.hit('diskLost');
  else if (!world.observer.configurations.isGone(id)) world.hit('diskLostTwice');
  world.loseDisk(node);
  // It will be taken in as another member, who replaces the lost one in a joint phase.
  if (chance(world.random, 0.4)) loseLeaderInJoint(world);
  world.restartLater(node, between(world.random, 1, downMsMax));
  return { text: node.name, lastsMs: 0, end: nothing };
}
