import { describe, expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { type StorageFailpoint, storageFailpoints } from '../../src/storage/failpoints.ts';
import { loadIdentity, mintIdentity } from '../../src/storage/identity.ts';
import { hasSetAside, renewState, setMemberAside } from '../../src/storage/repair.ts';
import { readRepairNote, writeRepairNote } from '../../src/storage/repair-note.ts';
import { Power } from '../sim/power.ts';
import {
  appendOf,
  configuration,
  entriesFrom,
  entryAt,
  headerAt,
  Machine,
  memberId,
  settle,
} from './machine.ts';
import { applyUpTo, receiveState, recordsOf, stateAt } from './state.ts';

const options = { generationBytesMax: 1 };
const allAside = ['identity.damaged', 'state.damaged', 'wal.damaged'];
const vote = { currentTerm: 2, votedFor: '00000000000000a2' };
const learner = { ...configuration, learners: [memberId], voters: [] };

/** Sixty entries of which 45 are known to be committed; the log begins late unless it is whole. */
async function filled(isWhole = false): Promise<Machine> {
  const machine = new Machine(new Power());
  const storage = await machine.open(options);
  for (let index = 1; index <= 60; index++) {
    const commitIndex = Math.min(index - 1, 45);
    const entry =
      index === 44
        ? ({ type: 'configuration', term: 1, index, configuration: learner } as const)
        : entryAt(index, 1, 4000);
    await storage.append(appendOf([entry], { ...vote, commitIndex }));
  }
  applyUpTo(storage, { term: 1, index: 40 });
  await settle();
  if (!isWhole) await storage.releaseLog(40);
  await storage.close();
  return machine.cut('keep');
}

async function damageLog(machine: Machine): Promise<void> {
  const [first] = await machine.files.list('wal');
  machine.files.content(`wal/${first}`)?.corrupt(4 * 4096, (byte) => byte ^ 1);
}

describe('a state that is damaged', () => {
  async function renewed(isWhole = false): Promise<Machine> {
    const machine = await filled(isWhole);
    machine.files.database('state/1')?.lose();
    await expect(machine.open()).rejects.toMatchObject({ details: { part: 'state' } });
    expect(await renewState(machine.files)).toEqual(['state.damaged']);
    return machine;
  }

  test('is set aside, and the log still says what was promised', async () => {
    const machine = await renewed();
    expect(await machine.files.list('')).toContain('state.damaged');
    await expect(machine.files.openLevel('state.damaged')).rejects.toThrow();
    const storage = await machine.open(options);
    expect(storage.isStateMissing).toBe(true);
    expect(storage.checkpoint).toBeNull();
    expect(storage.hardState).toEqual({ ...vote, commitIndex: 45 });
    expect(storage.start).toEqual({ last: { term: 1, index: 45 }, configuration: learner });
    expect(storage.entries).toEqual(entriesFrom(46, 15, 1, 4000));
    await storage.append(appendOf([entryAt(61)]));
    await storage.releaseLog(61);
    const again = await machine.cut('drop').open();
    expect(again.isStateMissing).toBe(true);
    expect(again.logFirst).toBe(storage.logFirst);
    expect(again.entries.at(-1)).toEqual(entryAt(61));
  });

  test('is made anew by a log that is whole', async () => {
    const storage = await (await renewed(true)).open();
    expect(storage.isStateMissing).toBe(false);
    expect(storage.start).toEqual({ last: { term: 0, index: 0 }, configuration });
    expect(storage.entries.length).toBe(60);
  });

  test('is replaced by one from elsewhere, and the log brings that up', async () => {
    const machine = await renewed();
    const storage = await machine.open(options);
    await receiveState(storage, { term: 1, index: 42 });
    await Promise.all([storage.append(appendOf([entryAt(61)])), storage.restoreState()]);
    expect(storage.isStateMissing).toBe(false);
    expect(await recordsOf(storage.load('', '\xff'))).toEqual(stateAt(42));
    const { prev, entries } = await storage.readLog(43, 1e6);
    expect(prev).toEqual({ term: 1, index: 42 });
    expect(entries.length).toBe(19);
    const again = await machine.cut('drop').open();
    expect(again.checkpoint).toEqual(headerAt(42));
    expect(again.start.last.index).toBe(42);
    expect(again.entries.map(({ index }) => index)).toEqual(entries.map(({ index }) => index));
  });

  test('is not replaced by one that the log does not lead to', async () => {
    const storage = await (await renewed()).open(options);
    await receiveState(storage, { term: 2, index: 42 });
    await expect(storage.restoreState()).rejects.toThrow('does not hold entry 42');
  });
});

test('a damaged identity takes everything aside, and the directory is nobody’s', async () => {
  const machine = await filled();
  machine.files.content('identity')?.corrupt(9, (byte) => byte ^ 1);
  await expect(loadIdentity(machine.files)).rejects.toMatchObject({
    details: { part: 'identity' },
  });
  expect(await hasSetAside(machine.files)).toBe(false);
  expect((await setMemberAside(machine.files)).toSorted()).toEqual(allAside);
  expect(await loadIdentity(machine.files)).toBeNull();
  expect(await machine.files.list('')).toEqual(allAside);
  await mintIdentity(machine.files, 'a', memberId);
  expect((await machine.open()).entries).toEqual([]);
  expect(await hasSetAside(machine.files)).toBe(true);
});

test('what was set aside is kept until the same part is damaged again', async () => {
  const machine = await filled();
  await damageLog(machine);
  await setMemberAside(machine.files);
  const first = await machine.files.list('wal.damaged');
  await mintIdentity(machine.files, 'a', memberId);
  const storage = await machine.open(options);
  await storage.append(appendOf([entryAt(1)]));
  await storage.close();
  await setMemberAside(machine.files);
  expect(await machine.files.list('wal.damaged')).not.toEqual(first);
});

test('the note of a repair is read back, and one that is damaged counts as none', async () => {
  const { files } = await filled();
  expect(await readRepairNote(files)).toBeNull();
  await writeRepairNote(files, 1_700_000_000_123.5);
  await writeRepairNote(files, 1_700_000_000_456);
  expect(await readRepairNote(files)).toBe(1_700_000_000_456);
  files.content('repaired')?.corrupt(3, (byte) => byte ^ 1);
  expect(await readRepairNote(files)).toBeNull();
});

const reached = new Set<StorageFailpoint>();

async function expectNobody(machine: Machine): Promise<void> {
  expect(await loadIdentity(machine.files)).toBeNull();
  expect(await machine.files.list('')).toEqual(allAside);
  expect((await machine.files.list('wal.damaged')).length).toBeGreaterThan(2);
}

/** Each repair, what is damaged before it, and what is found after it. */
const repairs: readonly {
  readonly what: string;
  readonly damage: (machine: Machine) => Promise<void>;
  readonly repair: (
    machine: Machine,
    failpoint?: (name: StorageFailpoint) => void,
  ) => Promise<unknown>;
  readonly expectRepaired: (machine: Machine) => Promise<void>;
}[] = [
  {
    what: 'state',
    damage: async (machine) => machine.files.database('state/1')?.lose(),
    repair: (machine, failpoint) => renewState(machine.files, failpoint),
    async expectRepaired(machine) {
      const storage = await machine.open();
      expect(storage.isStateMissing).toBe(true);
      expect(storage.entries.length).toBe(15);
      expect(await machine.files.list('')).toContain('state.damaged');
    },
  },
  {
    what: 'log',
    damage: damageLog,
    repair: (machine, failpoint) => setMemberAside(machine.files, failpoint),
    expectRepaired: expectNobody,
  },
  {
    what: 'identity',
    damage: async (machine) => machine.files.content('identity')?.corrupt(9, (byte) => byte ^ 1),
    repair: (machine, failpoint) => setMemberAside(machine.files, failpoint),
    expectRepaired: expectNobody,
  },
];

/** As a node does: repairs what the next start finds damaged. */
async function start(
  machine: Machine,
  repair: (machine: Machine) => Promise<unknown>,
): Promise<void> {
  try {
    if ((await loadIdentity(machine.files)) !== null) await (await machine.open()).close();
  } catch (error) {
    expect(error).toMatchObject({ code: 'dataDamaged' });
    await repair(machine);
  }
}

for (const { what, damage, repair, expectRepaired } of repairs) {
  test(`the repair of the ${what} survives a power cut at any operation`, async () => {
    const whole = await filled();
    await damage(whole);
    for (const mode of ['drop', 'keep', 'random'] as const) {
      let isPast = false;
      for (let operation = 1; !isPast; operation++) {
        const machine = whole.cut('keep');
        machine.power.cutAfter(operation - 1);
        isPast = await repair(machine).then(
          () => true,
          (error: unknown) => {
            if (!machine.power.isOff) throw error;
            return false;
          },
        );
        const after = machine.cut(mode, createPrng(operation));
        await start(after, repair);
        await expectRepaired(after.cut('drop'));
      }
    }
  });

  test(`the repair of the ${what} survives a crash at every failpoint`, async () => {
    const whole = await filled();
    await damage(whole);
    const met: StorageFailpoint[] = [];
    await repair(whole.cut('keep'), (name) => void met.push(name));
    expect(met.length).toBeGreaterThan(2);
    for (const [at, name] of met.entries()) {
      const machine = whole.cut('keep');
      let left = at + 1;
      const crash = (): void => {
        if (--left > 0) return;
        machine.power.off();
        machine.power.check();
      };
      await expect(repair(machine, crash), name).rejects.toThrow('power');
      const after = machine.cut('random', createPrng(at));
      await start(after, repair);
      await expectRepaired(after.cut('drop'));
      for (const seen of met) reached.add(seen);
    }
  });
}

test('every failpoint of a repair was met', () => {
  const names = Object.keys(storageFailpoints).filter((name) => /^aside\./.test(name));
  expect([...reached].filter((name) => names.includes(name)).sort()).toEqual(names.sort());
});
