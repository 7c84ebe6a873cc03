/**
 * Exactly once, against a machine without sessions that is given each write once: whatever copies come
 * in whatever order, both have the same state, and every copy has the answer of the first.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8Encode } from '../../src/base/bytes.ts';
import { plainRange } from '../../src/mvcc/types.ts';
import type { Command, LoggedCommand, Outcome } from '../../src/state-machine/types.ts';
import { anyCommand } from './arbitrary.ts';
import { leaseId as id, put, TestMachine } from './machine.ts';
import { readRange } from './read-range.ts';

const ttlMs = 60_000;
const windowMax = 256;

/** What is known of a session, in the plainest form. */
interface Known {
  deadlineMs: number;
  acknowledged: number;
  readonly answers: Map<number, Outcome>;
}

class Model {
  readonly plain = new TestMachine();
  readonly sessions = new Map<string, Known>();

  run({ session, command }: LoggedCommand): Outcome | string {
    const now = this.plain.logTimeMs;
    for (const [name, { deadlineMs }] of this.sessions) {
      if (deadlineMs <= now) this.sessions.delete(name);
    }
    if (command.type === 'sessionOpen') {
      if (this.sessions.has(command.sessionId)) return 'invalidArgument';
      const known = { deadlineMs: now + ttlMs, acknowledged: 0, answers: new Map() };
      this.sessions.set(command.sessionId, known);
      return 'ok';
    }
    if (command.type === 'sessionClose') {
      this.sessions.delete(command.sessionId);
      return 'ok';
    }
    if (command.type === 'sessionRenew') {
      const known = this.#heard(command.sessionId, command.acknowledgedThrough);
      return known === null ? 'sessionExpired' : 'ok';
    }
    if (session === null) return this.plain.run(command);
    const known = this.#heard(session.sessionId, session.acknowledgedThrough);
    return known === null ? 'sessionExpired' : this.#once(known, session.sequence, command);
  }

  alive(): string[] {
    const now = this.plain.logTimeMs;
    const alive = [...this.sessions].filter(([, { deadlineMs }]) => deadlineMs > now);
    return alive.map(([name]) => name).sort();
  }

  #heard(name: string, acknowledged: number): Known | null {
    const known = this.sessions.get(name);
    if (known === undefined) return null;
    known.deadlineMs = this.plain.logTimeMs + ttlMs;
    known.acknowledged = Math.max(known.acknowledged, acknowledged);
    return known;
  }

  #once(known: Known, sequence: number, command: Command): Outcome | string {
    const { acknowledged, answers } = known;
    if (sequence <= acknowledged) return 'resultDropped';
    const answer = answers.get(sequence);
    if (answer !== undefined) return answer;
    if (sequence > acknowledged + windowMax) return 'tooManyResults';
    const outcome = this.plain.run(command);
    const first: Outcome = outcome.ok
      ? outcome
      : { ...outcome, details: { ...outcome.details, sequence } };
    answers.set(sequence, first);
    return first;
  }
}

// A result above 16 KiB is not kept.
const anySize = fc.constantFrom(0, 40, 200, 200, 200, 200, 200, 17 * 1024);
const anyLargePut = anySize.map((size) => put('large', 'x'.repeat(size), { previous: true }));
const anySessionCommand = anyCommand.filter(({ type }) => type !== 'leaseKeepAlive');
const anyDistance = fc.constantFrom(1, 1, 1, 2, 3, 5, 256, 257);
const anyWrite = fc.record({
  session: fc.record({
    sessionId: fc.integer({ min: 1, max: 3 }).map(id),
    base: fc.nat({ max: 6 }),
    distance: anyDistance,
  }),
  command: fc.oneof({ arbitrary: anySessionCommand, weight: 9 }, anyLargePut),
});
const anyLogged: fc.Arbitrary<LoggedCommand> = fc.oneof(
  {
    weight: 8,
    arbitrary: anyWrite.map(({ session: { sessionId, base, distance }, command }) => {
      const session = { sessionId, sequence: base + distance, acknowledgedThrough: base };
      return { session, command };
    }),
  },
  anyCommand.map((command) => ({ session: null, command })),
  fc
    .record({
      type: fc.constantFrom('sessionOpen', 'sessionOpen', 'sessionClose'),
      sessionId: fc.integer({ min: 1, max: 3 }).map(id),
    })
    .map((command) => ({ session: null, command })),
  fc
    .record({
      type: fc.constant('sessionRenew' as const),
      sessionId: fc.integer({ min: 1, max: 3 }).map(id),
      acknowledgedThrough: fc.nat({ max: 4 }),
    })
    .map((command) => ({ session: null, command })),
);
const anySteps = fc.array(
  fc.record({
    elapsedMs: fc.constantFrom(0, 0, 100, 500, ttlMs - 1, ttlMs),
    commands: fc.array(anyLogged, { maxLength: 6 }),
    reload: fc.boolean(),
  }),
  { maxLength: 20, size: 'max' },
);

