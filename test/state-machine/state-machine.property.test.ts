import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Refusal } from '../../src/base/refusal.ts';
import type { RangeRequest } from '../../src/mvcc/types.ts';
import type { Command, Outcome, RevisionEvents } from '../../src/state-machine/types.ts';
import { anyRange, anyRangeOperation, anyStep, type Step } from './arbitrary.ts';
import { TestMachine } from './machine.ts';
import { contains, Model, ModelRefusal } from './model.ts';
import { readRange } from './read-range.ts';

function runModel(model: Model, command: Command): unknown {
  switch (command.type) {
    case 'leaseGrant': {
      if (model.leases.has(command.leaseId)) throw new ModelRefusal('leaseExists');
      const { ttlMs } = command;
      model.leases.set(command.leaseId, { ttlMs, deadlineMs: model.now + ttlMs });
      return command;
    }
    case 'leaseRevoke':
      if (!model.leases.has(command.leaseId)) throw new ModelRefusal('leaseNotFound');
      model.endLease(command.leaseId, 'leaseRevoked');
      return { type: 'leaseRevoke' };
    case 'leaseKeepAlive':
      return {
        type: 'leaseKeepAlive',
        ttlsMs: command.leaseIds.map((id) => {
          const lease = model.leases.get(id);
          if (lease === undefined) return 0;
          lease.deadlineMs = model.now + lease.ttlMs;
          return lease.ttlMs;
        }),
        instances: command.leaseIds.map(() => 0),
      };
    case 'compact':
      model.compact(command.revision);
      return { type: 'compact' };
    case 'put':
    case 'delete':
    case 'txn':
      return model.write(command);
    default:
      throw new Error('The model knows no registry');
  }
}

function expectOutcome(outcome: Outcome, model: Model, command: Command): void {
  try {
    const result = runModel(model, command);
    expect(outcome).toEqual({ ok: true, revision: model.revision, result });
  } catch (error) {
    if (!(error instanceof ModelRefusal)) throw error;
    expect(outcome).toMatchObject({ ok: false, revision: model.revision, code: error.message });
  }
}

function modelEvents(model: Model, from: number): RevisionEvents[] {
  const revisions: { space: 'kv'; revision: number; events: unknown[] }[] = [];
  for (const { pair, deleted, cause } of model.versions) {
    const revision = pair.modRevision;
    if (revision < from) continue;
    if (revisions.at(-1)?.revision !== revision)
      revisions.push({ space: 'kv', revision, events: [] });
    revisions.at(-1)?.events.push({ type: deleted ? 'delete' : 'put', pair, cause });
  }
  return revisions as RevisionEvents[];
}

function applyStep(tested: TestMachine, model: Model, { elapsedMs, commands }: Step): void {
  const before = model.revision;
  const { outcomes, revisions } = tested.apply(commands, tested.logTimeMs + elapsedMs);
  model.advance(tested.logTimeMs);
  for (const [at, command] of commands.entries()) {
    // The outcome tells the revision right after its command, so the model goes one at a time too.
    expectOutcome(outcomes[at] as Outcome, model, command);
  }
  expect(revisions).toEqual(modelEvents(model, before + 1));
  expect(tested.machine.revision).toBe(model.revision);
  expect(tested.machine.deadlinesPending).toBe(model.leases.size > 0);
  expect(tested.machine.expiryUnfinished).toBe(false);
}

function expectLeases(tested: TestMachine, model: Model): void {
  const sorted = [...model.leases].sort(([left], [right]) => (left < right ? -1 : 1));
  expect(tested.machine.leaseList()).toEqual(
    sorted.map(([leaseId, { ttlMs, deadlineMs }]) => ({
      leaseId,
      ttlMs,
      remainingMs: deadlineMs - model.now,
    })),
  );
  const pairs = [...model.state(model.revision).values()];
  for (const [leaseId] of model.leases) {
    const held = pairs.filter((pair) => pair.leaseId === leaseId).map(({ key }) => key);
    expect(tested.machine.leaseTimeToLive(leaseId, 100)?.keys).toEqual(held.sort());
  }
}

/** What the model reads, or the code of its refusal. */
function rangeOf(model: Model, read: RangeRequest): unknown {
  try {
    const { type: _, ...result } = model.range(read, model.revision);
    return result;
  } catch (error) {
    if (!(error instanceof ModelRefusal)) throw error;
    return error.message;
  }
}

/** Once all that is compacted is removed, exactly the records that are needed are left. */
function expectKept(tested: TestMachine, model: Model): void {
  while (tested.machine.compactionUnfinished) tested.apply([]);
  const revisions = [...tested.records.map.keys()]
    .filter((key) => key.startsWith('ki'))
    .map((key) => Buffer.from(key.slice(2, 10), 'latin1').readBigUInt64BE());
  const expected = model.kept().map(({ pair }) => BigInt(pair.modRevision));
  expect(revisions.sort()).toEqual(expected.sort());
}

const steps = fc.array(anyStep, { maxLength: 25, size: 'max' });

describe('the kv state does what a list of versions does', () => {
  test('commands, reads at every revision, history and leases', () => {
    const queries = fc.array(anyRangeOperation, { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(
        steps,
        queries,
        anyRange,
        fc.nat({ max: 30 }),
        (given, reads, watched, wanted) => {
          const tested = new TestMachine();
          const model = new Model();
          for (const step of given) applyStep(tested, model, step);
          for (const read of reads) {
            const found = readRange(tested.machine, 'kv', read);
            expect(found instanceof Refusal ? found.code : found).toEqual(rangeOf(model, read));
          }
          expectLeases(tested, model);
          expectKept(tested, model);
          const from = Math.max(model.floor, wanted);
          const all = modelEvents(model, from).map((revision) => ({
            ...revision,
            events: revision.events.filter(({ pair }) => contains(watched, pair.key)),
          }));
          const seen: RevisionEvents[] = [];
          for (let next = from; next <= model.revision; ) {
            const page = tested.machine.history('kv', watched, next, 2);
            expect(page.next).toBeGreaterThan(next);
            seen.push(...page.revisions);
            next = page.next;
          }
          expect(seen).toEqual(all.filter(({ events }) => events.length > 0));
          for (const { revision, events } of seen) {
            for (const { pair } of events) {
              const isCompacted = revision <= model.floor;
              const previous = isCompacted ? undefined : model.state(revision - 1).get(pair.key);
              expect(tested.machine.before('kv', pair.key, revision)).toEqual(previous ?? null);
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test('the same log gives the same digest, also from records taken in the middle', () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: 25 }), (given, reloadAt) => {
        const straight = new TestMachine();
        const reloaded = new TestMachine();
        for (const [at, { elapsedMs, commands }] of given.entries()) {
          if (at === reloadAt) reloaded.reload();
          const expected = straight.apply(commands, straight.logTimeMs + elapsedMs);
          expect(reloaded.apply(commands, reloaded.logTimeMs + elapsedMs)).toEqual(expected);
          expect(reloaded.digest).toBe(straight.digest);
        }
        reloaded.reload();
        expect(reloaded.machine.leaseList()).toEqual(straight.machine.leaseList());
        expect(reloaded.records.map).toEqual(straight.records.map);
      }),
      { numRuns: 150 },
    );
  });
});
