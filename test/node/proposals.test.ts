import { expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { Proposals } from '../../src/node/proposals.ts';
import type { Reply } from '../../src/node/types.ts';
import type { LoggedCommand, Outcome } from '../../src/state-machine/types.ts';

const limits = {
  entryCommandsMax: 2,
  entryBytesMax: 1000,
  openCommandsMax: 4,
  openBytesMax: 5000,
  timeoutMs: 100,
};

const command = (leaseId: string): LoggedCommand => ({
  session: null,
  command: { type: 'leaseRevoke', leaseId },
});
const done = (revision: number): Outcome => ({
  ok: true,
  revision,
  result: { type: 'leaseRevoke' },
});

/** Collects what each write was told, in order. */
class Answers {
  readonly texts: string[] = [];

  reply(name: string): Reply {
    return (outcome) => {
      const text =
        outcome instanceof RollcallError
          ? `${outcome.code} ${outcome.definite ? 'definite' : 'in doubt'}`
          : `revision ${outcome.revision}`;
      this.texts.push(`${name}: ${text}`);
    };
  }
}

function setUp() {
  const proposals = new Proposals(limits);
  const answers = new Answers();
  const add = (name: string, bytes = 10) =>
    proposals.add(command(name), bytes, answers.reply(name), 0)?.code ?? 'taken';
  return { proposals, answers, add };
}

test('what gathers becomes entries of a bounded size, each answered from its own outcomes', () => {
  const { proposals, answers, add } = setUp();
  for (const name of ['a', 'b', 'c']) expect(add(name)).toBe('taken');
  expect(proposals.take(1, 0)).toEqual([command('a'), command('b')]);
  expect(proposals.take(2, 0)).toEqual([command('c')]);
  proposals.accepted({ id: 1, entry: { term: 3, index: 7 } });
  proposals.accepted({ id: 2, entry: { term: 3, index: 8 } });
  expect(proposals.inFlight).toBe(2);
  proposals.applied({ term: 3, index: 7 }, [done(5), done(6)]);
  proposals.applied({ term: 3, index: 8 }, [done(7)]);
  expect(answers.texts).toEqual(['a: revision 5', 'b: revision 6', 'c: revision 7']);
  expect(proposals.inFlight).toBe(0);
});

test('an entry is bounded by bytes too, but one command always fits', () => {
  const { proposals, add } = setUp();
  add('a', 2000);
  add('b', 10);
  expect(proposals.take(1, 0)).toEqual([command('a')]);
  expect(proposals.take(2, 0)).toEqual([command('b')]);
});

test('too many open writes, or too many bytes, are refused, and room comes back with the answers', () => {
  const { proposals, add } = setUp();
  for (const name of ['a', 'b', 'c', 'd']) expect(add(name)).toBe('taken');
  expect(add('e')).toBe('tooManyRequests');
  proposals.refuseGathered(new RollcallError('noLeader', 'Nobody leads'));
  expect(add('big', 5000)).toBe('taken');
  expect(add('small', 1)).toBe('tooManyRequests');
});

test('a write whose place in the log another entry took surely did not happen', () => {
  const { proposals, answers, add } = setUp();
  add('a');
  proposals.take(1, 0);
  proposals.accepted({ id: 1, entry: { term: 3, index: 7 } });
  proposals.applied({ term: 4, index: 7 }, []);
  expect(answers.texts).toEqual(['a: leadershipLost definite']);
});

test('what this node itself overwrites is in doubt: others may hold it still and commit it', () => {
  const { proposals, answers, add } = setUp();
  add('a');
  add('b');
  add('c');
  proposals.take(1, 0);
  proposals.accepted({ id: 1, entry: { term: 3, index: 7 } });
  proposals.take(2, 0);
  proposals.accepted({ id: 2, entry: { term: 5, index: 7 } });
  expect(answers.texts).toEqual(['a: leadershipLost in doubt', 'b: leadershipLost in doubt']);
  proposals.applied({ term: 5, index: 7 }, [done(9)]);
  expect(answers.texts.at(-1)).toBe('c: revision 9');
});

test('a deposed leader waits for the log; after the timeout the write is in doubt', () => {
  const { proposals, answers, add } = setUp();
  add('a');
  proposals.take(1, 0);
  proposals.accepted({ id: 1, entry: { term: 3, index: 7 } });
  proposals.expire(99);
  expect(answers.texts).toEqual([]);
  proposals.expire(100);
  expect(answers.texts).toEqual(['a: timeout in doubt']);
  proposals.applied({ term: 3, index: 7 }, [done(5)]);
  expect(answers.texts).toHaveLength(1);
});

test('closing refuses what was not proposed and leaves the rest in doubt', () => {
  const { proposals, answers, add } = setUp();
  add('a');
  add('b');
  add('c');
  proposals.take(1, 0);
  proposals.accepted({ id: 1, entry: { term: 3, index: 7 } });
  proposals.close(
    new RollcallError('closed', 'Stopping'),
    new RollcallError('closed', 'Stopping', { definite: false }),
  );
  expect(answers.texts).toEqual(['c: closed definite', 'a: closed in doubt', 'b: closed in doubt']);
});

test('a write that never gets its turn surely did not happen', () => {
  const { proposals, answers, add } = setUp();
  add('a');
  proposals.expire(99);
  expect(answers.texts).toEqual([]);
  proposals.expire(100);
  expect(answers.texts).toEqual(['a: timeout definite']);
  expect(proposals.gathered).toBe(0);
});

test('a node that was removed still answers what it knows to be committed, and leaves the rest in doubt', () => {
  const { proposals, answers, add } = setUp();
  for (const name of ['a', 'b', 'c', 'd']) add(name);
  proposals.take(1, 0);
  proposals.take(2, 0);
  proposals.accepted({ id: 1, entry: { term: 3, index: 7 } });
  proposals.accepted({ id: 2, entry: { term: 3, index: 8 } });
  proposals.abandon(7, new RollcallError('leadershipLost', 'It was removed'));
  expect(answers.texts).toEqual(['c: leadershipLost in doubt', 'd: leadershipLost in doubt']);
  proposals.applied({ term: 3, index: 7 }, [done(5), done(6)]);
  expect(answers.texts.slice(2)).toEqual(['a: revision 5', 'b: revision 6']);
});
