/** Compaction in the smallest steps, with writes, further compactions and restarts in between. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RevisionLog } from '../../src/mvcc/revision-log.ts';
import { plainRange } from '../../src/mvcc/types.ts';
import { VersionTable } from '../../src/mvcc/version-table.ts';
import { rangeOf, TestSpace } from './space.ts';

const key = fc.constantFrom('a', 'b', 'c');
const step = fc.oneof(
  { arbitrary: fc.record({ type: fc.constant('put' as const), key }), weight: 4 },
  { arbitrary: fc.record({ type: fc.constant('delete' as const), key }), weight: 2 },
  fc.record({ type: fc.constant('deleteAll' as const) }),
  fc.record({ type: fc.constant('compact' as const), back: fc.nat({ max: 6 }) }),
  fc.record({ type: fc.constant('remove' as const), changesMin: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('reload' as const) }),
);

interface Change {
  readonly revision: number;
  readonly key: string;
  readonly isPut: boolean;
}

class Tested {
  space = new TestSpace();
  /** Everything that was ever changed. */
  readonly changes: Change[] = [];

  write(keys: readonly string[], isPut: boolean): void {
    const before = this.space.revision;
    if (isPut) this.space.put(keys[0] ?? '');
    else if (keys.length === 1) this.space.delete(keys[0] ?? '');
    else this.space.deleteAll();
    const revision = this.space.revision;
    if (revision === before) return;
    const gone = [...this.keysAt(before)].filter((one) => keys.includes(one)).sort();
    for (const one of isPut ? keys : gone) this.changes.push({ revision, key: one, isPut });
  }

  keysAt(revision: number): Set<string> {
    const keys = new Set<string>();
    for (const change of this.changes) {
      if (change.revision > revision) continue;
      if (change.isPut) keys.add(change.key);
      else keys.delete(change.key);
    }
    return keys;
  }

  /** Every revision from the floor on is read and watched as if nothing had ever been compacted. */
  check(): void {
    const { space, revision } = this.space;
    const floor = space.compactRevision;
    const all = { key: '\0', rangeEnd: '\0' };
    const keys = { ...plainRange, ...all, keysOnly: true };
    for (let at = Math.max(1, floor); at <= revision; at++) {
      const { pairs, count } = rangeOf(space, { ...keys, revision: at });
      expect(pairs.map((pair) => pair.key)).toEqual([...this.keysAt(at)].sort());
      expect(count).toBe(pairs.length);
      for (const pair of pairs) {
        const last = this.changes.findLast(
          (change) => change.key === pair.key && change.revision <= at,
        );
        expect(pair.modRevision).toBe(last?.revision);
      }
    }
    const { revisions } = space.history(all, floor, Number.POSITIVE_INFINITY);
    const seen = revisions.flatMap(({ revision: at, events }) =>
      events.map(({ type, pair }) => ({ revision: at, key: pair.key, isPut: type === 'put' })),
    );
    expect(seen).toEqual(this.changes.filter((change) => change.revision >= floor));
  }
}

test('from the floor on everything is as it was, however far the removal has come', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const tested = new Tested();
      for (const one of steps) {
        const { space } = tested;
        switch (one.type) {
          case 'put':
            tested.write([one.key], true);
            break;
          case 'delete':
            tested.write([one.key], false);
            break;
          case 'deleteAll':
            tested.write(['a', 'b', 'c'], false);
            break;
          case 'compact':
            space.compact(Math.max(1, space.revision - one.back));
            break;
          case 'remove':
            space.remove(one.changesMin);
            break;
          case 'reload':
            tested.space = space.reloaded();
            break;
        }
        tested.check();
      }
      const { space } = tested;
      while (space.isUnfinished) space.remove(1);
      tested.check();
      const { compactRevision: floor } = space.space;
      const live = [...tested.keysAt(floor)].filter((one) =>
        tested.changes.every((change) => change.key !== one || change.revision !== floor),
      );
      const later = tested.changes.filter((change) => change.revision >= floor);
      expect(space.space.index.log.length).toBe(live.length + later.length);
      expect(space.values.size).toBe(live.length + later.filter((change) => change.isPut).length);
    }),
    { numRuns: 120 },
  );
});

test('a key with many versions loses them in many steps', () => {
  const tested = new TestSpace();
  for (let at = 0; at < 5000; at++) tested.put('hot');
  tested.compact(tested.revision);
  let dropped = 0;
  const perStep: number[] = [];
  const steps = tested.space.removeSteps(4096, () => dropped++);
  for (let done: boolean | undefined = false; !done; ) {
    const before = dropped;
    ({ done } = steps.next());
    perStep.push(dropped - before);
  }
  expect(dropped).toBe(4095);
  expect(Math.max(...perStep)).toBeLessThanOrEqual(1024);
});

test('a log stays in order whatever is removed from its middle', () => {
  const operations = fc.array(fc.tuple(fc.nat({ max: 4 }), fc.nat()), { maxLength: 60 });
  fc.assert(
    fc.property(operations, (given) => {
      const table = new VersionTable();
      const log = new RevisionLog(table);
      let expected: { slot: number; revision: number }[] = [];
      let revision = 0;
      const append = (count: number): void => {
        for (; count > 0; count--) {
          revision += count % 3 === 0 ? 0 : 1;
          const slot = table.add(0, versionOf(revision, count));
          log.append(slot);
          expected.push({ slot, revision });
        }
      };
      for (const [kind, number] of given) {
        if (kind < 2) append(number % 900);
        else if (kind === 2 && expected.length > 0) {
          log.pop();
          expected.pop();
        } else {
          const from = number % (expected.length + 1);
          const removed = expected.slice(from, from + 700);
          for (const { slot } of removed) log.remove(slot);
          for (const { slot } of removed) table.remove(slot);
          expected = [...expected.slice(0, from), ...expected.slice(from + 700)];
        }
        const at = Math.floor(revision / 2);
        const slots = expected.filter((one) => one.revision >= at).map(({ slot }) => slot);
        expect([...log.from(at)]).toEqual(slots);
        expect([...log.from(0)]).toEqual(expected.map(({ slot }) => slot));
        expect(log.length).toBe(expected.length);
        expect(log.newest).toBe(expected.at(-1)?.slot ?? -1);
      }
    }),
    { numRuns: 60 },
  );
});

function versionOf(revision: number, sub: number): Parameters<VersionTable['add']>[1] {
  return {
    ...{ revision, sub, createRevision: revision, version: 1, leaseId: null, tombstone: false },
    ...{ cause: 'request', valueLength: 0, valueHash: { high: 0, low: 0 } },
  };
}
