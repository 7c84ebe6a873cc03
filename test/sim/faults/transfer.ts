/** Leadership that is handed over, at bad moments as at good ones. */
import { RollcallError } from '../../../src/base/errors.ts';
import { between, chance, pick } from '../random.ts';
import { draw, type Fault, type FaultFamily, nothing } from './fault.ts';

/**
 * The one that is to take over hears of it, and nobody hears it: it has entered a term in which nobody
 * else is, while the leader goes on.
 */
const handOverToMute: Fault = {
  name: 'handOverToMute',
  weight: 1,
  strike: (world) => {
    const { random, network, clock, voters } = world;
    const leader = world.leader();
    const member = leader?.life?.member ?? null;
    const others = voters.filter((node) => node !== leader);
    if (leader === null || member === null || others.length === 0) return null;
    const { name } = pick(random, others);
    const mends = world.nodes
      .filter((node) => node.name !== name && node !== leader)
      .map((node) => network.cut(name, node.name));
    let isOver = false;
    // It may have to say first that it is up to date.
    clock.after(between(random, 0, 4), () => {
      if (!isOver) mends.push(network.cut(name, leader.name));
    });
    member.submit({ type: 'transferLeadership', to: name }, () => {});
    const end = (): void => {
      isOver = true;
      for (const mend of mends) mend();
    };
    return { text: `${leader.name} to ${name}`, lastsMs: between(random, 20, 900), end };
  },
};

export const transferFaults: FaultFamily = (random) => {
  const handOver: Fault = {
    name: 'handOver',
    weight: 2,
    strike: (world) => {
      const leader = world.leader();
      const member = leader?.life?.member ?? null;
      if (leader === null || member === null) return null;
      const to = chance(world.random, 0.3) ? null : pick(world.random, world.nodes).name;
      member.submit({ type: 'transferLeadership', to }, (outcome) => {
        // Who leads already may be asked to lead as well.
        if (!(outcome instanceof RollcallError) && to !== leader.name) world.hit('handedOver');
      });
      return { text: `${leader.name} to ${to ?? 'anybody'}`, lastsMs: 0, end: nothing };
    },
  };
  return draw(random, [handOver, handOverToMute]);
};
