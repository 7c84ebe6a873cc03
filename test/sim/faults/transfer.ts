/** Leadership that is handed over, at bad moments as at good ones. */
import { RollcallError } from '../../../src/base/errors.ts';
import { chance, pick } from '../random.ts';
import { draw, type Fault, type FaultFamily, nothing } from './fault.ts';

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
  return draw(random, [handOver]);
};
