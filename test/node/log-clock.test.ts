import { expect, test } from 'vitest';
import { LogClock } from '../../src/node/log-clock.ts';
import type { Append, Entry } from '../../src/raft/types.ts';
import { encodeCommandEntry } from '../../src/state-machine/command-codec.ts';

function stamped(index: number, logTimeMs: number, term = 1): Entry {
  const command = encodeCommandEntry({ logTimeMs, wallTimeMs: 0, commands: [] });
  return { term, index, type: 'command', command };
}

function append(...entries: readonly Entry[]): { append: Append; committedEntries: Entry[] } {
  return { append: { number: 1, hardState: null, snapshot: null, entries }, committedEntries: [] };
}

/** The time from which a node goes on that comes to lead now. */
function begins(clock: LogClock): number {
  clock.lead(true, 0);
  return clock.stamp(0);
}

test('a leader goes on from the newest time in its log', () => {
  const clock = new LogClock(0, 100, 150);
  clock.loaded([stamped(1, 120), stamped(2, 130)]);
  clock.follow(append(stamped(3, 140), { term: 1, index: 4, type: 'noop' }));
  expect(begins(clock)).toBe(140);
});

test('the time of entries that were overwritten counts for nobody', () => {
  const clock = new LogClock(0, 100, 150);
  clock.follow(append(stamped(1, 120), stamped(2, 900)));
  clock.follow(append({ term: 2, index: 2, type: 'noop' }));
  expect(begins(clock)).toBe(120);
});

test('what is committed stays, whatever comes after it', () => {
  const clock = new LogClock(0, 100, 150);
  const entries = [stamped(1, 120), stamped(2, 130), stamped(3, 140)];
  clock.follow({ ...append(...entries), committedEntries: entries.slice(0, 2) });
  clock.follow(append({ term: 2, index: 3, type: 'noop' }));
  expect(begins(clock)).toBe(130);
});

test('a received state takes the place of what was in the log', () => {
  const clock = new LogClock(0, 100, 150);
  clock.follow(append(stamped(1, 120), stamped(2, 900)));
  const configuration = {
    members: [],
    voters: [],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
  };
  const snapshot = { last: { term: 3, index: 5 }, configuration };
  clock.follow({ append: { ...append().append, snapshot }, committedEntries: [] });
  clock.restore(300);
  expect(begins(clock)).toBe(300);
});
