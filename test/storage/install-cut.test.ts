/** The power goes at every operation of a life with installs, releases and generations. */
import { expect, test } from 'vitest';
import { createPrng, type Random } from '../../src/base/prng.ts';
import type { Append, EntryId, Index } from '../../src/format/types.ts';
import { type StorageFailpoint, storageFailpoints } from '../../src/storage/failpoints.ts';
import type { StorageOptions } from '../../src/storage/storage.ts';
import type { Storage } from '../../src/storage/types.ts';
import type { CutMode } from '../sim/file-content.ts';
import { Power } from '../sim/power.ts';
import { LogModel } from './log-model.ts';
import { appendOf, entriesFrom, Machine, settle } from './machine.ts';
import { applyUpTo, receiveState, recordsOf, snapshotOf, stateAt } from './state.ts';

/** One life of a member until the power goes, and what it was told is durable. */
class Life {
  readonly #machine: Machine;
  readonly #options: Partial<StorageOptions>;
  certain: LogModel;
  /** The same with the append that is out. */
  possible: LogModel;

  constructor(machine: Machine, log: LogModel, options: Partial<StorageOptions> = {}) {
    this.#machine = machine;
    this.#options = options;
    this.certain = log;
    this.possible = log;
  }

  async run(script: (life: Life, storage: Storage) => Promise<void>): Promise<void> {
    try {
      const storage = await this.#machine.open({ generationBytesMax: 1, ...this.#options });
      await script(this, storage);
      await this.pause();
      await storage.close();
    } catch (error) {
      if (!this.#machine.power.isOff) throw error;
    }
  }

  async append(storage: Storage, append: Append): Promise<void> {
    this.possible = this.certain.copy();
    this.possible.append(append);
    await storage.append(append);
    this.certain = this.possible;
  }

  apply(storage: Storage, index: Index): void {
    const id = this.certain.idAt(index);
    if (id !== null) applyUpTo(storage, id);
  }

  /** Long enough for slots and everything else in the background. */
  async pause(): Promise<void> {
    const { clock } = this.#machine;
    await settle();
    while (clock.step(clock.monotonic() + 100)) await settle();
  }
}

function at(term: number, index: Index): EntryId {
  return { term, index };
}

const vote = { votedFor: '00000000000000a2', commitIndex: 3 };

async function installTwice(life: Life, storage: Storage): Promise<void> {
  await life.append(storage, appendOf(entriesFrom(1, 5, 1, 9_000), { currentTerm: 1, ...vote }));
  life.apply(storage, 3);
  await life.append(storage, appendOf(entriesFrom(6, 4, 1, 15_000)));
  await storage.releaseLog(9);
  // A state that nobody wants in the end.
  await (await receiveState(storage, at(2, 7))).abort();
  // One that the log does not lead to: nothing of the log is left.
  await receiveState(storage, at(2, 8));
  const after = { ...appendOf(entriesFrom(9, 2, 2, 5_000)), snapshot: snapshotOf(at(2, 8)) };
  await life.append(storage, { ...after, hardState: { currentTerm: 2, ...vote, commitIndex: 8 } });
  await life.pause();
  life.apply(storage, 9);
  await life.append(storage, appendOf(entriesFrom(11, 5, 2, 9_000)));
  // One in the midst of the log: what follows it stays.
  await receiveState(storage, at(2, 13));
  await life.append(storage, { ...appendOf([]), snapshot: snapshotOf(at(2, 13)) });
  await life.append(storage, appendOf(entriesFrom(16, 3, 3, 30_000)));
  life.apply(storage, 14);
  await life.pause();
  await storage.releaseLog(14);
  await life.append(storage, appendOf(entriesFrom(17, 1, 4)));
}

/** The log with or without the append that was out, and exactly the state that belongs to it. */
async function expectRecovered(machine: Machine, life: Life): Promise<LogModel> {
  const storage = await machine.open();
  const found = [life.certain, life.possible].find((model) => model.matches(storage));
  expect(found, 'neither with nor without the append that was out').toBeDefined();
  expect(await found?.matchesReading(storage)).toBe(true);
  const applied = storage.checkpoint?.applied.index ?? 0;
  expect(storage.isStateMissing).toBe(false);
  expect(await recordsOf(storage.load('', '\xff'))).toEqual(stateAt(applied));
  expect((await machine.files.list('state')).length).toBe(1);
  await storage.close();
  return found ?? life.certain;
}

/** Recovers twice, the first time interrupted as well, and goes on. */
async function checkAfter(first: Machine, life: Life, mode: CutMode, random: Random) {
  const second = first.cut(mode, random);
  second.power.cutAfter(Math.floor(random() * 6));
  const during = new Life(second, life.certain);
  during.possible = life.possible;
  await during.run(async () => {});
  const third = second.cut(mode, random);
  const found = await expectRecovered(third, during);
  const fourth = third.cut('keep');
  const after = new Life(fourth, found);
  await after.run((again, storage) =>
    again.append(storage, appendOf(entriesFrom(found.last + 1, 2, 9, 40_000))),
  );
  expect(after.certain.last).toBe(found.last + 2);
  await expectRecovered(fourth.cut(mode, random), after);
}

for (const mode of ['drop', 'keep', 'random'] as const) {
  test(`a power cut at every operation, unsynced bytes and names: ${mode}`, async () => {
    let isPast = false;
    let operation = 0;
    while (!isPast) {
      operation++;
      for (let seed = 1; seed <= (mode === 'random' ? 4 : 1); seed++) {
        const machine = new Machine(new Power(operation));
        const life = new Life(machine, new LogModel());
        await life.run(installTwice);
        await checkAfter(machine, life, mode, createPrng(operation * 1000 + seed));
        isPast = machine.power.operations < operation;
      }
    }
    expect(operation).toBeGreaterThan(100);
  }, 60_000);
}

/** How often the script comes by each failpoint. */
async function failpointsMet(): Promise<Map<StorageFailpoint, number>> {
  const met = new Map<StorageFailpoint, number>();
  const note = (name: StorageFailpoint): void => {
    met.set(name, (met.get(name) ?? 0) + 1);
  };
  await new Life(new Machine(new Power()), new LogModel(), { failpoint: note }).run(installTwice);
  return met;
}

test('a crash at every failpoint', async () => {
  const met = await failpointsMet();
  for (const [name, times] of met) {
    for (let time = 1; time <= times; time++) {
      const machine = new Machine(new Power());
      let left = time;
      const failpoint = (reached: StorageFailpoint): void => {
        if (reached !== name || --left > 0) return;
        machine.power.off();
        machine.power.check();
      };
      const life = new Life(machine, new LogModel(), { failpoint });
      await life.run(installTwice);
      expect(machine.power.isOff, `${name}, time ${time}`).toBe(true);
      await checkAfter(machine, life, 'random', createPrng(time));
    }
  }
  const repairs = /^(aside|renew)\./;
  const names = Object.keys(storageFailpoints).filter((name) => !repairs.test(name));
  expect([...met.keys()].sort()).toEqual(names.sort());
}, 60_000);

test('a failure at every failpoint ends the storage, or what it is about', async () => {
  for (const [name, times] of await failpointsMet()) {
    for (let time = 1; time <= times; time++) {
      const machine = new Machine(new Power());
      let left = time;
      let isOpen = false;
      const failpoint = (reached: StorageFailpoint): void => {
        if (isOpen && reached === name && --left === 0) throw new Error(`Failed at ${name}`);
      };
      const life = new Life(machine, new LogModel(), { failpoint });
      const told: Error[] = [];
      await life
        .run(async (again, storage) => {
          isOpen = true;
          storage.onFailure = (error) => told.push(error);
          try {
            await installTwice(again, storage);
          } catch (error) {
            expect(String(error)).toMatch(/Failed at|The storage failed/);
          }
        })
        .catch((error: unknown) => expect(String(error)).toContain('Failed at'));
      expect(told.length).toBeLessThanOrEqual(1);
      for (const error of told) expect(error).toMatchObject({ code: 'storageFailed' });
      await checkAfter(machine, life, 'random', createPrng(time));
    }
  }
}, 60_000);

test('a delay at every failpoint changes nothing', async () => {
  const machine = new Machine(new Power());
  const failpoint = async (): Promise<void> => {
    await settle();
    await settle();
  };
  const life = new Life(machine, new LogModel(), { failpoint });
  await life.run(installTwice);
  expect(life.certain.last).toBe(17);
  await checkAfter(machine, life, 'drop', createPrng(1));
});
