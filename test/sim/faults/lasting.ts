/** How a node may be broken for good, and how it is made well again. */
import type { Party } from '../network.ts';
import type { SimNode } from '../node.ts';
import { pick } from '../random.ts';
import type { World } from '../world.ts';

/** Far beyond what makes a leader hand over. */
const lastingSyncMs = 3000;

const lastingFailures = ['down', 'isolated', 'deaf', 'mute', 'paused', 'hung', 'slow'] as const;

/** `parties` are all others, clients as well. Returns the ways to undo what `mend` does not. */
export function breakForGood(
  world: World,
  node: SimNode,
  parties: readonly Party[],
): readonly (() => void)[] {
  const { network } = world;
  const cut = (pairs: readonly (readonly [Party, Party])[]): readonly (() => void)[] =>
    pairs.map(([from, to]) => network.cut(from, to));
  const how = pick(world.random, lastingFailures);
  world.count(`${how} for good`, () => node.name);
  node.isLost = how === 'down';
  switch (how) {
    case 'down':
      world.crash(node, 'power');
      return [];
    case 'isolated':
      return cut(
        parties.flatMap((party) => [[party, node.name] as const, [node.name, party] as const]),
      );
    case 'deaf':
      return cut(parties.map((party) => [party, node.name]));
    case 'mute':
      return cut(parties.map((party) => [node.name, party]));
    case 'paused':
      world.pause(node);
      return [];
    case 'hung':
      node.disk.hang();
      return [];
    case 'slow':
      node.disk.slowness = lastingSyncMs / (world.swarm.syncMsMin + world.swarm.syncMsMean);
      return [];
  }
}

/** Whatever was wrong with it, it runs. */
export function mend(world: World, node: SimNode): void {
  node.isLost = false;
  node.disk.mend();
  node.power.cutAfter(Number.POSITIVE_INFINITY);
  node.failpoint = null;
  const clock = node.life?.clock;
  clock?.slow(null);
  if (clock?.isPaused) world.resume(node, clock);
  world.boot(node);
}
