/**
 * Watches of the real state from random revisions, with sinks that are full now and then, turns that come
 * late, compactions and states that are received as a whole, beside a naive model: a plain list of what each
 * revision changed.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8Decode } from '../../src/base/bytes.ts';
import type { RollcallError } from '../../src/base/errors.ts';
import { matches } from '../../src/mvcc/key-range.ts';
import type { KeyRange, KeyValue, Revision } from '../../src/mvcc/types.ts';
import type { WatchBatch, WatchHandle } from '../../src/node/types.ts';
import { WatchHub } from '../../src/node/watch-hub.ts';
import type { WatchSource } from '../../src/node/watcher.ts';
import type { Command, RevisionEvents } from '../../src/state-machine/types.ts';
import { put, TestMachine } from '../state-machine/machine.ts';
import { Turns } from './turns.ts';

/** What one revision changed: per key the value after and before, null where there was none. */
interface Change {
  readonly key: string;
  readonly after: string | null;
  readonly before: string | null;
}

interface Watching extends KeyRange {
  readonly from: number;
  readonly previous: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
}

class Model {
  readonly pairs = new Map<string, string>();
  /** The oldest revision that is kept. */
  floor: Revision = 0;
  readonly revisions: { readonly revision: Revision; readonly changes: readonly Change[] }[] = [];

  apply(command: Command, revision: Revision): void {
    const changes: Change[] = [];
    const set = (key: string, after: string | null): void => {
      changes.push({ key, after, before: this.pairs.get(key) ?? null });
      if (after === null) this.pairs.delete(key);
      else this.pairs.set(key, after);
    };
    if (command.type === 'put') set(command.key, utf8Decode(command.value));
    if (command.type === 'txn') {
      for (const one of command.success) {
        if (one.type === 'put') set(one.key, utf8Decode(one.value));
      }
    }
    if (command.type === 'delete') {
      for (const key of [...this.pairs.keys()].sort()) if (matches(command, key)) set(key, null);
    }
    if (changes.length > 0) this.revisions.push({ revision, changes });
  }

  /** Everything that the watch is to be told up to a revision. */
  due(watching: Watching, upTo: Revision): string[] {
    return this.revisions
      .filter(({ revision }) => revision >= watching.from && revision <= upTo)
      .map(({ revision, changes }) => {
        const mine = changes.filter(
          ({ key, after }) =>
            matches(watching, key) && !(after === null ? watching.noDelete : watching.noPut),
        );
        return mine.length === 0 ? '' : this.line(revision, mine, watching);
      })
      .filter((line) => line !== '');
  }

  /** Whether what was there before is told of a revision depends on the moment, once the floor has reached it. */
  line(revision: Revision, changes: readonly Change[], { previous }: Watching): string {
    return text(revision, changes, previous && revision > this.floor);
  }
}

function text(revision: Revision, changes: readonly Change[], previous: boolean): string {
  const parts = changes.map(({ key, after, before }) => {
    return `${key}=${after ?? '†'}${previous ? `<${before}` : ''}`;
  });
  return `${revision} ${parts.join(' ')}`;
}

class Follower {
  readonly watching: Watching;
  readonly told: { readonly revision: Revision; readonly changes: readonly Change[] }[] = [];
  room = Number.POSITIVE_INFINITY;
  bookmark = 0;
  ended: RollcallError | null = null;
  handle: WatchHandle | null = null;

  constructor(watching: Watching) {
    this.watching = watching;
  }

  send({ revision, events, more }: WatchBatch): boolean {
    expect(more).toBe(false);
    const changes = events.map(({ type, pair, previous }) => ({
      key: pair.key,
      after: type === 'put' ? utf8Decode(pair.value) : null,
      before: textOf(previous),
    }));
    this.told.push({ revision, changes });
    return --this.room > 0;
  }

  progress(revision: Revision): void {
    this.bookmark = revision;
  }

  end(error: RollcallError): void {
    this.ended = error;
  }

  lines(model: Model): string[] {
    return this.told.map(({ revision, changes }) => model.line(revision, changes, this.watching));
  }
}

function textOf(pair: KeyValue | null): string | null {
  return pair === null ? null : utf8Decode(pair.value);
}

class Bed {
  readonly machine = new TestMachine();
  readonly model = new Model();
  readonly turns = new Turns();
  readonly hub: WatchHub;
  readonly followers: Follower[] = [];
  /** Applied, and not told yet: the rest of the entry is to come. */
  #owed: RevisionEvents[] = [];

  constructor() {
    const now = () => this.machine.machine;
    const source: WatchSource = {
      get revision() {
        return now().revision;
      },
      compactRevision: (space) => now().compactRevision(space),
      history: (space, range, from, max) => now().history(space, range, from, max),
      before: (space, key, revision) => now().before(space, key, revision),
    };
    this.hub = new WatchHub(source, this.turns);
  }

  get revision(): Revision {
    return this.machine.machine.revision;
  }

  write(command: Command): void {
    const before = this.revision;
    this.#owed.push(...this.machine.apply([command]).revisions);
    if (this.revision > before) this.model.apply(command, this.revision);
  }

