/** The log in memory, its window of in-flight messages and its disk marks against plain arrays. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inflights } from '../../src/raft/inflights.ts';
import { boundedCount, Log } from '../../src/raft/log.ts';
import { Persistence } from '../../src/raft/persistence.ts';
import type { Append, Configuration, Entry, Index, Term } from '../../src/raft/types.ts';
import { command, configurationOf, writeEntries } from './member.ts';

const birth = configurationOf(['a']);
const origin = { last: { term: 0, index: 0 }, configuration: birth };

/** One step: append entries of a term that may rise, cut, or compact at a fraction of what is there. */
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('append' as const), rise: fc.nat(2) }) },
    fc.record({
      type: fc.constant('configuration' as const),
      voters: fc.subarray(['a', 'b', 'c']),
    }),
    fc.record({ type: fc.constant('truncate' as const), at: fc.nat(999) }),
    fc.record({ type: fc.constant('compact' as const), at: fc.nat(999) }),
  ),
  { maxLength: 60 },
);
type Step = (typeof steps extends fc.Arbitrary<infer T> ? T : never)[number];

/** All entries from index 1 on, and how many of them are compacted. */
interface Model {
  entries: Entry[];
  base: Index;
}

function lastTerm({ entries }: Model): Term {
  return entries.at(-1)?.term ?? 0;
}

function run(step: Step, log: Log, model: Model): void {
  const index = model.entries.length + 1;
  const inMemory = model.entries.length - model.base;
  if (step.type === 'append' || step.type === 'configuration') {
    const entry: Entry =
      step.type === 'append'
        ? command(Math.max(1, lastTerm(model) + step.rise), index)
        : {
            term: Math.max(1, lastTerm(model)),
            index,
            type: 'configuration',
            configuration: configurationOf(step.voters),
          };
    log.append(entry);
    model.entries.push(entry);
  } else if (inMemory === 0) {
    return;
  } else if (step.type === 'truncate') {
    const from = model.base + 1 + (step.at % inMemory);
    log.truncateFrom(from);
    model.entries.length = from - 1;
  } else {
    const at = model.base + 1 + (step.at % inMemory);
    log.compact(at);
    model.base = at;
  }
}

function configurationIn({ entries }: Model): Configuration {
  const newest = entries.findLast(({ type }) => type === 'configuration');
  return newest?.type === 'configuration' ? newest.configuration : birth;
}

describe('Log', () => {
  test('is an array of entries of which a prefix is forgotten', () => {
    fc.assert(
      fc.property(steps, fc.nat(70), fc.nat(70), (script, left, right) => {
        const log = new Log(origin, []);
        const model: Model = { entries: [], base: 0 };
        for (const step of script) run(step, log, model);
        const { entries, base } = model;
        expect(log.base).toEqual({ term: entries[base - 1]?.term ?? 0, index: base });
        expect(log.lastIndex).toBe(entries.length);
        expect(log.last).toEqual({ term: lastTerm(model), index: entries.length });
        expect(log.configuration).toEqual(configurationIn(model));
        for (let index = 0; index <= entries.length + 1; index++) {
          const known = index === 0 ? 0 : (entries[index - 1]?.term ?? null);
          expect(log.termAt(index)).toBe(index < base ? null : known);
        }
        const after = base + (left % (entries.length - base + 1));
        const through = after + (right % (entries.length - after + 1));
        expect(log.slice(after, through)).toEqual(entries.slice(after, through));
      }),
    );
  });

  test('a hint is the last entry at or below an index that is not above a term', () => {
    fc.assert(
      fc.property(steps, fc.nat(12), fc.nat(70), fc.nat(70), (script, term, index, low) => {
        const log = new Log(origin, []);
        const model: Model = { entries: [], base: 0 };
        for (const step of script) if (step.type !== 'compact') run(step, log, model);
        const floor = Math.min(low, index, model.entries.length);
        const hint = log.lastNotAbove(term, index, floor);
        const candidates = [{ term: 0, index: 0 }, ...model.entries].filter(
          (entry) => entry.index >= floor && entry.index <= index && entry.term <= term,
        );
        expect(hint.index).toBe(candidates.at(-1)?.index ?? floor);
      }),
    );
  });

  test('a slice for a message respects both bounds, and has at least one entry', () => {
    const sizes = fc.array(fc.nat(300), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 9 }), fc.nat(900), (lengths, count, bytes) => {
        const entries = lengths.map((length, at) => command(1, at + 1, 'x'.repeat(length)));
        const bounds = { entriesPerMessageMax: count, bytesPerMessageMax: bytes };
        const taken = boundedCount(entries, 0, bounds);
        const weigh = (n: number): number =>
          lengths.slice(0, n).reduce((sum, length) => sum + length + 32, 0);
        expect(taken).toBeGreaterThanOrEqual(1);
        expect(taken).toBeLessThanOrEqual(Math.min(count, entries.length));
        if (taken > 1) expect(weigh(taken)).toBeLessThanOrEqual(bytes);
        if (taken < Math.min(count, entries.length)) {
          expect(weigh(taken + 1)).toBeGreaterThan(bytes);
        }
      }),
    );
  });
});

