/**
 * Changes of who belongs to the cluster: one at a time and several at once, of followers and leaders,
 * down to one voter and up to seven, with crashes in their midst.
 */
import { RollcallError } from '../../../src/base/errors.ts';
import type { Configuration, Member, NodeId } from '../../../src/raft/types.ts';
import { isUp, type SimNode } from '../node.ts';
import type { Wish } from '../operator.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { leadBack } from './comeback.ts';
import { draw, type Fault, type FaultFamily, nothing, type Struck } from './fault.ts';
import { loseLeaderInJoint } from './joint.ts';

/** So many seeds have changes at all. */
const share = 0.4;
const membersMax = 7;
const machinesMax = 9;
/** So long an operator goes on asking. */
const patienceMs = 4000;
const askAgainMs = 60;
/** For so long leadership is asked back for one that was deposed. */
const leadsAgainMsMax = 1500;
/** By then a node that is asked has answered, or will not. */
const answerMsMax = 8000;

export const membershipFaults: FaultFamily = (random, { swarm }) => {
  if (!chance(random, share)) return [];
  const kinds: readonly Fault[] = [
    fault('addMember', 3, add),
    // Some clusters dwindle to one voter, who stays.
    fault('removeMember', pick(random, [3, 3, 3, 15]), remove),
    fault('removeLeader', 1, removeLeader),
    fault('replaceMember', 2, replace),
    fault('changeAtRandom', 2, askNonsense),
    { name: 'strandedChange', weight: swarm.isCalm ? 16 : 2, strike: strand },
    { name: 'changeAtHandOver', weight: 1, strike: askAtHandOver },
    { name: 'changeAddress', weight: 2, strike: readdress },
  ];
  return draw(random, kinds);
};

/** What an operator does until it is done, or nobody waits for that any more. */
type Procedure = (attempt: Attempt) => Promise<void>;

interface Attempt {
  readonly world: World;
  isOver: boolean;
}

interface Plan {
  readonly text: string;
  readonly procedure: Procedure;
}

function fault(name: string, weight: number, plan: (world: World) => Plan | null): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const plans = [
        plan(world),
        ...(chance(world.random, 0.3) ? [plan(world), remove(world)] : []),
      ];
      const found = plans.filter((one) => one !== null);
      if (found.length === 0) return null;
      const attempt: Attempt = { world, isOver: false };
      for (const { procedure } of found) {
        procedure(attempt).catch((error: unknown) => world.violate(String(error)));
      }
      if (chance(world.random, 0.35)) crashSoon(world);
      else if (chance(world.random, 0.5)) loseLeaderInJoint(world);
      const end = (): void => {
        attempt.isOver = true;
      };
      return { text: found.map(({ text }) => text).join(', '), lastsMs: patienceMs, end };
    },
  };
}

/** The leader dies while the change is on its way. */
function crashSoon(world: World): void {
  const { random, clock } = world;
  clock.after(between(random, 0, pick(random, [5, 50, 400])), () => {
    const leader = world.leader();
    if (leader === null || !isUp(leader)) return;
    if (world.observer.inForce.length > 1) world.hit('crashInChange');
    world.crash(leader, pick(random, ['kill', 'power']));
    world.restartLater(leader, between(random, 1, 600));
  });
}

function add(world: World): Plan | null {
  const node = candidate(world);
  if (node === null) return null;
  const autoPromote = chance(world.random, 0.7);
  const { name } = node;
  return {
    text: `${name} is added`,
    procedure: async (attempt) => {
      world.boot(node);
      const wish = {
        ...{ text: `add ${name}`, comes: name, goes: null },
        ask: (cluster: Cluster) => cluster.add(name, { autoPromote }),
        isGranted: has((member) => member.name === name),
      };
      const error = await persist(attempt, () => attempt.world.operator.wish(wish));
      if (error === null && !autoPromote) await promote(attempt, name);
    },
  };
}

