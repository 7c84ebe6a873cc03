/** When a leader raises the feature level of its cluster, and what its log may hold before and after. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FeatureLevels } from '../../src/node/feature-levels.ts';
import type { Configuration, Role } from '../../src/raft/types.ts';

function configurationOf(levels: readonly number[]): Configuration {
  const members = levels.map((featureLevel, at) => ({
    ...{ id: `${at}`.padStart(16, '0'), name: `n${at}`, featureLevel },
    ...{ peerAddress: 'a:1', clientAddress: 'a:2', replaces: null, autoPromote: false },
  }));
  const ids = members.map(({ id }) => id);
  // The last one is a learner.
  return {
    members,
    ...{ voters: ids.slice(0, -1), votersOutgoing: [] },
    ...{ learners: ids.slice(-1), learnersNext: [] },
  };
}

/** A member whose core says what the test wants. */
class Subject {
  role: Role = 'leader';
  currentTerm = 3;
  transferee: string | null = null;
  configuration: Configuration;
  applied = 1;
  readonly raises: number[] = [];
  readonly reached: number[] = [];
  readonly levels: FeatureLevels;

  constructor(levels: readonly number[], featureLevelMax = 3) {
    this.configuration = configurationOf(levels);
    this.levels = new FeatureLevels({
      featureLevelMax,
      applied: () => this.applied,
      status: () => this,
      propose: (command) => {
        if (command.type === 'raiseFeatureLevel') this.raises.push(command.level);
        return this.raises.length;
      },
      reached: (level) => this.reached.push(level),
    });
  }
}

describe('a leader', () => {
  test('raises the level to what every member knows, learners as well', () => {
    const subject = new Subject([3, 2, 1]);
    subject.levels.maybeRaise();
    expect([subject.raises, subject.levels.allowed]).toEqual([[], 1]);
    subject.configuration = configurationOf([3, 2, 2]);
    subject.levels.maybeRaise();
    subject.levels.maybeRaise();
    expect([subject.raises, subject.levels.allowed]).toEqual([[2], 2]);
    subject.applied = 2;
    subject.configuration = configurationOf([3, 3, 3]);
    subject.levels.maybeRaise();
    expect([subject.raises, subject.levels.allowed]).toEqual([[2, 3], 3]);
  });

  test('raises no further than it knows itself', () => {
    const subject = new Subject([3, 3, 3], 2);
    subject.levels.maybeRaise();
    expect(subject.raises).toEqual([2]);
    subject.applied = 2;
    subject.levels.maybeRaise();
    expect(subject.raises).toEqual([2]);
  });

  test('raises again what was dropped, and what an earlier term may have lost', () => {
    const subject = new Subject([2, 2, 2]);
    subject.levels.maybeRaise();
    subject.levels.dropped(subject.raises.length);
    subject.levels.maybeRaise();
    expect(subject.raises).toEqual([2, 2]);
    subject.currentTerm++;
    subject.levels.maybeRaise();
    expect(subject.raises).toEqual([2, 2, 2]);
  });

  test('keeps the level of the log when somebody in the configuration knows less', () => {
    const subject = new Subject([2, 2, 1]);
    subject.applied = 2;
    subject.levels.maybeRaise();
    expect([subject.raises, subject.levels.allowed]).toEqual([[], 2]);
  });

  test('waits while it hands over', () => {
    const subject = new Subject([2, 2, 2]);
    subject.transferee = subject.configuration.voters[1] ?? null;
    subject.levels.maybeRaise();
    expect(subject.raises).toEqual([]);
  });
});

test('whoever does not lead decides nothing', () => {
  const subject = new Subject([2, 2, 2]);
  subject.role = 'follower';
  subject.levels.maybeRaise();
  expect([subject.raises, subject.levels.allowed]).toEqual([[], Number.POSITIVE_INFINITY]);
});

test('each level that was reached is told once', () => {
  const subject = new Subject([2, 2, 2]);
  subject.levels.look();
  subject.levels.look();
  subject.applied = 2;
  subject.levels.look();
  expect(subject.reached).toEqual([1, 2]);
});

