/** The weather of the network changes. */
import { fairWeather } from '../network.ts';
import { between, chance } from '../random.ts';
import { drawWeather } from '../swarm.ts';
import { type Fault, type FaultFamily, nothing } from './fault.ts';

export const weatherFaults: FaultFamily = (random) => {
  const change: Fault = {
    name: 'weather',
    weight: 1,
    strike: (world) => {
      world.network.weather = drawWeather(world.random);
      return { text: JSON.stringify(world.network.weather), lastsMs: 0, end: nothing };
    },
  };
  const calm: Fault = {
    name: 'calm',
    weight: 1,
    strike: (world) => {
      const before = world.network.weather;
      world.network.weather = fairWeather;
      const end = (): void => {
        world.network.weather = before;
      };
      return { text: 'for a while', lastsMs: between(world.random, 50, 500), end };
    },
  };
  return [change, calm].filter(() => chance(random, 0.4));
};