/** Until it has caught up; sometimes it stays a learner. */
async function promote(attempt: Attempt, name: string): Promise<void> {
  const wish = {
    ...{ text: `promote ${name}`, comes: null, goes: null },
    ask: (cluster: Cluster) => cluster.promote(name),
    isGranted: has((member, { voters }) => member.name === name && voters.includes(member.id)),
  };
  await persist(attempt, () => attempt.world.operator.wish(wish));
}

function replace(world: World): Plan | null {
  const old = pickMember(world);
  const node = candidate(world);
  if (old === null || node === null) return null;
  const { name } = node;
  return {
    text: `${name} replaces ${old.name}`,
    procedure: async (attempt) => {
      world.boot(node);
      const wish = {
        ...{ text: `replace ${old.name} by ${name}`, comes: name, goes: old.id },
        ask: (cluster: Cluster) => cluster.replace(old.id, name),
        isGranted: has((member) => member.name === name),
      };
      await persist(attempt, () => attempt.world.operator.wish(wish));
    },
  };
}

function remove(world: World): Plan | null {
  return removed(world, pickMember(world));
}

function removeLeader(world: World): Plan | null {
  const id = world.leader()?.id;
  const { members } = world.observer.configuration;
  return removed(world, members.find((member) => member.id === id) ?? null);
}

function removed(world: World, member: Member | null): Plan | null {
  if (member === null) return null;
  if (!isSurvived(world, member.id)) return null;
  const wish = removalOf(member);
  return {
    text: `${member.name} is removed`,
    procedure: async () => {
      await world.operator.wish(wish);
    },
  };
}

/** Whether enough would be left without it and the silent ones that only people know to be gone for good. */
function isSurvived(world: World, id: NodeId): boolean {
  const takeBack = world.survival.leaves(id);
  const isSurvivor = world.survival.without();
  takeBack();
  return isSurvivor;
}

function removalOf({ id, name }: Member): Wish {
  return {
    ...{ text: `remove ${name} ${id}`, comes: null, goes: id },
    ask: (cluster) => cluster.remove(id),
    isGranted: ({ members }) => members.every((one) => one.id !== id),
  };
}

/**
 * A leader that nobody hears is asked: another one will take its place, and overwrite the change. Then
 * it may lead again, without that change.
 */
function strand(world: World): Struck | null {
  const { network, random, nodes, clock } = world;
  const leader = world.leader();
  const wish = leader === null ? null : wishAt(world, leader);
  if (leader === null || wish === null) return null;
  const others = nodes.filter((node) => node !== leader).map(({ name }) => name);
  const mends = others.flatMap((name) => [
    network.cut(leader.name, name),
    network.cut(name, leader.name),
  ]);
  void world.operator.wish(wish);
  const end = (): void => {
    for (const mend of mends) mend();
    if (chance(random, 0.5)) clock.after(leadsAgainMsMax, leadBack(world, leader, nothing));
  };
  return { text: `${wish.text} at ${leader.name}`, lastsMs: between(random, 700, 1500), end };
}

/** In the very moment in which leadership goes elsewhere. */
function askAtHandOver(world: World): Struck | null {
  const leader = world.leader();
  const wish = leader === null ? null : wishAt(world, leader);
  if (leader === null || wish === null) return null;
  leader.life?.member?.submit({ type: 'transferLeadership', to: null }, () => {});
  void world.operator.wish(wish);
  return { text: `${wish.text} at ${leader.name}`, lastsMs: 0, end: nothing };
}

/** Asks this node and no other, past the client. */
function wishAt(world: World, node: SimNode): Wish | null {
  const wanted = pickMember(world);
  const member = node.life?.member ?? null;
  if (wanted === null || member === null || !isSurvived(world, wanted.id)) return null;
  return {
    ...removalOf(wanted),
    ask: () =>
      new Promise<void>((resolve, reject) => {
        member.submit({ type: 'memberRemove', member: wanted.id }, (outcome) => {
          if (outcome instanceof RollcallError) reject(outcome);
          else resolve();
        });
        // What a process that has ended was asked is in doubt.
        const inDoubt = new RollcallError('connectionLost', 'Its process has ended');
        world.clock.after(answerMsMax, () => reject(inDoubt));
      }),
  };
}

