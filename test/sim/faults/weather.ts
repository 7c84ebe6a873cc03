/** The weather of the network changes. */
import { fairWeather } from '../network.ts';
import { between, chance } from '../random.ts';
import { drawWeather } from '../swarm.ts';
import { type Fault, type FaultFamily, nothing } from './fault.ts';

/** Looked at so often whether the recorded one leads again. */
const lookMs = 5;

/**
 * Whoever leads is sent once more, when it comes to lead again, what was meant for it in older terms:
 * votes, acknowledgements and rejections that say nothing any more.
 */
const echo: Fault = {
  name: 'echo',
  weight: 2,
  strike: (world) => {
    const { observer, network, clock, random } = world;
    const leader = world.leader();
    if (leader === null || leader.id === null) return null;
    const { id } = leader;
    const recording = network.record(leader.name);
    let term = observer.status(id)?.term ?? 0;
    let isOver = false;
    const look = (): void => {
      if (isOver) return;
      const status = observer.status(id);
      if (status?.role === 'leader' && status.term > term) {
        term = status.term;
        recording.replay();
      }
      clock.after(lookMs, look);
    };
    look();
    const end = (): void => {
      isOver = true;
      recording.stop();
    };
    return { text: leader.name, lastsMs: between(random, 1000, 4000), end };
  },
};

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
  return [change, calm, echo].filter(() => chance(random, 0.4));
};
