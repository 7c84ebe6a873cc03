/** The bounds of sessions, what is kept of their writes, and for how long. */
import { expect, test } from 'vitest';
import { limits } from '../../src/base/limits.ts';
import { plainRange } from '../../src/mvcc/types.ts';
import type { Command, LoggedCommand, Outcome } from '../../src/state-machine/types.ts';
import { leaseId as id, put, TestMachine } from './machine.ts';

function open(number: number): Command {
  return { type: 'sessionOpen', sessionId: id(number) };
}

function write(sequence: number, command: Command, acknowledgedThrough = 0): LoggedCommand {
  return { session: { sessionId: id(1), sequence, acknowledgedThrough }, command };
}

function codes(outcomes: readonly Outcome[]): string[] {
  return outcomes.map((outcome) => (outcome.ok ? `at ${outcome.revision}` : outcome.code));
}

test('a session lives for a minute of log time after the last that was heard of it', () => {
  const tested = new TestMachine();
  tested.run(open(1));
  const at = (timeMs: number, ...commands: LoggedCommand[]): string[] =>
    codes(tested.applyLogged(commands, timeMs).outcomes);
  const renew = { type: 'sessionRenew', sessionId: id(1), acknowledgedThrough: 1 } as const;
  expect(at(59_999, write(1, put('a')))).toEqual(['at 2']);
  expect(at(119_998, { session: null, command: renew })).toEqual(['at 2']);
  expect(tested.machine.deadlinesPending).toBe(true);
  tested.reload();
  expect(at(179_997, write(1, put('a')), write(2, put('a')))).toEqual(['resultDropped', 'at 3']);
  expect(at(239_997, write(3, put('a')), write(2, put('a')))).toEqual([
    'sessionExpired',
    'sessionExpired',
  ]);
  expect(tested.machine.deadlinesPending).toBe(false);
  expect([...tested.records.map.keys()].filter((key) => key.startsWith('S'))).toEqual([]);
});

test('what is closed is gone at once, and closing it again is no error', () => {
  const tested = new TestMachine();
  tested.run(open(1));
  tested.applyLogged([write(1, put('a', 'x'.repeat(100), { previous: true }))]);
  tested.applyLogged([write(2, put('a', '', { previous: true }))]);
  const close: Command = { type: 'sessionClose', sessionId: id(1) };
  expect(codes(tested.apply([close, close]).outcomes)).toEqual(['at 3', 'at 3']);
  const empty = new TestMachine();
  empty.apply([put('a', 'x'.repeat(100)), put('a')]);
  expect(tested.digest).toBe(empty.digest);
  expect([...tested.records.map.keys()]).toEqual([...empty.records.map.keys()]);
});

test('at most so many results are kept of a session, whatever their size', () => {
  const tested = new TestMachine();
  const most = limits.sessionResultsMax;
  tested.run(open(1));
  const writes = Array.from({ length: most }, (_, at) => write(at + 1, put('a')));
  tested.applyLogged(writes);
  expect(tested.machine.revision).toBe(1 + most);
  expect(
    codes(
      tested.applyLogged([
        write(most + 1, put('a')),
        write(most + 1, put('a'), 1),
        write(most + 1, put('a')),
        write(1, put('a')),
      ]).outcomes,
    ),
  ).toEqual(['tooManyResults', `at ${most + 2}`, `at ${most + 2}`, 'resultDropped']);
});

test('an entry with commands of many sessions pauses while it writes what they keep', () => {
  const tested = new TestMachine();
  const numbers = Array.from({ length: 24 }, (_, at) => at + 1);
  tested.apply(numbers.map(open));
  const writes = (sequence: number): LoggedCommand[] =>
    numbers.map((number) => ({
      session: { sessionId: id(number), sequence, acknowledgedThrough: 0 },
      command: put('a'),
    }));
  tested.applyLogged(Array.from({ length: 200 }, (_, at) => writes(at + 1)).flat());
  const { machine } = tested;
  const entry = { logTimeMs: 0, wallTimeMs: 0, commands: writes(201) };
  const steps = machine.applySteps(machine.appliedIndex + 1, entry);
  let pauses = 0;
  while (!steps.next().done) pauses++;
  // One between each two commands, the others in 24 times 201 results.
  expect(pauses).toBe(23 + 3);
  tested.reload();
});