type LogEntry =
  | { readonly type: 'raise' | 'command'; readonly level: number }
  | { readonly type: 'configuration'; readonly levels: readonly number[] };

function levelIn(log: readonly LogEntry[]): number {
  return Math.max(1, ...log.map((entry) => (entry.type === 'raise' ? entry.level : 0)));
}

function newestIn(log: readonly LogEntry[]): readonly number[] {
  return log.findLast((entry) => entry.type === 'configuration')?.levels ?? [];
}

/** A cluster's log under one leader after the other, each of whom has what was committed, or more. */
class Cluster {
  log: LogEntry[];
  #committed = 1;
  #term = 1;
  #leader: Subject;

  constructor(levels: readonly number[]) {
    this.log = [{ type: 'configuration', levels }];
    this.#leader = this.#elect(0, 0);
  }

  /** Its turn: a raise before anything else. */
  turn(): void {
    const leader = this.#leader;
    leader.configuration = configurationOf(newestIn(this.log));
    const before = leader.raises.length;
    leader.levels.maybeRaise();
    for (const level of leader.raises.slice(before)) this.log.push({ type: 'raise', level });
  }

  /** A client asks; the refusal comes before the turn, the entry in it. */
  command(level: number): void {
    const isAllowed = level <= this.#leader.levels.allowed;
    this.turn();
    if (isAllowed) this.log.push({ type: 'command', level });
  }

  /** A member joins, or says that it knows another level now. */
  member(at: number, level: number): void {
    this.turn();
    const levels = [...newestIn(this.log)];
    levels[Math.min(at, levels.length)] = level;
    if (level < this.#leader.levels.allowed) return;
    this.log.push({ type: 'configuration', levels });
    this.#leader.configuration = configurationOf(levels);
  }

  commit(share: number): void {
    const left = this.log.length - this.#committed;
    this.#committed += Math.round(left * share);
    this.#leader.applied = levelIn(this.log.slice(0, this.#committed));
  }

  /** The next one has part of what is not committed, and has applied part of what is. */
  leader(kept: number, applied: number): void {
    const left = this.log.length - this.#committed;
    this.log.length = this.#committed + Math.round(left * kept);
    this.#leader = this.#elect(applied, this.#term++);
  }

  #elect(applied: number, term: number): Subject {
    const levels = newestIn(this.log);
    const leader = new Subject(levels, levels[0]);
    leader.currentTerm = term;
    leader.applied = levelIn(this.log.slice(0, Math.round(this.#committed * applied)));
    return leader;
  }
}

test('no log holds what a member of its configuration does not know', () => {
  const level = fc.integer({ min: 1, max: 4 });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const step = fc.oneof(
    fc.record({ type: fc.constant('command' as const), level }),
    fc.record({ type: fc.constant('member' as const), at: fc.nat({ max: 4 }), level }),
    fc.record({ type: fc.constant('commit' as const), share }),
    fc.record({ type: fc.constant('leader' as const), kept: share, applied: share }),
  );
  const seen = { raised: 0, used: 0 };
  fc.assert(
    fc.property(
      fc.array(level, { minLength: 2, maxLength: 4 }),
      fc.array(step, { maxLength: 40 }),
      (levels, steps) => {
        const cluster = new Cluster(levels);
        for (const one of steps) {
          if (one.type === 'command') cluster.command(one.level);
          else if (one.type === 'member') cluster.member(one.at, one.level);
          else if (one.type === 'commit') cluster.commit(one.share);
          else cluster.leader(one.kept, one.applied);
          const { log } = cluster;
          const last = log.at(-1);
          const reached = levelIn(log);
          expect(Math.min(...newestIn(log))).toBeGreaterThanOrEqual(reached);
          if (last?.type === 'command') {
            expect(last.level).toBeLessThanOrEqual(reached);
            if (last.level > 1) seen.used++;
          }
          if (reached > 1) seen.raised++;
        }
      },
    ),
    { numRuns: 500 },
  );
  expect(seen.raised).toBeGreaterThan(500);
  expect(seen.used).toBeGreaterThan(100);
});