function open(number: number): LoggedCommand {
  return { session: null, command: { type: 'sessionOpen', sessionId: id(number) } };
}

/** Repeats of what was too large to be kept say so, and the first answer is in full. */
function expectAnswer(found: Outcome, expected: Outcome | string): void {
  if (expected === 'ok') expect(found.ok).toBe(true);
  else if (typeof expected === 'string') expect(found).toMatchObject({ code: expected });
  else if (!found.ok && found.code === 'truncated') {
    expect(found.details).toEqual({ revision: expected.revision, succeeded: 1 });
  } else expect(found).toEqual(expected);
}

test('copies of writes are done once and answered alike, through restarts at any point', () => {
  const all = {
    key: '\0',
    rangeEnd: '\0',
    ...plainRange,
  };
  fc.assert(
    fc.property(anySteps, (steps) => {
      const tested = new TestMachine();
      const straight = new TestMachine();
      const model = new Model();
      for (const { elapsedMs, commands, reload } of [
        { elapsedMs: 0, commands: [open(1), open(2)], reload: false },
        ...steps,
      ]) {
        const atMs = tested.logTimeMs + elapsedMs;
        const { outcomes } = tested.applyLogged(commands, atMs);
        straight.applyLogged(commands, atMs);
        model.plain.apply([], atMs);
        for (const [at, logged] of commands.entries()) {
          expectAnswer(outcomes[at] as Outcome, model.run(logged));
        }
        if (reload) tested.reload();
        expect(tested.digest).toBe(straight.digest);
        expect(tested.machine.revision).toBe(model.plain.machine.revision);
      }
      expect(readRange(tested.machine, 'kv', all)).toEqual(
        readRange(model.plain.machine, 'kv', all),
      );
      expect(tested.machine.leaseList()).toEqual(model.plain.machine.leaseList());
      expect([...tested.machine.sessionIds].sort()).toEqual(model.alive());
      tested.reload();
      expect([...tested.records.map.keys()].sort()).toEqual(
        [...straight.records.map.keys()].sort(),
      );
      expect(tested.digest).toBe(straight.digest);
    }),
    { numRuns: 150 },
  );
});

test('tokens that are appended come once each, however often they are sent', () => {
  const anyCopies = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(anyCopies, fc.integer({ min: 1, max: 5 }), (copies, entrySize) => {
      const tested = new TestMachine();
      tested.applyLogged([open(1)]);
      const answers = new Map<number, Outcome>();
      for (let from = 0; from < copies.length; from += entrySize) {
        const sequences = copies.slice(from, from + entrySize);
        const { outcomes } = tested.applyLogged(
          sequences.map((sequence) => ({
            session: { sessionId: id(1), sequence, acknowledgedThrough: 0 },
            command: put('log', utf8Encode(`token ${sequence}`), { previous: true }),
          })),
        );
        for (const [at, sequence] of sequences.entries()) {
          const first = answers.get(sequence) ?? (outcomes[at] as Outcome);
          answers.set(sequence, first);
          expect(outcomes[at]).toEqual(first);
        }
        tested.reload();
      }
      // Each put took the place of another one: nothing was put twice.
      const { revisions } = tested.machine.history('kv', { key: 'log', rangeEnd: null }, 2, 1000);
      expect(revisions.length).toBe(new Set(copies).size);
    }),
    { numRuns: 40 },
  );
});
