import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/prng.ts';
import { NodeClock } from './node-clock.ts';
import { between } from './random.ts';
import type { World } from './world.ts';

/** The clock of a client, which may run fast or slow as well. */
export function clientClock(world: World, random: Random): Clock {
  const { drift } = world.swarm;
  const error = { rate: 1 + between(random, -drift, drift), wallSkewMs: 0 };
  return new NodeClock(world.clock, error, (thrown) => world.threw(thrown));
}