/** What is mostly refused. */
function askNonsense(world: World): Plan | null {
  const member = pickMember(world);
  if (member === null) return null;
  const { name } = chance(world.random, 0.3) ? { name: 'nobody' } : member;
  const isPromotion = chance(world.random, 0.5);
  const wish = {
    ...{ text: `${isPromotion ? 'promote' : 'add'} ${name}`, comes: null, goes: null },
    ask: (cluster: Cluster) => (isPromotion ? cluster.promote(name) : cluster.add(name)),
    isGranted: has((one) => one.name === name),
  };
  return {
    text: wish.text,
    procedure: async () => {
      await world.operator.wish(wish);
    },
  };
}

/** The machine moves. One at a time, and while all know where the others are: else nobody finds anybody. */
function readdress(world: World): Struck | null {
  const node = world.machineOf(pickMember(world)?.id ?? '');
  if (node === null || !world.nodes.every((one) => knowsAll(world, one))) return null;
  world.crash(node, 'kill');
  const port = 4700 + (world.clock.events % 1000);
  node.peerAddress = `${node.name}:${port}`;
  node.address = `${node.name}:${port + 1000}`;
  const { name, peerAddress } = node;
  world.restartLater(node, between(world.random, 1, 400));
  void world
    .until(
      () => world.observer.configuration.members.some((one) => one.peerAddress === peerAddress),
      patienceMs,
    )
    .then((isDone) => {
      if (isDone) world.hit('addressChanged');
    });
  return { text: `${name} to ${peerAddress}`, lastsMs: 0, end: nothing };
}

type Cluster = Parameters<Wish['ask']>[0];

/** Whether the machine is at its known address and knows all others, or needs none of them any more. */
function knowsAll({ observer }: World, { id, peerAddress }: SimNode): boolean {
  const { newest } = observer.configurations;
  if (id === null) return true;
  const status = observer.status(id);
  const member = newest.configuration.members.find((one) => one.id === id);
  if (member === undefined) {
    return !observer.configurations.isGone(id) || status?.standing === 'removed';
  }
  return member.peerAddress === peerAddress && (status?.appliedIndex ?? 0) >= newest.index;
}

/** Asks again as long as that may help. Null once it was granted. */
async function persist(
  attempt: Attempt,
  wish: () => Promise<RollcallError | null>,
): Promise<RollcallError | null> {
  for (;;) {
    const error = await wish();
    if (error === null || attempt.isOver) return error;
    if (!['memberNotFound', 'membershipRefused', 'noLeader'].includes(error.code)) return error;
    await attempt.world.sleep(between(attempt.world.random, 1, 2 * askAgainMs));
    if (attempt.isOver) return error;
  }
}

/** A machine that is nobody: a new one, or one whose member was removed. */
function candidate(world: World): SimNode | null {
  const { observer, nodes, random } = world;
  if (observer.configuration.members.length >= membersMax) return null;
  const retired = nodes.filter(({ id }) => id !== null && observer.configurations.isGone(id));
  const used = sample(random, retired, 1)[0];
  if (used !== undefined && chance(random, 0.5)) {
    world.hit('removedDiskReused');
    world.loseDisk(used);
    return used;
  }
  return nodes.length < machinesMax ? world.addMachine() : null;
}

function pickMember(world: World): Member | null {
  const { members } = world.observer.configuration;
  return sample(world.random, members, 1)[0] ?? null;
}

function has(
  holds: (member: Member, configuration: Configuration) => boolean,
): (configuration: Configuration) => boolean {
  return (configuration) => configuration.members.some((member) => holds(member, configuration));
}
