/** What strikes in the moment in which two sets of voters decide together. */
import { isUp } from '../node.ts';
import { between, pick } from '../random.ts';
import type { World } from '../world.ts';
import { between2 } from './links.ts';

/** So long a change that was asked for may take to begin. */
const beginsMsMax = 2000;
/** Looked at so often: it is over in a few milliseconds. */
const lookMs = 0.4;

/**
 * The leader is lost to the others as soon as one of them has the entry with which a joint phase begins:
 * they have to elect another one by both majorities.
 */
export function loseLeaderInJoint(world: World): void {
  const { clock, random } = world;
  const untilMs = clock.monotonic() + beginsMsMax;
  const look = (): void => {
    if (clock.monotonic() > untilMs || world.isHealing) return;
    if (isJointElsewhere(world)) clock.after(between(random, 0, 1), () => lose(world));
    else clock.after(lookMs, look);
  };
  look();
}

function isJointElsewhere({ observer, nodes }: World): boolean {
  return nodes.some(({ id }) => {
    if (id === null || observer.status(id)?.role !== 'follower') return false;
    const newest = observer.mirror(id).configurations.at(-1)?.configuration;
    return newest !== undefined && newest.votersOutgoing.length > 0;
  });
}

function lose(world: World): void {
  const { network, random, clock } = world;
  const leader = world.leader();
  if (leader === null || !isUp(leader)) return;
  world.hit('crashInChange');
  if (random() < 0.3) {
    world.crash(leader, pick(random, ['kill', 'power']));
    world.restartLater(leader, between(random, 300, 1200));
    return;
  }
  const others = world.nodes.filter((node) => node !== leader).map(({ name }) => name);
  const mends = between2([leader.name], others).map(([from, to]) => network.cut(from, to));
  clock.after(between(random, 500, 1500), () => {
    for (const mend of mends) mend();
  });
}
