/** What a node remembers of what it did. */
import { expect, test } from 'vitest';
import { startRaft } from '../../src/node/start-raft.ts';
import { bounds } from '../../src/node/timing.ts';
import { Trace } from '../../src/node/trace.ts';
import { VirtualClock } from '../sim/clock.ts';

interface Line {
  readonly sequence: number;
  readonly event: string;
  readonly [field: string]: unknown;
}

function linesOf(trace: Trace, after = 0): Line[] {
  const text = trace.read(after);
  expect(text === '' || text.endsWith('\n')).toBe(true);
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Line);
}

function filled(count: number, bytesMax: number): Trace {
  const trace = new Trace(new VirtualClock(), bytesMax);
  for (let at = 1; at <= count; at++) trace.add('step', { at });
  return trace;
}

test('events come back in order, numbered, from where the reader was', () => {
  const trace = filled(5, 10_000);
  expect(linesOf(trace).map(({ sequence, at }) => [sequence, at])).toEqual(
    [1, 2, 3, 4, 5].map((at) => [at, at]),
  );
  expect(linesOf(trace, 3).map(({ sequence }) => sequence)).toEqual([4, 5]);
  expect(trace.read(5)).toBe('');
  expect(trace.read(99)).toBe('');
});

test('the oldest go when there are too many bytes', () => {
  const trace = filled(1000, 2000);
  expect(trace.read(0).length).toBeLessThanOrEqual(2000);
  const numbers = linesOf(trace).map(({ sequence }) => sequence);
  expect(numbers.length).toBeGreaterThan(10);
  expect(numbers).toEqual(numbers.map((_, at) => 1001 - numbers.length + at));
  expect(linesOf(trace, 998).map(({ sequence }) => sequence)).toEqual([999, 1000]);
  expect(trace.read(1000)).toBe('');
});

test('one event that is too large leaves nothing behind', () => {
  const trace = filled(3, 300);
  trace.add('large', { text: 'x'.repeat(400) });
  expect(trace.read(0)).toBe('');
  trace.add('small', {});
  expect(linesOf(trace).map(({ sequence }) => sequence)).toEqual([5]);
});

test('a core tells how it came to lead and what it committed', () => {
  const id = 'a'.repeat(16);
  const member = { id, name: 'n1', peerAddress: 'a:1', clientAddress: 'a:2', featureLevel: 1 };
  const sets = { voters: [id], votersOutgoing: [], learners: [], learnersNext: [] };
  const members = [{ ...member, replaces: null, autoPromote: false }];
  const start = { last: { term: 0, index: 0 }, configuration: { members, ...sets } };
  const hardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  const trace = new Trace(new VirtualClock());
  const raft = startRaft(id, () => 0, { hardState, start, entries: [] }, bounds, trace);
  for (let tick = 0; tick < 200; tick++) {
    raft.step({ type: 'tick' });
    for (let ready = raft.ready(); ready !== null; ready = raft.ready()) {
      if (ready.append !== null) raft.step({ type: 'persisted', append: ready.append.number });
    }
  }
  const told = linesOf(trace).map(({ sequence, ms, wallMs, ...line }) => line);
  expect(told).toContainEqual({ member: id, event: 'role', term: 1, role: 'leader', leader: id });
  expect(told).toContainEqual(
    expect.objectContaining({
      event: 'append',
      hardState: expect.objectContaining({ votedFor: id }),
    }),
  );
  expect(told).toContainEqual(
    expect.objectContaining({ event: 'append', first: 1, last: { term: 1, index: 1 } }),
  );
  expect(told).toContainEqual({
    member: id,
    event: 'commit',
    first: 1,
    last: { term: 1, index: 1 },
  });
  expect(told.map(({ event }) => event)).not.toContain('tick');
});
