import { describe, expect, test } from 'vitest';
import { plainRange } from '../../src/mvcc/types.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { leaseId, put, TestMachine } from './machine.ts';
import { readRange } from './read-range.ts';

const all = { ...plainRange, key: '\0', rangeEnd: '\0', keysOnly: true, countOnly: true };

function grant(number: number, ttlMs: number): Command {
  return { type: 'leaseGrant', leaseId: leaseId(number), ttlMs };
}
function attached(key: string, number: number): Command {
  return put(key, '', { leaseId: leaseId(number) });
}
function keepAlive(...numbers: number[]): Command {
  return { type: 'leaseKeepAlive', leaseIds: numbers.map(leaseId) };
}

/** One line per entry: what each command came to, and what each revision changed. */
function tell(tested: TestMachine, at: number, ...commands: Command[]): string {
  const { outcomes, revisions } = tested.apply(commands, at);
  const results = outcomes.map((outcome) => {
    if (!outcome.ok) return outcome.code;
    return outcome.result.type === 'leaseKeepAlive'
      ? `ttls ${outcome.result.ttlsMs.join(' ')}`
      : outcome.result.type;
  });
  const changes = revisions.map(
    ({ revision, events }) =>
      `${revision}: ${events.map(({ type, pair }) => `${type} ${pair.key}`).join(', ')}`,
  );
  return `@${at} [${results.join(', ')}] ${changes.join('; ')}`.trim();
}

function count(tested: TestMachine): number {
  const result = readRange(tested.machine, 'kv', all);
  return 'count' in result ? result.count : -1;
}

test('a lease lives until its deadline in log time, and not a millisecond longer', () => {
  const tested = new TestMachine();
  expect([
    tell(tested, 100, grant(1, 1000), attached('a', 1), attached('b', 1)),
    tell(tested, 1099, attached('c', 1)),
    tell(tested, 1100, attached('d', 1), keepAlive(1), put('e')),
    tell(tested, 1100, grant(1, 500), { type: 'leaseRevoke', leaseId: leaseId(2) }),
    tell(tested, 1200, keepAlive(1, 2)),
    tell(tested, 900, attached('f', 1)),
    tell(tested, 1699),
    tell(tested, 1700),
  ]).toEqual([
    '@100 [leaseGrant, put, put] 2: put a; 3: put b',
    '@1099 [put] 4: put c',
    '@1100 [leaseNotFound, ttls 0, put] 5: delete a, delete b, delete c; 6: put e',
    '@1100 [leaseGrant, leaseNotFound]',
    '@1200 [ttls 500 0]',
    '@900 [put] 7: put f',
    '@1699 []',
    '@1700 [] 8: delete f',
  ]);
  expect(tested.machine.logTimeMs).toBe(1700);
});

test('leases that end together lose their keys one after the other, by deadline and id', () => {
  const tested = new TestMachine();
  expect([
    tell(tested, 0, grant(3, 600), grant(2, 600), grant(1, 700), grant(4, 600), grant(5, 600)),
    tell(tested, 0, attached('c', 3), attached('b', 2), attached('a', 1), attached('d', 4)),
    tell(tested, 100, keepAlive(4)),
    tell(tested, 800),
  ]).toEqual([
    '@0 [leaseGrant, leaseGrant, leaseGrant, leaseGrant, leaseGrant]',
    '@0 [put, put, put, put] 2: put c; 3: put b; 4: put a; 5: put d',
    '@100 [ttls 600]',
    '@800 [] 6: delete b; 7: delete c; 8: delete a; 9: delete d',
  ]);
  expect(tested.machine.deadlinesPending).toBe(false);
});

