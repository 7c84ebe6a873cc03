/**
 * Disks that do not give back what was written: rot, records and files that cannot be read, are cut or
 * gone, older copies in the place of newer ones. Some of it strikes under a running member, and some
 * can only be while nobody has the files open: then the node crashes first. Half of the worlds have none.
 */
import { type Random, randomBelow } from '../../../src/base/prng.ts';
import type { SimulatedLevelStore } from '../level.ts';
import { isUp, type SimNode } from '../node.ts';
import { between, chance, pick, sample } from '../random.ts';
import type { World } from '../world.ts';
import { type Fault, type FaultFamily, nothing, type Struck } from './fault.ts';

export const damageFaults: FaultFamily = (random) => {
  if (chance(random, 0.5)) return [];
  const kinds: readonly Fault[] = [
    onDisk('rotRecord', 2, rotRecord),
    onDisk('unreadableRecords', 1, garbleRecords),
    atCrash('forgottenBatches', 2, forgetBatches),
    atCrash('lostState', 1, loseState),
    olderState(),
  ];
  return kinds.filter(() => chance(random, 0.5));
};

/** Returns what was done, or null when there was nothing to do it to. */
type Inflict = (world: World, node: SimNode) => string | null;

/** Under a member that runs, or on the disk of one that does not. */
function onDisk(name: string, weight: number, inflict: Inflict): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const node = victim(world);
      return node === null ? null : struck(node, inflict(world, node));
    },
  };
}

function atCrash(name: string, weight: number, inflict: Inflict): Fault {
  return {
    name,
    weight,
    strike: (world) => {
      const node = victim(world);
      return node === null ? null : crashAnd(world, node, inflict);
    },
  };
}

/** A state is copied, and some time later that copy is put in its place. */
function olderState(): Fault {
  return {
    name: 'olderState',
    weight: 1,
    strike: (world) => {
      const node = victim(world);
      const path = node === null ? null : statePath(world.random, node);
      const copy = path === null ? null : (node?.files.copy(path) ?? null);
      if (node === null || path === null || copy === null) return null;
      const { id } = node;
      world.clock.after(between(world.random, 50, 2500), () => {
        // A disk that was lost meanwhile is another member's now.
        if (world.isHealing || node.id !== id || !world.damages.mayHurt(node)) return;
        // The state is another one by now.
        if (node.files.database(path) === null) return;
        crashAnd(world, node, () => {
          node.files.putBack(path, copy);
          world.damages.inflict(node, { part: 'state', isThere: null });
          return path;
        });
      });
      return { text: `${node.name}, a copy of ${path}`, lastsMs: 0, end: nothing };
    },
  };
}

function crashAnd(world: World, node: SimNode, inflict: Inflict): Struck | null {
  if (isUp(node)) {
    world.crash(node, pick(world.random, ['kill', 'power']));
    world.restartLater(node, between(world.random, 1, 300));
  }
  return struck(node, inflict(world, node));
}

function struck(node: SimNode, text: string | null): Struck | null {
  return text === null ? null : { text: `${node.name}, ${text}`, lastsMs: 0, end: nothing };
}

function victim(world: World): SimNode | null {
  const nodes = world.nodes.filter((node) => world.damages.mayHurt(node));
  return sample(world.random, nodes, 1)[0] ?? null;
}

function rotRecord(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  const key = store === null ? null : pickKey(random, store);
  const bytes = key === null ? null : (store?.peek(key) ?? null);
  if (path === null || store === null || key === null || bytes === null) return null;
  if (bytes.length === 0) return null;
  const wrong = rotten(random, bytes);
  store.corrupt(key, wrong);
  const isThere = (): boolean => sameBytes(storeAt(node, path)?.peek(key) ?? null, wrong);
  world.damages.inflict(node, { part: 'state', isThere });
  return `${path} ${JSON.stringify(key)}`;
}

/** A block of a table, which holds neighbours. */
function garbleRecords(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  if (path === null || store === null) return null;
  const keys = [...store.keys].sort();
  if (keys.length === 0) return null;
  const from = randomBelow(random, keys.length);
  const block = keys.slice(from, from + pick(random, [1, 4, 20]));
  for (const key of block) store.garble(key);
  const isThere = (): boolean => block.some((key) => storeAt(node, path)?.isUnreadable(key));
  world.damages.inflict(node, { part: 'state', isThere });
  return `${block.length} records of ${path}`;
}

/** The database's own log has a hole, or has lost its end. */
function forgetBatches(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  if (path === null || store === null || store.journaled === 0) return null;
  const first = randomBelow(random, store.journaled);
  const count = chance(random, 0.5) ? 1 : store.journaled - first;
  store.forget(first, count);
  world.damages.inflict(node, { part: 'state', isThere: null });
  return `${count} batches of ${path}`;
}

function loseState(world: World, node: SimNode): string | null {
  const { random } = world;
  const path = statePath(random, node);
  const store = storeAt(node, path);
  if (path === null || store === null) return null;
  const how = pick(random, ['an unreadable database', 'no directory', 'an empty directory']);
  if (how === 'no directory') node.files.lose(path);
  else if (how === 'an empty directory') store.clear();
  else store.lose();
  world.damages.inflict(node, { part: 'state', isThere: null });
  return `${path}: ${how}`;
}

/** The newest, or any. */
function statePath(random: Random, node: SimNode): string | null {
  const names = node.files.names('state');
  if (names.length === 0) return null;
  return `state/${chance(random, 0.8) ? names.at(-1) : pick(random, names)}`;
}

function storeAt(node: SimNode, path: string | null): SimulatedLevelStore | null {
  return path === null ? null : node.files.database(path);
}

/** Those of the storage itself stand behind all others, and are few. */
function pickKey(random: Random, store: SimulatedLevelStore): string | null {
  const { keys } = store;
  if (keys.length === 0) return null;
  const own = keys.filter((key) => key.charCodeAt(0) === 0xff);
  return pick(random, own.length > 0 && chance(random, 0.1) ? own : keys);
}

/** A bit that flipped, a page of zeros, or an end that is gone. */
function rotten(random: Random, bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  switch (randomBelow(random, 4)) {
    case 0:
      return wrong.fill(0);
    case 1:
      return wrong.subarray(0, randomBelow(random, wrong.length));
    default: {
      const at = randomBelow(random, wrong.length);
      wrong[at] = (wrong[at] as number) ^ (1 << randomBelow(random, 8));
      return wrong;
    }
  }
}

function sameBytes(left: Uint8Array | null, right: Uint8Array): boolean {
  return left !== null && Buffer.compare(left, right) === 0;
}
