import { beforeAll, describe, expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { featureLevel } from '../../src/format/feature-level.ts';
import type { Configuration, Entry, Member } from '../../src/format/types.ts';
import { plainRange } from '../../src/mvcc/types.ts';
import { loadStoredMachine } from '../../src/node/load-machine.ts';
import {
  beginIncarnation,
  logExtentOf,
  type NewIncarnation,
  refuseRemoved,
  refuseUnfinished,
} from '../../src/node/new-incarnation.ts';
import { encodeCommandEntry } from '../../src/state-machine/command-codec.ts';
import type { StateMachine } from '../../src/state-machine/state-machine.ts';
import type { Command } from '../../src/state-machine/types.ts';
import { loadIdentity } from '../../src/storage/identity.ts';
import type { Identity, Storage } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { leaseId, put } from '../state-machine/machine.ts';
import { appendOf, birth, configuration, Machine, memberId } from '../storage/machine.ts';

const step = 2 ** 32;

function member(number: number, name: string, rest: Partial<Member> = {}): Member {
  const [own] = configuration.members as [Member];
  return { ...own, id: `00000000000000${number.toString(16)}`, name, ...rest };
}

/** Three voters, of which one is being replaced under its name, and two learners. */
const crowd: Configuration = {
  members: [
    ...configuration.members,
    member(0xb1, 'b'),
    member(0xc1, 'c'),
    member(0xc2, 'c', { replaces: '00000000000000c1', autoPromote: true }),
    member(0xd1, 'd'),
    member(0xe1, 'e', { autoPromote: true }),
  ],
  voters: [memberId, '00000000000000b1', '00000000000000c1'],
  votersOutgoing: [],
  learners: ['00000000000000c2', '00000000000000d1', '00000000000000e1'],
  learnersNext: [],
};

function commandEntry(term: number, index: number, ...commands: readonly Command[]): Entry {
  const command = encodeCommandEntry({
    ...{ logTimeMs: index * 10, wallTimeMs: 0 },
    commands: commands.map((one) => ({ session: null, command: one })),
  });
  return { type: 'command', term, index, command };
}

const lease = leaseId(7);
const entries: Entry[] = [
  { type: 'configuration', term: 1, index: 1, configuration: crowd },
  commandEntry(2, 2, { type: 'leaseGrant', leaseId: lease, ttlMs: 60_000 }, put('kept', 'one')),
  commandEntry(2, 3, put('leased', 'x', { leaseId: lease })),
  commandEntry(
    3,
    4,
    { type: 'sessionOpen', sessionId: leaseId(8) },
    { type: 'sessionOpen', sessionId: leaseId(9) },
    put('uncommitted', 'x'),
  ),
];

async function identityOf({ files }: Machine): Promise<Identity> {
  const identity = await loadIdentity(files);
  if (identity === null) throw new Error('The directory is nobody');
  return identity;
}

async function begin(machine: Machine, seed = 1): Promise<NewIncarnation> {
  const storage = await machine.open();
  const { files, clock } = machine;
  const identity = await identityOf(machine);
  const random = createPrng(seed);
  const options = { files, identity, storage, clock, random, addresses: null };
  try {
    return await beginIncarnation(options);
  } finally {
    await storage.close();
  }
}

/** The log as its member has left it: of four entries it knows two to be committed. */
async function left(): Promise<Machine> {
  const machine = new Machine(new Power());
  const storage = await machine.open();
  await storage.append(appendOf(entries, { currentTerm: 5, votedFor: memberId, commitIndex: 2 }));
  await storage.close();
  return machine.cut('keep');
}

async function opened(machine: Machine): Promise<{ storage: Storage; state: StateMachine }> {
  const storage = await machine.open();
  refuseUnfinished(storage.checkpoint, (await identityOf(machine)).birth ?? birth);
  return { storage, state: await loadStoredMachine(storage, featureLevel) };
}

function keysOf(state: StateMachine): string[] {
  const request = { ...plainRange, key: '\0', rangeEnd: '\0', keysOnly: true };
  const steps = state.rangeSteps('kv', request);
  for (;;) {
    const next = steps.next();
    if (next.done !== true) continue;
    return 'pairs' in next.value ? next.value.pairs.map(({ key }) => key) : [];
  }
}

describe('what is left of a cluster', () => {
  let machine: Machine;
  let begun: NewIncarnation;

  beforeAll(async () => {
    machine = await left();
    begun = await begin(machine);
  });

  test('is a cluster of one voter that keeps the other names, once each', async () => {
    expect(begun).toMatchObject({
      clusterId: birth.clusterId,
      memberId,
      lost: ['b', 'c', 'd', 'e'],
    });
    const { storage } = await opened(machine.cut('drop'));
    const { members, ...rest } = storage.start.configuration;
    expect(rest).toMatchObject({ voters: [memberId], votersOutgoing: [], learnersNext: [] });
    expect(rest.learners).toEqual(members.slice(1).map(({ id }) => id));
    expect(members.map(({ name, autoPromote, replaces }) => [name, autoPromote, replaces])).toEqual(
      [
        ['a', false, null],
        ['b', true, null],
        ['c', true, null],
        ['d', false, null],
        ['e', true, null],
      ],
    );
  });

  test('has what its log has, committed or not, but no leases and sessions', async () => {
    const { storage, state } = await opened(machine.cut('drop'));
    expect(keysOf(state)).toEqual(['kept', 'uncommitted']);
    expect(state.leaseList()).toEqual([]);
    expect([...state.sessionIds]).toEqual([]);
    // The fourth put was at revision 4; the leased key went after the step.
    expect(begun.revision).toBe(4 + step + 1);
    expect(state.revision).toBe(begun.revision);
    expect(state.digest).toEqual(begun.digest);
    const { last, commitIndex } = logExtentOf(storage);
    expect(last).toMatchObject({ term: 6, index: commitIndex });
    expect(storage.hardState).toMatchObject({ currentTerm: 6, votedFor: memberId });
  });

  test('is of another incarnation, in the directory as in the state', async () => {
    const { incarnation } = begun;
    expect(incarnation).not.toBe(birth.incarnation);
    const { storage } = await opened(machine.cut('drop'));
    expect(storage.checkpoint).toMatchObject({ incarnation, clusterId: birth.clusterId });
    const found = (await identityOf(machine.cut('drop'))).birth;
    expect(found).toMatchObject({ incarnation, configurationIndex: 5 });
  });
});

test('a power cut leaves nothing that is served where no state was ever written out, either', async () => {
  const seen = { before: 0, between: 0, after: 0 };
  for (let operations = 0; ; operations++) {
    const machine = await left();
    machine.power.cutAfter(operations);
    const begun = await begin(machine).catch(() => null);
    if (begun !== null && !machine.power.isOff) break;
    const survivor = machine.cut('random', createPrng(operations));
    const { incarnation } = (await identityOf(survivor.cut('keep'))).birth ?? birth;
    const state = await opened(survivor.cut('keep')).catch((error: { code: string }) => error);
    if ('code' in state) {
      expect(state.code).toBe('dataDirectory');
      seen.between++;
    } else if (incarnation === birth.incarnation) {
      seen.before++;
    } else {
      expect(state.state.revision).toBeGreaterThan(step);
      seen.after++;
    }
    const repeated = survivor.cut('keep');
    await begin(repeated, 3);
    const { state: finished } = await opened(repeated.cut('drop'));
    expect(keysOf(finished)).toEqual(['kept', 'uncommitted']);
  }
  expect(Math.min(seen.before, seen.between, seen.after)).toBeGreaterThan(0);
});

test('a power cut anywhere leaves what the next attempt finishes, and nothing that is served', async () => {
  const first = await left();
  await begin(first);
  const storage = await first.open();
  const { last } = logExtentOf(storage);
  const more = [
    commandEntry(9, last.index + 1, { type: 'leaseGrant', leaseId: lease, ttlMs: 60_000 }),
    commandEntry(9, last.index + 2, put('leased', 'x', { leaseId: lease }), put('new', 'x')),
  ];
  await storage.append(appendOf(more));
  await storage.close();
  const old = (await identityOf(first)).birth?.incarnation;
  const seen = { before: 0, between: 0, after: 0 };
  for (let operations = 0; ; operations++) {
    const machine = first.cut('keep');
    machine.power.cutAfter(operations);
    const begun = await begin(machine, 2).catch(() => null);
    if (begun !== null && !machine.power.isOff) break;
    const survivor = machine.cut('random', createPrng(operations));
    const { incarnation } = (await identityOf(survivor.cut('keep'))).birth ?? birth;
    const state = await opened(survivor.cut('keep')).catch((error: { code: string }) => error);
    if ('code' in state) {
      expect(state.code).toBe('dataDirectory');
      seen.between++;
    } else if (incarnation === old) {
      seen.before++;
    } else {
      expect(keysOf(state.state)).toEqual(['kept', 'new', 'uncommitted']);
      seen.after++;
    }
    const repeated = survivor.cut('keep');
    const again = await begin(repeated, 3);
    const { state: finished } = await opened(repeated.cut('drop'));
    expect(keysOf(finished)).toEqual(['kept', 'new', 'uncommitted']);
    expect(finished.leaseList()).toEqual([]);
    expect(again.revision).toBeGreaterThan(2 * step);
  }
  expect(Math.min(seen.before, seen.between, seen.after)).toBeGreaterThan(0);
});

describe('a member that was removed', () => {
  /** Entry 3 removes the member. */
  const removal: readonly Entry[] = [
    { type: 'configuration', term: 1, index: 1, configuration: crowd },
    commandEntry(1, 2, put('kept', 'one')),
    { type: 'configuration', term: 1, index: 3, configuration: { ...crowd, members: [] } },
    { type: 'configuration', term: 1, index: 4, configuration: { ...crowd, members: [] } },
  ];
  const identity = { memberId, name: 'a' };

  test('is named with the entry that removed it', async () => {
    const machine = new Machine(new Power());
    const storage = await machine.open();
    await storage.append(appendOf(removal));
    await storage.close();
    const reopened = await machine.cut('keep').open();
    expect(() => refuseRemoved(identity, reopened)).toThrow(
      expect.objectContaining({
        code: 'dataDirectory',
        message: '"a" was removed from its cluster by entry 3; choose another directory',
      }),
    );
    const begun = { last: { term: 1, index: 9 }, configuration: { ...crowd, members: [] } };
    expect(() => refuseRemoved(identity, { start: begun, entries: [] })).toThrow(
      'by entry 9 at the latest',
    );
  });
});