  tell(): void {
    this.hub.applied(this.#owed);
    this.#owed = [];
  }

  watch(range: KeyRange, offset: number, flags: number): void {
    const from = Math.max(1, this.revision + offset);
    const [previous, noPut, noDelete] = [1, 2, 4].map((bit) => (flags & bit) !== 0) as Flags;
    const follower = new Follower({ ...range, from, previous, noPut, noDelete });
    const { watching } = follower;
    follower.handle = this.hub.watch({ ...watching, space: 'kv', progressMs: 0 }, follower);
    this.followers.push(follower);
  }

  /** The state of a node that is ahead takes the place of this one's. */
  receive(commands: readonly Command[]): void {
    for (const command of commands) this.write(command);
    this.#owed = [];
    this.machine.reload();
    this.hub.restored();
  }

  compact(back: number): void {
    const revision = this.revision - back;
    const floor = this.machine.machine.compactRevision('kv');
    if (revision <= floor) return;
    this.write({ type: 'compact', space: 'kv', revision });
    this.model.floor = revision;
  }

  /** What was told is the beginning of what is due, and all of it up to the bookmark. */
  check(): void {
    for (const follower of this.followers) {
      const { watching, bookmark } = follower;
      const due = this.model.due(watching, this.revision);
      const told = follower.lines(this.model);
      expect(told).toEqual(due.slice(0, told.length));
      expect(bookmark).toBeLessThanOrEqual(this.revision);
      expect(told.length).toBeGreaterThanOrEqual(this.model.due(watching, bookmark).length);
    }
  }

  /** Once everybody takes what comes, everybody has been told everything, or that it is gone. */
  finish(): void {
    this.tell();
    for (const follower of this.followers) {
      follower.room = Number.POSITIVE_INFINITY;
      follower.handle?.resume();
      follower.handle?.requestProgress();
    }
    this.turns.settle();
    this.check();
    for (const { watching, told, bookmark, ended } of this.followers) {
      if (ended !== null) {
        const floor = this.machine.machine.compactRevision('kv');
        const { compactRevision, resumeRevision } = ended.details;
        const next = Math.max(watching.from, (told.at(-1)?.revision ?? 0) + 1);
        expect(ended.code).toBe('compacted');
        expect(resumeRevision).toBe(compactRevision);
        expect(compactRevision).toBeLessThanOrEqual(floor);
        expect(compactRevision).toBeGreaterThan(next);
        continue;
      }
      expect(told).toHaveLength(this.model.due(watching, this.revision).length);
      expect(bookmark).toBe(this.revision);
    }
  }
}

type Flags = [previous: boolean, noPut: boolean, noDelete: boolean];

const key = fc.constantFrom('a', 'b', 'ba', 'bb', 'c', 'd');
const range = fc.oneof(
  fc.record({ key, rangeEnd: fc.constant(null) }),
  fc.constantFrom(
    ...[
      ['a', 'c'],
      ['b', 'c'],
      ['b', '\0'],
      ['\0', '\0'],
      ['ba', 'bb'],
    ].map(([from, to]) => ({ key: from as string, rangeEnd: to as string })),
  ),
);
const value = fc.string({ maxLength: 2 });
const write: fc.Arbitrary<Command> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(key, value).map(([at, text]) => put(at, text)) },
  range.map((keys) => ({ type: 'delete' as const, ...keys, previous: false })),
  fc.uniqueArray(key, { minLength: 2, maxLength: 4 }).map((keys) => ({
    type: 'txn' as const,
    compares: [],
    success: keys.map((at) => put(at, 't')),
    failure: [],
  })),
);
const who = fc.nat(20);
const step: fc.Arbitrary<(bed: Bed) => void> = fc.oneof(
  { weight: 8, arbitrary: write.map((command) => (bed: Bed) => bed.write(command)) },
  { weight: 6, arbitrary: fc.constant((bed: Bed) => bed.tell()) },
  { weight: 3, arbitrary: fc.constant((bed: Bed) => bed.turns.run()) },
  {
    weight: 4,
    arbitrary: fc.tuple(range, fc.integer({ min: -100, max: 100 }), fc.nat(7)).map(
      ([keys, offset, flags]) =>
        (bed: Bed) =>
          bed.watch(keys, offset, flags),
    ),
  },
  fc.tuple(who, fc.integer({ min: 1, max: 3 })).map(([at, room]) => (bed: Bed) => {
    const follower = bed.followers[at];
    if (follower !== undefined) follower.room = room;
  }),
  who.map((at) => (bed: Bed) => bed.followers[at]?.handle?.resume()),
  who.map((at) => (bed: Bed) => bed.followers[at]?.handle?.requestProgress()),
  fc.nat(8).map((back) => (bed: Bed) => bed.compact(back)),
  fc.array(write, { maxLength: 5 }).map((commands) => (bed: Bed) => bed.receive(commands)),
);

test('a watch is told what the model holds for it, in order, once, whole revisions, and no more', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const bed = new Bed();
      for (const take of steps) {
        take(bed);
        bed.check();
      }
      bed.finish();
    }),
    { numRuns: 50 },
  );
});
