import { expect, test } from 'vitest';
import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';
import type { Append } from '../../src/format/types.ts';
import type { Storage } from '../../src/storage/types.ts';
import type { CutMode } from '../sim/file-content.ts';
import { Power } from '../sim/power.ts';
import { LogModel } from './log-model.ts';
import { appendOf, entriesFrom, headerAt, Machine, settle } from './machine.ts';

/** What was acknowledged before the power went, and the same with the append that was out. */
interface Acknowledged {
  readonly certain: LogModel;
  readonly possible: LogModel;
}

const vote = { currentTerm: 2, votedFor: '00000000000000a2', commitIndex: 3 };

/** Votes, a cut log, two new segments and several generations, in a few appends. */
const script: readonly Append[] = [
  appendOf(entriesFrom(1, 3, 1)),
  appendOf([], { currentTerm: 1, votedFor: '00000000000000a1', commitIndex: 2 }),
  appendOf(entriesFrom(4, 2, 1, 20_000)),
  appendOf(entriesFrom(5, 3, 2, 9_000), vote),
  appendOf(entriesFrom(8, 1, 2, 30_000), { ...vote, commitIndex: 7 }),
  appendOf(entriesFrom(9, 1, 2)),
  appendOf(entriesFrom(10, 3, 2, 25_000), { ...vote, commitIndex: 9 }),
  appendOf([], { currentTerm: 3, votedFor: null, commitIndex: 9 }),
  appendOf(entriesFrom(11, 1, 3), { currentTerm: 3, votedFor: null, commitIndex: 10 }),
];

/** Runs appends until the power goes; writes a generation for what is committed after each. */
async function run(
  machine: Machine,
  appends: readonly Append[],
  acknowledged: Acknowledged,
): Promise<Acknowledged> {
  let { certain, possible } = acknowledged;
  let storage: Storage | null = null;
  try {
    storage = await machine.open({ generationBytesMax: 1 });
    for (const append of appends) {
      possible = certain.copy();
      possible.append(append);
      await storage.append(append);
      certain = possible;
      applyCommitted(storage, append);
      machine.clock.step(machine.clock.monotonic() + 4);
    }
    while (machine.clock.step(machine.clock.monotonic() + 100)) await settle();
    await storage.close();
  } catch (error) {
    if (!machine.power.isOff) throw error;
  }
  return { certain, possible };
}

function applyCommitted(storage: Storage, append: Append): void {
  const index = append.hardState?.commitIndex ?? 0;
  if (index <= (storage.checkpoint?.applied.index ?? 0)) return;
  storage.overlay.write(`k${index}`, Uint8Array.of(index));
  storage.applied(() => headerAt(index, index <= 4 ? 1 : 2));
}

/** Opens the machine after a cut: exactly the acknowledged appends, or those and the one that was out. */
async function expectRecovered(machine: Machine, acknowledged: Acknowledged): Promise<LogModel> {
  const storage = await machine.open();
  const { certain, possible } = acknowledged;
  const found = [certain, possible].find((model) => model.matches(storage));
  expect(found, 'neither with nor without the append that was out').toBeDefined();
  expect(await found?.matchesReading(storage)).toBe(true);
  await storage.close();
  return found ?? certain;
}

async function cutAndCheck(at: number, mode: CutMode, random: Random): Promise<boolean> {
  // What a killed process has left to the system is lost if the power goes later.
  const later = mode === 'kill' ? 'random' : mode;
  const machine = new Machine(new Power(at));
  const none = { certain: new LogModel(), possible: new LogModel() };
  const acknowledged = await run(machine, script, none);
  // The next start is cut as well, somewhere in its recovery.
  const second = machine.cut(mode, random);
  second.power.cutAfter(randomBelow(random, 6));
  const during = await run(second, [], acknowledged);
  const third = second.cut(later, random);
  const found = await expectRecovered(third, during);
  // What was recovered can be continued.
  const more = appendOf(entriesFrom(found.last + 1, 1, 9, 40_000));
  const fourth = third.cut(mode === 'kill' ? 'kill' : 'keep', random);
  const after = await run(fourth, [more], { certain: found, possible: found });
  expect(after.certain.last).toBe(found.last + 1);
  await expectRecovered(fourth.cut(later, random), after);
  return machine.power.operations < at;
}

for (const mode of ['drop', 'keep', 'random', 'kill'] as const) {
  test(`a power cut at every operation, unsynced bytes: ${mode}`, async () => {
    let isPast = false;
    let at = 0;
    while (!isPast) {
      at++;
      const seeds = mode === 'random' || mode === 'kill' ? 6 : 1;
      for (let seed = 1; seed <= seeds; seed++) {
        isPast = await cutAndCheck(at, mode, createPrng(at * 1000 + seed));
      }
    }
    expect(at).toBeGreaterThan(40);
  });
}
