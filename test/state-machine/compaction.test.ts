/** Removal that takes many entries, and what the state knows of the age of its revisions. */
import { expect, test } from 'vitest';
import type { Command } from '../../src/state-machine/types.ts';
import { put, TestMachine } from './machine.ts';

const compactAt = (revision: number): Command => ({ type: 'compact', space: 'kv', revision });

function filled(): TestMachine {
  const tested = new TestMachine();
  for (let round = 0; round < 60; round++) {
    tested.apply(Array.from({ length: 100 }, (_, key) => put(`k${key}`, `${round}`)));
  }
  tested.run({ type: 'delete', key: 'k1', rangeEnd: 'k2', previous: false });
  return tested;
}

test('what is compacted goes in steps that are the same after a restart between any two', () => {
  const straight = filled();
  const restarted = filled();
  const { revision } = straight.machine;
  const stored = straight.machine.storedBytes;
  const commands: readonly (readonly Command[])[] = [
    [compactAt(revision - 3000)],
    [put('k7', 'between')],
    [],
    [compactAt(revision)],
    [{ type: 'delete', key: 'k3', rangeEnd: null, previous: false }],
  ];
  let entries = 0;
  for (const given of commands) {
    restarted.reload();
    expect(restarted.apply(given)).toEqual(straight.apply(given));
    expect(restarted.digest).toBe(straight.digest);
  }
  for (; straight.machine.compactionUnfinished; entries++) {
    restarted.reload();
    straight.apply([]);
    restarted.apply([]);
    expect(restarted.digest).toBe(straight.digest);
    expect(restarted.machine.removedRevisions).toEqual(straight.machine.removedRevisions);
    expect(restarted.machine.storedBytes).toBe(straight.machine.storedBytes);
  }
  expect(entries).toBeGreaterThan(0);
  restarted.reload();
  expect(restarted.records.map).toEqual(straight.records.map);
  expect(straight.machine.storedBytes).toBeLessThan(stored / 40);
  // Of 100 keys 11 were deleted at the floor itself, and two changed after it.
  const index = [...straight.records.map.keys()].filter((key) => key.startsWith('ki'));
  expect(index).toHaveLength(100 + 2);
});

test('a floor is refused where there is one already, and where no revision is yet', () => {
  const tested = filled();
  const { revision } = tested.machine;
  expect(tested.run(compactAt(revision + 1))).toMatchObject({ code: 'futureRevision' });
  expect(tested.run(compactAt(revision - 5))).toMatchObject({ ok: true });
  for (const below of [1, revision - 5]) {
    const details = { compactRevision: revision - 5 };
    expect(tested.run(compactAt(below))).toMatchObject({ code: 'compacted', details });
  }
  expect(tested.machine.compactRevisions).toEqual([revision - 5, 0]);
});

test('the age of revisions is known within a few percent, and comes back with the state', () => {
  const tested = new TestMachine();
  tested.run({ type: 'raiseFeatureLevel', level: 2 });
  const hourMs = 3_600_000;
  const madeMs = new Map<number, number>();
  for (let nowMs = 0; nowMs <= hourMs; nowMs += 500) {
    tested.run(put('k'), nowMs);
    madeMs.set(tested.machine.revision, nowMs);
  }
  tested.reload();
  expect(tested.machine.timeMarks.length).toBeLessThan(400);
  expect(tested.machine.revisionBefore(-1)).toBe(0);
  for (let ageMs = 60_000; ageMs < hourMs; ageMs += 60_000) {
    const revision = tested.machine.revisionBefore(hourMs - ageMs);
    const oldMs = hourMs - (madeMs.get(revision) ?? 0);
    expect(oldMs).toBeGreaterThanOrEqual(ageMs);
    expect(oldMs - ageMs).toBeLessThanOrEqual(hourMs / 60);
  }
  const { revision } = tested.machine;
  tested.apply([compactAt(revision), { type: 'compact', space: 'registry', revision }]);
  expect(tested.machine.timeMarks).toEqual([{ revision, logTimeMs: hourMs }]);
});

test('the history of a number of changes is told by the one that so many follow', () => {
  const machine = new TestMachine();
  for (let at = 0; at < 3000; at += 100) {
    machine.apply(Array.from({ length: 100 }, (_, one) => put(`k/${at + one}`, 'x')));
  }
  const followedBy = (changes: number) => machine.machine.revisionFollowedBy('kv', changes);
  for (const changes of [0, 1, 999, 1024, 2999]) expect(followedBy(changes)).toBe(3001 - changes);
  expect(followedBy(3000)).toBe(0);
  // Revisions that nobody was given are no history.
  machine.run({ type: 'beginIncarnation' });
  machine.apply([put('after', 'x')]);
  expect(machine.machine.revision).toBeGreaterThan(2 ** 32);
  expect(followedBy(1000)).toBe(2002);
  expect(machine.machine.revisionFollowedBy('registry', 1)).toBe(0);
});