describe('Inflights', () => {
  test('is a queue of last indexes, bounded by count and by bytes', () => {
    const added = fc.record({ bytes: fc.nat(60) });
    const script = fc.array(fc.oneof(added, fc.nat(40)), { maxLength: 80 });
    const bounds = fc.record({
      inflightMessagesMax: fc.integer({ min: 1, max: 5 }),
      inflightBytesMax: fc.integer({ min: 1, max: 150 }),
    });
    fc.assert(
      fc.property(bounds, script, (most, actions) => {
        const inflights = new Inflights(most);
        let model: { readonly index: Index; readonly bytes: number }[] = [];
        let next = 1;
        const isFull = (): boolean =>
          model.length === most.inflightMessagesMax ||
          model.reduce((sum, { bytes }) => sum + bytes, 0) >= most.inflightBytesMax;
        for (const action of actions) {
          if (typeof action === 'number') {
            inflights.freeThrough(action);
            model = model.filter(({ index }) => index > action);
          } else if (!isFull()) {
            inflights.add(next, action.bytes);
            model.push({ index: next, bytes: action.bytes });
            next += 1;
          }
          expect(inflights.isFull).toBe(isFull());
        }
        inflights.clear();
        expect(inflights.isFull).toBe(false);
      }),
    );
  });
});

describe('Persistence', () => {
  const actions = fc.array(
    fc.oneof(
      fc.constant('append' as const),
      fc.constant('take' as const),
      fc.constant('complete' as const),
      fc.record({ replaceAt: fc.nat(99) }),
    ),
    { maxLength: 80 },
  );

  test('what counts as persisted is on the disk as it is in the log, and in the end all is', () => {
    fc.assert(
      fc.property(actions, (script) => {
        const log = new Log(origin, []);
        const persistence = new Persistence({ currentTerm: 0, votedFor: null, commitIndex: 0 }, 0);
        let term = 1;
        let disk: readonly Entry[] = [];
        let out: Append | null = null;
        const take = (): void => {
          out = persistence.take(term, null, 0, log) ?? out;
        };
        const complete = (): void => {
          if (out === null) return;
          disk = writeEntries(disk, out.entries);
          persistence.complete(out.number);
          out = null;
        };
        for (const action of script) {
          if (action === 'take') take();
          else if (action === 'complete') complete();
          else if (action === 'append') log.append(command(term, log.lastIndex + 1));
          else if (log.lastIndex > 0) {
            const from = 1 + (action.replaceAt % log.lastIndex);
            term++;
            log.truncateFrom(from);
            persistence.truncateFrom(from);
            log.append(command(term, from));
          }
          const { persistedIndex } = persistence;
          expect(disk.slice(0, persistedIndex)).toEqual(log.slice(0, persistedIndex));
        }
        complete();
        take();
        complete();
        expect(disk).toEqual(log.slice(0, log.lastIndex));
        expect(persistence.persistedIndex).toBe(log.lastIndex);
        expect(persistence.take(term, null, 0, log)).toBeNull();
      }),
    );
  });
});
