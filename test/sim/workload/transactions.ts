/** Transactions over several keys, and ranges that must see all of one or nothing. */
import { randomBelow } from '../../../src/base/prng.ts';
import { compare, operation } from '../../../src/client/txn.ts';
import { equalPairs, type Moment, type Pair } from '../checks/history.ts';
import { sample } from '../random.ts';
import { changesOnly, reading } from './registers.ts';
import { pairOf, type Session } from './session.ts';

const noLeaseId = '00000000deadbeef';
const keys = ['t/0', 't/1', 't/2', 't/3'];

export async function useTransactions(session: Session): Promise<void> {
  const { random } = session;
  while (!session.isStopped) {
    switch (randomBelow(random, 9)) {
      case 0:
      case 1:
        await readAll(session);
        break;
      case 2:
      case 3:
        await readSome(session);
        break;
      case 4:
        await failHalfWay(session);
        break;
      default:
        await writeTogether(session);
    }
    await session.think();
  }
}

/** Puts one value under up to three keys and deletes another, unless that one or the first is new. */
async function writeTogether(session: Session): Promise<void> {
  const [gone, ...put] = sample(session.random, keys, 2 + randomBelow(session.random, 3));
  if (gone === undefined) return;
  const compared = [gone, ...put.slice(0, 1)];
  const mark = session.mark();
  const bound = session.client.revision - 20;
  const text = `txn ${put.join(' ')} ${mark}, without ${gone}`;
  await session.perform({ text, marks: [mark], deletes: [gone] }, async () => {
    const { revision, succeeded, results } = await session.client.txn({
      compare: compared.map((key) => compare.modRevision(key, 'less', Math.max(bound, 1))),
      success: [
        operation.delete(gone),
        ...put.map((key) => operation.put(key, mark)),
        operation.range({ prefix: 't/' }),
      ],
      failure: [operation.range({ prefix: 't/' })],
    });
    const read = results.at(-1);
    const pairs = read?.type === 'range' ? read.pairs : [];
    const told = pairs.map((pair) => ({ key: pair.keyText, pair: pairOf(pair) }));
    const holds = (pair: Pair | null): boolean => (pair?.modRevision ?? 0) < Math.max(bound, 1);
    const verify = (moment: Moment): string | null => {
      const before = succeeded ? moment.before : moment.after;
      if (compared.every((key) => holds(before(key))) !== succeeded)
        return `its condition ${succeeded ? 'did not hold' : 'held'}`;
      if (!succeeded) return rangeDiffers(told, moment);
      const expected = new Map<string, string | null>(put.map((key) => [key, mark]));
      if (moment.before(gone) !== null) expected.set(gone, null);
      return changesOnly(moment, expected) ?? rangeDiffers(told, moment);
    };
    const changed = succeeded && (put.length > 0 || results.some(deletes));
    return { revision, changed, verify };
  });
}

/** Its last operation is refused, and so nothing of it may be seen. */
async function failHalfWay(session: Session): Promise<void> {
  const [gone, first, last] = sample(session.random, keys, 3);
  if (gone === undefined || first === undefined || last === undefined) return;
  const mark = session.mark();
  const text = `txn ${first} ${last} ${mark} with no lease, without ${gone}`;
  await session.perform({ text, marks: [mark], deletes: [gone] }, async () => {
    const { revision } = await session.client.txn({
      success: [
        operation.delete(gone),
        operation.put(first, mark),
        operation.put(last, mark, { leaseId: noLeaseId }),
      ],
    });
    return reading(revision, () => 'it succeeded without a lease');
  });
}

function deletes(result: { readonly type: string }): boolean {
  return result.type === 'delete' && 'deleted' in result && result.deleted !== 0;
}

async function readAll(session: Session): Promise<void> {
  await session.perform({ text: 'range t/' }, async () => {
    const result = await session.client.range({ prefix: 't/' });
    const told = result.pairs.map((pair) => ({ key: pair.keyText, pair: pairOf(pair) }));
    return reading(result.revision, (moment) => rangeDiffers(told, moment));
  });
}

/** A page, and the count of all. */
async function readSome(session: Session): Promise<void> {
  await session.perform({ text: 'range t/ limit 2' }, async () => {
    const { revision, pairs, count, more } = await session.client.range(
      { prefix: 't/' },
      { limit: 2 },
    );
    const told = pairs.map((pair) => pair.keyText);
    return reading(revision, (moment) => {
      const all = moment.keys('t/');
      const isRight =
        count === all.length && more === all.length > 2 && told.join() === all.slice(0, 2).join();
      return isRight ? null : `it read ${told.join()} of ${count}, more ${more}; of ${all.join()}`;
    });
  });
}

function rangeDiffers(
  told: readonly { readonly key: string; readonly pair: Pair }[],
  moment: Moment,
): string | null {
  const expected = moment.keys('t/');
  if (told.map(({ key }) => key).join() !== expected.join()) {
    return `it read ${told.map(({ key }) => key).join()} instead of ${expected.join()}`;
  }
  const wrong = told.find(({ key, pair }) => !equalPairs(pair, moment.after(key)));
  return wrong === undefined ? null : `it read ${wrong.pair.value} under ${wrong.key}`;
}
