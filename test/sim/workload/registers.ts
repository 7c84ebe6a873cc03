/** Registers under a few keys: put, get, delete and compare-and-set, each write of a value of its own. */
import { type ErrorCode, RollcallError } from '../../../src/base/errors.ts';
import { randomBelow } from '../../../src/base/prng.ts';
import { compare, operation } from '../../../src/client/txn.ts';
import { type Answer, equalPairs, type Moment, type Pair, show } from '../checks/history.ts';
import { chance, exponential } from '../random.ts';
import { pairOrNull, type Session } from './session.ts';

const readEveryMs = 30;
/** Writes that a client sends without waiting for each other. */
const atOnceMax = 12;
/** As many as begin while a leader that is cut off waits for its step down. */
const readsOpenMax = 40;

export async function useRegisters(session: Session): Promise<void> {
  const { random, world } = session;
  /** What this client last saw, for comparisons that may well hold. */
  const seen = new Map<string, Pair | null>();
  while (!session.isStopped) {
    const key = `r/${randomBelow(random, world.swarm.keys)}`;
    switch (randomBelow(random, 8)) {
      case 0:
        await put(session, key);
        break;
      case 1:
        await putAtOnce(session);
        break;
      case 2:
      case 3:
        seen.set(key, await get(session, key, false));
        break;
      case 4:
        await get(session, key, true);
        break;
      case 5:
        if (chance(random, 0.3)) await remove(session, key);
        break;
      default:
        await compareAndSet(session, key, seen.get(key) ?? null);
    }
    await session.think();
  }
}

/**
 * Only reads, and none waits for those before. A leader that has lost its majority holds up whoever has a
 * request open, and does wrong to nobody by that; it takes a read that begins after another one leads to
 * notice that it answers from an old state. With `onlyLeaders` none is asked of a node that does not
 * believe to lead.
 */
export async function readRegisters(session: Session, onlyLeaders: boolean): Promise<void> {
  const { random, world, client } = session;
  const open = new Set<Promise<unknown>>();
  while (!session.isStopped) {
    const mayAsk = !onlyLeaders || client.endpoints.some(({ leads }) => leads);
    if (mayAsk && open.size < readsOpenMax) {
      const read = get(session, `r/${randomBelow(random, world.swarm.keys)}`, false);
      open.add(read);
      void read.then(() => open.delete(read));
    }
    await world.sleep(exponential(random, readEveryMs));
  }
  await Promise.all(open);
}

/** Null when it was acknowledged. */
export async function put(session: Session, key: string): Promise<ErrorCode | null> {
  const mark = session.mark();
  const previous = chance(session.random, 0.5);
  const answer = await session.perform({ text: `put ${key} ${mark}`, marks: [mark] }, async () => {
    const result = await session.client.put(key, mark, { previous });
    return {
      revision: result.revision,
      changed: true,
      verify: (moment) =>
        differs('it answers with before', pairOrNull(result.previous), {
          is: previous ? moment.before(key) : null,
        }) ?? changesOnly(moment, new Map([[key, mark]])),
    };
  });
  return answer instanceof RollcallError ? answer.code : null;
}

/** Some at the same time: they may share an entry, or leave a deposed leader with many of its own. */
async function putAtOnce(session: Session): Promise<void> {
  const { random, world } = session;
  const count = chance(random, 0.5) ? 1 : 1 + randomBelow(random, atOnceMax);
  const keys = Array.from({ length: count }, () => `r/${randomBelow(random, world.swarm.keys)}`);
  await Promise.all(keys.map((key) => put(session, key)));
}

/** Puts a key of every range that somebody may watch, at one revision. Null when it failed. */
export async function putEverywhere(session: Session): Promise<number | null> {
  const mark = session.mark();
  const keys = ['r/end', 't/end', 'l/end'];
  const answer = await session.perform({ text: `end ${mark}`, marks: [mark] }, async () => {
    const success = keys.map((key) => operation.put(key, mark));
    const { revision } = await session.client.txn({ success });
    const expected = new Map(keys.map((key) => [key, mark]));
    return { revision, changed: true, verify: (moment) => changesOnly(moment, expected) };
  });
  return 'verify' in answer ? answer.revision : null;
}

async function get(session: Session, key: string, serializable: boolean): Promise<Pair | null> {
  let found: Pair | null = null;
  await session.perform(
    { text: `get ${key}${serializable ? ' serializable' : ''}`, serializable },
    async () => {
      const result = await session.client.range(key, { serializable });
      found = pairOrNull(result.pairs[0]);
      return reading(result.revision, (moment) =>
        differs('it read', found, { is: moment.after(key) }),
      );
    },
  );
  return found;
}

async function remove(session: Session, key: string): Promise<void> {
  await session.perform({ text: `delete ${key}`, deletes: [key] }, async () => {
    const { revision, deleted, previous } = await session.client.delete(key, { previous: true });
    const verify = (moment: Moment): string | null => {
      const before = deleted > 0 ? moment.before(key) : moment.after(key);
      return (
        differs('it deleted', pairOrNull(previous[0]), { is: before }) ??
        (deleted > 0 ? changesOnly(moment, new Map([[key, null]])) : null)
      );
    };
    return { revision, changed: deleted > 0, verify };
  });
}

/** Sets the key only if it still is what was seen. */
async function compareAndSet(session: Session, key: string, expected: Pair | null): Promise<void> {
  const mark = session.mark();
  const text = `cas ${key} ${expected?.value ?? 'nothing'} → ${mark}`;
  await session.perform({ text, marks: [mark] }, async () => {
    const condition =
      expected === null
        ? compare.version(key, 'equal', 0)
        : chance(session.random, 0.5)
          ? compare.modRevision(key, 'equal', expected.modRevision)
          : compare.value(key, 'equal', expected.value);
    const { revision, succeeded, results } = await session.client.txn({
      compare: [condition],
      success: [operation.put(key, mark)],
      failure: [operation.range(key)],
    });
    session.world.hit(succeeded ? 'compareSucceeded' : 'compareFailed');
    if (succeeded) {
      return {
        revision,
        changed: true,
        verify: (moment) =>
          differs('it compared with', expected, { is: moment.before(key) }) ??
          changesOnly(moment, new Map([[key, mark]])),
      };
    }
    const [read] = results;
    const found = read?.type === 'range' ? pairOrNull(read.pairs[0]) : null;
    return reading(revision, (moment) => {
      if (equalPairs(moment.after(key), expected)) return 'it failed, though its condition held';
      return differs('it read', found, { is: moment.after(key) });
    });
  });
}

export function reading(revision: number, verify: (moment: Moment) => string | null): Answer {
  return { revision, changed: false, verify };
}

export function differs(what: string, told: Pair | null, { is }: { readonly is: Pair | null }) {
  return equalPairs(told, is) ? null : `${what} ${show(told)}, which was ${show(is)}`;
}

/** The revision put these values, or deleted where they are null, and nothing else. */
export function changesOnly(
  moment: Moment,
  expected: ReadonlyMap<string, string | null>,
): string | null {
  for (const [key, { after }] of moment.changes) {
    if (!expected.has(key)) return `the revision changed ${key} as well`;
    if ((after?.value ?? null) !== expected.get(key))
      return `the revision made ${key} ${show(after)}`;
  }
  for (const key of expected.keys()) {
    if (!moment.changes.has(key)) return `the revision did not change ${key}`;
  }
  return null;
}