test('a key belongs to the lease of its newest version', () => {
  const tested = new TestMachine();
  expect([
    tell(tested, 0, grant(1, 500), grant(2, 800), attached('moved', 1), attached('freed', 1)),
    tell(tested, 0, attached('moved', 2), put('freed'), attached('kept', 1), attached('kept', 1)),
    tell(tested, 500),
    tell(tested, 500, { type: 'leaseRevoke', leaseId: leaseId(2) }),
  ]).toEqual([
    '@0 [leaseGrant, leaseGrant, put, put] 2: put moved; 3: put freed',
    '@0 [put, put, put, put] 4: put moved; 5: put freed; 6: put kept; 7: put kept',
    '@500 [] 8: delete kept',
    '@500 [leaseRevoke] 9: delete moved',
  ]);
});

test.each([
  ['a taken id', grant(1, 500), 'leaseExists'],
  ['id 0', grant(0, 500), 'invalidArgument'],
  ['too short', grant(2, 499), 'invalidArgument'],
  ['too long', grant(2, 9_000_000_000_001), 'invalidArgument'],
  ['the longest', grant(2, 9_000_000_000_000), 'leaseGrant'],
])('a grant with %s', (_, command, expected) => {
  const tested = new TestMachine();
  tested.run(grant(1, 500));
  expect(tell(tested, 0, command)).toBe(`@0 [${expected}]`);
});

describe('more keys than one entry may delete', () => {
  const keys = 2500;
  function filled(): TestMachine {
    const tested = new TestMachine();
    const puts = Array.from({ length: keys }, (_, at) => attached(`k${at}`, 1));
    tested.apply([grant(1, 1000), grant(2, 1000), ...puts, attached('second', 2)]);
    return tested;
  }

  test.each(['expired', 'revoked'] as const)('are deleted in steps once %s', (how) => {
    const tested = filled();
    const restarted = filled();
    const at = how === 'expired' ? 1000 : 500;
    const revoke: Command = { type: 'leaseRevoke', leaseId: leaseId(1) };
    const entries: Command[][] = [
      how === 'revoked' ? [revoke] : [],
      // Gone for every command at once, though keys are left.
      [attached('new', 1), keepAlive(1), revoke, grant(1, 500), put('k999')],
      [],
    ];
    const lines = entries.map((commands) => {
      restarted.reload();
      const applied = tested.apply(commands, at);
      expect(restarted.apply(commands, at)).toEqual(applied);
      expect(restarted.digest).toBe(tested.digest);
      const sizes = applied.revisions.map(
        ({ revision, events }) => `${revision}: ${events.length}`,
      );
      const codes = applied.outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.code));
      const { expiryUnfinished } = tested.machine;
      return `${sizes.join(', ')} [${codes}] left ${count(tested)} ${expiryUnfinished}`;
    });
    const first =
      how === 'revoked' ? '2503: 1024 [ok] left 1477 true' : '2503: 1024 [] left 1477 true';
    const last =
      how === 'revoked' ? '2506: 451 [] left 2 false' : '2506: 451, 2507: 1 [] left 1 false';
    expect(lines).toEqual([
      first,
      '2504: 1024, 2505: 1 [leaseNotFound,ok,leaseNotFound,leaseExists,ok] left 453 true',
      last,
    ]);
    expect(tell(tested, at, grant(1, 500))).toBe(`@${at} [leaseGrant]`);
    expect(tested.machine.leaseTimeToLive(leaseId(1), 1)?.keys).toEqual([]);
  });

  test('leases without keys count too', () => {
    const tested = new TestMachine();
    tested.apply(Array.from({ length: 1500 }, (_, at) => grant(at + 1, 500)));
    tested.apply([], 500);
    expect(tested.machine.leaseList()).toEqual([]);
    expect(tested.machine.expiryUnfinished).toBe(true);
    expect(tell(tested, 500, keepAlive(1500))).toBe('@500 [ttls 0]');
    expect(tested.machine.expiryUnfinished).toBe(false);
    expect(tested.machine.deadlinesPending).toBe(false);
    expect(tested.machine.revision).toBe(1);
  });
});
