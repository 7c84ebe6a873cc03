/** How a cluster that is well has to look like in the end, whatever was asked of it. */
import { appliedBy, isUp, type SimNode } from './node.ts';
import type { World } from './world.ts';

/** Null, or what is not as it should be yet. */
export function unsettled(world: World): string | null {
  const { observer, nodes } = world;
  const { configuration, configurations, commitIndex } = observer;
  const { members, voters, votersOutgoing, learners } = configuration;
  if (votersOutgoing.length > 0) return 'the configuration is joint';
  for (const { id, name, autoPromote, peerAddress, clientAddress } of members) {
    const node = world.machineOf(id);
    if (node === null) {
      // Who came back under its name was removed in its turn: it does not ask again.
      const successor = nodes.find((one) => one.name === name)?.id ?? null;
      if (successor !== null && configurations.isGone(successor)) continue;
      return `${world.nameOf(id)} has lost its disk and was not replaced`;
    }
    if (!isUp(node)) return `${name} is down`;
    if (node.peerAddress !== peerAddress || node.address !== clientAddress) {
      return `${name} is known at ${peerAddress} and ${clientAddress}`;
    }
    if (autoPromote && learners.includes(id)) return `${name} was not promoted`;
    if (appliedBy(node) < commitIndex) {
      return `${name} has applied ${appliedBy(node)} of ${commitIndex}`;
    }
  }
  if (voters.length === 0) return 'nobody votes';
  const ignorant = nodes.find(
    (node) => node.id !== null && configurations.isGone(node.id) && !saysRemoved(node),
  );
  return ignorant === undefined ? null : `${ignorant.name} does not know that it was removed`;
}

/** What was taken out again before it was born has never been a member in its own eyes. */
function saysRemoved(node: SimNode): boolean {
  const member = node.life?.member ?? null;
  return member === null || member.status().standing === 'removed';
}
