/** Clocks that somebody sets. That they run fast or slow is drawn once, with the world. */
import { between, chance, pick } from '../random.ts';
import type { Fault, FaultFamily } from './fault.ts';

export const clockFaults: FaultFamily = (random) => {
  const jump: Fault = {
    name: 'clockJump',
    weight: 1,
    strike: (world) => {
      const node = pick(world.random, world.nodes);
      const clock = node.life?.clock;
      if (clock === undefined) return null;
      const before = clock.wallSkewMs;
      clock.wallSkewMs = between(world.random, -3_600_000, 3_600_000);
      const end = (): void => {
        clock.wallSkewMs = before;
      };
      return { text: node.name, lastsMs: between(world.random, 50, 2000), end };
    },
  };
  return chance(random, 0.3) ? [jump] : [];
};
