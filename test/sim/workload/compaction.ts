/**
 * The history is compacted once all of it is known, while leaders crash: what is left of it has to be as
 * it was, on every node, and the rest gone.
 */
import { RollcallError } from '../../../src/base/errors.ts';
import { randomBelow } from '../../../src/base/prng.ts';
import { equalPairs, type Pair, type Revision, show } from '../checks/history.ts';
import { between, chance, pick } from '../random.ts';
import type { World } from '../world.ts';
import { pairOf, type Session } from './session.ts';

const compactMsMax = 10_000;

/** Compacts up to `floor`, however often that has to be asked for. False: the cluster is too old for it. */
export async function compact(session: Session, floor: number): Promise<boolean> {
  const { world, client, random } = session;
  if (chance(random, 0.6)) crashLeaderSoon(world, session);
  const endMs = world.clock.monotonic() + compactMsMax;
  for (;;) {
    try {
      await client.compact(floor, { physical: chance(random, 0.5) });
      world.hit('compacted');
      return true;
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
      world.trace.say(session.name, () => `compact ${floor}: ${error.code}`);
      if (error.code === 'featureLevelTooLow') return false;
      // One that was in doubt has worked.
      if (error.code === 'compacted') return true;
      if (world.clock.monotonic() >= endMs) {
        world.violate(`No compaction in ${compactMsMax} ms: ${error.code} ${error.message}`);
        return false;
      }
    }
    await world.sleep(50);
  }
}

/** At any revision of the history, the newest one too. */
export function pickFloor(session: Session, last: number): number {
  return pick(session.random, [last, 1 + randomBelow(session.random, last)]);
}

/** What the node of this session still tells of the history is what it was. Null, or what is wrong. */
export async function readBack(
  session: Session,
  history: readonly Revision[],
  floor: number,
): Promise<string | null> {
  const last = history.at(-1)?.revision ?? 0;
  const revisions = [floor, floor + randomBelow(session.random, last - floor + 1)];
  for (const revision of revisions) {
    const found = await pairsAt(session, revision);
    if (!(found instanceof Map)) return `${session.name} cannot read at ${revision}: ${found}`;
    const wrong = difference(stateAt(history, revision), found);
    if (wrong !== null)
      return `${session.name} read at ${revision}, compacted to ${floor}: ${wrong}`;
  }
  if (floor === 1) return null;
  const gone = await pairsAt(session, floor - 1);
  if (gone === 'compacted') return null;
  return `${session.name} was not told that ${floor - 1} is compacted, but ${String(gone)}`;
}

function crashLeaderSoon({ clock }: World, { world, random }: Session): void {
  clock.after(between(random, 0, 15), () => {
    const leader = world.leader();
    if (leader === null) return;
    world.crash(leader, pick(random, ['kill', 'power']));
    world.restartLater(leader, 50);
  });
}

/** All keys, or the code of the refusal. */
async function pairsAt(
  { client }: Session,
  revision: number,
): Promise<ReadonlyMap<string, Pair> | string> {
  try {
    const { pairs } = await client.range({ prefix: '' }, { revision, serializable: true });
    return new Map(pairs.map((pair) => [pair.keyText, pairOf(pair)]));
  } catch (error) {
    if (error instanceof RollcallError) return error.code;
    throw error;
  }
}

function stateAt(history: readonly Revision[], through: number): ReadonlyMap<string, Pair> {
  const state = new Map<string, Pair>();
  for (const { revision, changes } of history) {
    if (revision > through) break;
    for (const { key, after } of changes) {
      if (after === null) state.delete(key);
      else state.set(key, after);
    }
  }
  return state;
}

function difference(
  expected: ReadonlyMap<string, Pair>,
  found: ReadonlyMap<string, Pair>,
): string | null {
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const [is, told] = [expected.get(key) ?? null, found.get(key) ?? null];
    if (!equalPairs(is, told)) return `${key} was ${show(is)}, it says ${show(told)}`;
  }
  return null;
}