test('at most a mebibyte is kept of a session; what found no room was not done, and stays so', () => {
  const tested = new TestMachine();
  tested.run(open(1));
  tested.run(put('large', new Uint8Array(16_000)));
  const read: Command = {
    type: 'txn',
    compares: [],
    success: [
      {
        type: 'range',
        key: 'large',
        rangeEnd: null,
        ...plainRange,
      },
      put('count'),
    ],
    failure: [],
  };
  const outcomes: Outcome[] = [];
  for (let sequence = 1; sequence <= 70; sequence++) {
    outcomes.push(...tested.applyLogged([write(sequence, read)]).outcomes);
  }
  const done = outcomes.filter(({ ok }) => ok).length;
  expect(done).toBe(64);
  expect(codes(outcomes.slice(done))).toEqual(Array(6).fill('tooManyResults'));
  // Small ones still fit, and acknowledging makes room; the refused ones stay refused.
  expect(
    codes(tested.applyLogged([write(71, put('small')), write(72, read, 10)]).outcomes),
  ).toEqual([`at ${2 + done + 1}`, `at ${2 + done + 2}`]);
  tested.reload();
  const again = tested.applyLogged([write(66, read, 10), write(64, read, 10)]).outcomes;
  expect(again[0]).toEqual(outcomes[65]);
  expect(again[0]).toMatchObject({ details: { sequence: 66 } });
  expect(again[1]).toEqual(outcomes[63]);
});

test('a result above 16 KiB is not kept, but that it was done and when', () => {
  const tested = new TestMachine();
  tested.run(open(1));
  const large = put('large', new Uint8Array(17_000), { previous: true });
  const [first, second] = tested.applyLogged([write(1, large), write(2, large)]).outcomes;
  expect([first, second]).toMatchObject([{ ok: true }, { ok: true, result: { type: 'put' } }]);
  tested.reload();
  const [small, truncated] = tested.applyLogged([write(1, large), write(2, large)]).outcomes;
  expect(small).toEqual(first);
  expect(truncated).toMatchObject({
    ok: false,
    code: 'truncated',
    revision: 3,
    details: { revision: 3, succeeded: 1 },
  });
  expect(tested.machine.revision).toBe(3);
});

test('there are at most so many sessions, and ended ones go in bounded steps', () => {
  const tested = new TestMachine();
  const most = limits.sessionsMax;
  for (let from = 1; from <= most; from += 10_000) {
    tested.apply(Array.from({ length: 10_000 }, (_, at) => open(from + at)));
  }
  expect(codes(tested.apply([open(most + 1), open(1)]).outcomes)).toEqual([
    'tooManySessions',
    'invalidArgument',
  ]);
  let entries = 0;
  tested.logTimeMs = limits.sessionTtlMs;
  for (; tested.machine.deadlinesPending; entries++) {
    expect(tested.machine.expiryUnfinished || entries === 0).toBe(true);
    expect(codes(tested.applyLogged([write(1, put('a'))]).outcomes)).toEqual(['sessionExpired']);
  }
  expect(entries).toBe(Math.ceil(most / limits.endedKeysMax));
  expect(tested.digest).toBe(new TestMachine().digest);
});

test('no other commands come under a session', () => {
  const tested = new TestMachine();
  tested.run(open(1));
  const commands: Command[] = [
    { type: 'leaseKeepAlive', leaseIds: [] },
    { type: 'beginIncarnation' },
    open(2),
  ];
  for (const [at, command] of commands.entries()) {
    const outcomes = tested.applyLogged([write(at + 1, command)]).outcomes;
    expect(codes(outcomes)).toEqual(['invalidArgument']);
  }
});
