/** What changes make of a configuration, over all kinds of configurations and lists of changes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changed, left, type Refusal } from '../../src/raft/membership.ts';
import { isJoint } from '../../src/raft/quorum.ts';
import type { Configuration, Member, MemberChange, NodeId } from '../../src/raft/types.ts';
import { configurationOf } from './member.ts';

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const anyId = fc.constantFrom(...ids);

/** Every id is out, a voter or a learner; some voter there is. Some learners replace somebody. */
const simple: fc.Arbitrary<Configuration> = fc
  .record({
    roles: fc.tuple(...ids.map(() => fc.constantFrom('out', 'voter', 'learner'))),
    replacements: fc.tuple(...ids.map(() => fc.option(fc.nat()))),
  })
  .map(({ roles, replacements }) => {
    const having = (role: string): NodeId[] => ids.filter((_, at) => roles[at] === role);
    const voters = having('voter').length > 0 ? having('voter') : ['a'];
    const learners = having('learner').filter((id) => !voters.includes(id));
    const { members, ...sets } = configurationOf(voters, [], learners);
    const withIntent = members.map((member): Member => {
      const choice = replacements[ids.indexOf(member.id)] ?? null;
      if (choice === null || !learners.includes(member.id)) return member;
      const others = members.filter(({ id }) => id !== member.id);
      return { ...member, replaces: others[choice % others.length]?.id ?? null, autoPromote: true };
    });
    return { members: withIntent, ...sets };
  });

/** Names and addresses from a small choice, so that some clash. */
const member: fc.Arbitrary<Member> = fc.record({
  id: anyId,
  name: fc.oneof(fc.constantFrom('x', 'y'), anyId),
  peerAddress: fc.oneof(fc.constantFrom('p', 'q'), anyId),
  clientAddress: fc.oneof({ weight: 9, arbitrary: fc.uuid() }, anyId),
  featureLevel: fc.nat(3),
  replaces: fc.option(anyId),
  autoPromote: fc.boolean(),
});
const change: fc.Arbitrary<MemberChange> = fc.oneof(
  fc.record({ type: fc.constant('add' as const), member }),
  fc.record({ type: fc.constant('update' as const), member }),
  ...(['promote', 'demote', 'remove'] as const).map((type) =>
    fc.record({ type: fc.constant(type), id: anyId }),
  ),
);
/** Mostly such as may be: of the right kind for the id's role. */
const scripts = simple.chain((configuration) =>
  fc.tuple(
    fc.constant(configuration),
    fc.oneof(fc.array(change, { maxLength: 4 }), fittingChanges(configuration)),
  ),
);

function fittingChanges({
  voters,
  learners,
  members,
}: Configuration): fc.Arbitrary<MemberChange[]> {
  const perId = ids.map((id): fc.Arbitrary<MemberChange | null> => {
    const remove = fc.constant<MemberChange>({ type: 'remove', id });
    const known = members.find((one) => one.id === id);
    if (known === undefined) {
      const [stranger] = configurationOf([id]).members as [Member];
      return fc.option(fc.constant<MemberChange>({ type: 'add', member: stranger }));
    }
    const update = fc.constant<MemberChange>({
      type: 'update',
      member: { ...known, clientAddress: `${id} moved` },
    });
    const move: MemberChange = learners.includes(id)
      ? { type: 'promote', id }
      : { type: 'demote', id };
    return fc.option(fc.oneof(fc.constant(move), remove, update), { freq: voters.length });
  });
  return fc.tuple(...perId).map((list) => list.filter((one) => one !== null));
}

function accepted(result: Configuration | Refusal): Configuration | null {
  return 'reason' in result ? null : result;
}

function idOf(one: MemberChange): NodeId {
  return 'member' in one ? one.member.id : one.id;
}

function expectSound({ members, ...sets }: Configuration): void {
  const { voters, votersOutgoing, learners, learnersNext } = sets;
  const known = members.map(({ id }) => id);
  const deciding = new Set([...voters, ...votersOutgoing]);
  for (const list of [known, voters, votersOutgoing, learners, learnersNext]) {
    expect(new Set(list).size).toBe(list.length);
  }
  expect(voters).not.toEqual([]);
  expect(known.toSorted()).toEqual([...new Set([...deciding, ...learners])].toSorted());
  expect(learners.filter((id) => deciding.has(id))).toEqual([]);
  for (const id of learnersNext) {
    expect(votersOutgoing).toContain(id);
    expect(voters).not.toContain(id);
  }
  for (const { id, replaces, autoPromote } of members) {
    if (replaces !== null) expect(known).toContain(replaces);
    if (deciding.has(id)) expect([replaces, autoPromote]).toEqual([null, false]);
  }
}

function subsets(of: readonly NodeId[]): NodeId[][] {
  const [first, ...rest] = of;
  if (first === undefined) return [[]];
  const without = subsets(rest);
  return [...without, ...without.map((subset) => [first, ...subset])];
}

/** Some set of members decides for one configuration, and the rest decides for the other. */
function canSplit(one: Configuration, other: Configuration): boolean {
  const decides = ({ voters, votersOutgoing }: Configuration, by: readonly NodeId[]): boolean =>
    [voters, votersOutgoing].every(
      (set) => set.length === 0 || 2 * set.filter((id) => by.includes(id)).length > set.length,
    );
  return subsets(ids).some(
    (half) =>
      decides(one, half) &&
      decides(
        other,
        ids.filter((id) => !half.includes(id)),
      ),
  );
}

describe('A change of the configuration', () => {
  test('leaves it sound, at once and after the joint phase', () => {
    fc.assert(
      fc.property(scripts, ([configuration, changes]) => {
        const next = accepted(changed(configuration, changes));
        if (next === null) return;
        expectSound(next);
        if (isJoint(next)) expectSound(left(next));
      }),
      { numRuns: 400 },
    );
  });

  test('never lets two sets of members decide without each other', () => {
    fc.assert(
      fc.property(scripts, ([configuration, changes]) => {
        const next = accepted(changed(configuration, changes));
        if (next === null) return;
        expect(canSplit(configuration, next)).toBe(false);
        if (isJoint(next)) expect(canSplit(next, left(next))).toBe(false);
      }),
    );
  });

  test('is joint exactly when others vote than before, with the old voters on the way out', () => {
    fc.assert(
      fc.property(scripts, ([configuration, changes]) => {
        const next = accepted(changed(configuration, changes));
        if (next === null) return;
        const isOther = next.voters.toSorted().join() !== configuration.voters.toSorted().join();
        expect(isJoint(next)).toBe(isOther);
        if (isOther) expect(next.votersOutgoing).toEqual(configuration.voters);
      }),
    );
  });

  test('leads to what was asked for, once the joint phase is left', () => {
    fc.assert(
      fc.property(scripts, ([configuration, changes]) => {
        const next = accepted(changed(configuration, changes));
        if (next === null) return;
        const end = isJoint(next) ? left(next) : next;
        const before = new Map(configuration.members.map((one) => [one.id, one]));
        const replaced = changes.map((one) =>
          one.type === 'promote' ? before.get(one.id)?.replaces : null,
        );
        const gone = [
          ...changes.filter(({ type }) => type === 'remove').map(idOf),
          ...replaced.filter((id) => typeof id === 'string'),
        ];
        const roleOf = (id: NodeId): string => {
          const asked = changes.find((one) => idOf(one) === id)?.type;
          if (gone.includes(id)) return 'out';
          if (asked === 'add' || asked === 'demote') return 'learner';
          if (asked === 'promote' || configuration.voters.includes(id)) return 'voter';
          return configuration.learners.includes(id) ? 'learner' : 'out';
        };
        expect(end.voters.toSorted()).toEqual(ids.filter((id) => roleOf(id) === 'voter'));
        expect(end.learners.toSorted()).toEqual(ids.filter((id) => roleOf(id) === 'learner'));
        for (const one of changes) {
          if (!('member' in one) || gone.includes(one.member.id)) continue;
          const { replaces } = one.member;
          const isThere = replaces !== null && end.members.some(({ id }) => id === replaces);
          const expected = { ...one.member, replaces: isThere ? replaces : null };
          expect(end.members).toContainEqual(expected);
        }
      }),
    );
  });

  test('asks the same whatever the order', () => {
    fc.assert(
      fc.property(scripts, ([configuration, changes]) => {
        const there = accepted(changed(configuration, changes));
        const back = accepted(changed(configuration, changes.toReversed()));
        expect(back === null).toBe(there === null);
        if (there === null || back === null) return;
        expect(back.voters.toSorted()).toEqual(there.voters.toSorted());
        expect(back.learners.toSorted()).toEqual(there.learners.toSorted());
      }),
    );
  });
});

const trio = configurationOf(['a', 'b', 'c'], [], ['d']);
const stranger = (fields: Partial<Member> = {}): Member => ({
  ...(configurationOf(['e']).members[0] as Member),
  ...fields,
});
const known = trio.members[0] as Member;

const refusals: readonly (readonly [string, readonly MemberChange[], Refusal])[] = [
  ['nothing', [], { reason: 'noChange', member: null }],
  [
    'an update that changes nothing',
    [{ type: 'update', member: known }],
    { reason: 'noChange', member: null },
  ],
  ['an id that is there', [{ type: 'add', member: known }], { reason: 'duplicateId', member: 'a' }],
  [
    'two changes of one id',
    [
      { type: 'remove', id: 'a' },
      { type: 'add', member: stranger({ id: 'a' }) },
    ],
    { reason: 'duplicateId', member: 'a' },
  ],
  [
    'an id that is not there',
    [{ type: 'remove', id: 'x' }],
    { reason: 'unknownMember', member: 'x' },
  ],
  [
    'one to promote that is not there',
    [{ type: 'promote', id: 'x' }],
    { reason: 'unknownMember', member: 'x' },
  ],
  [
    'one that replaces nobody who is there',
    [{ type: 'add', member: stranger({ replaces: 'x' }) }],
    { reason: 'unknownMember', member: 'x' },
  ],
  [
    'one that replaces itself',
    [{ type: 'add', member: stranger({ replaces: 'e' }) }],
    { reason: 'unknownMember', member: 'e' },
  ],
  ['a voter to promote', [{ type: 'promote', id: 'a' }], { reason: 'wrongRole', member: 'a' }],
  ['a learner to demote', [{ type: 'demote', id: 'd' }], { reason: 'wrongRole', member: 'd' }],
  [
    'a voter with the intent of a learner',
    [{ type: 'update', member: { ...known, autoPromote: true } }],
    { reason: 'wrongRole', member: 'a' },
  ],
  [
    'a name that is taken',
    [{ type: 'add', member: stranger({ name: 'b' }) }],
    { reason: 'duplicateName', member: 'e' },
  ],
  [
    'an address that is taken',
    [{ type: 'add', member: stranger({ peerAddress: 'b:4641' }) }],
    { reason: 'duplicateAddress', member: 'e' },
  ],
  [
    'a client address that is taken',
    [{ type: 'update', member: { ...known, clientAddress: 'b:4640' } }],
    { reason: 'duplicateAddress', member: 'a' },
  ],
  [
    'the last voters',
    ['a', 'b', 'c'].map((id) => ({ type: 'remove', id })),
    { reason: 'noVoters', member: null },
  ],
];

describe('Refusals of a change', () => {
  test.each(refusals)('%s', (_, changes, refusal) => {
    expect(changed(trio, changes)).toEqual(refusal);
  });

  test('a joint configuration is not changed again', () => {
    const joint = configurationOf(['a', 'b'], ['a', 'b', 'c']);
    expect(changed(joint, [{ type: 'remove', id: 'b' }])).toMatchObject({
      reason: 'changePending',
    });
  });

  test('not those of whom a member takes over the name and the addresses', () => {
    const heir = stranger({ name: 'a', peerAddress: 'a:4641', clientAddress: 'a:4640' });
    expect(changed(trio, [{ type: 'add', member: { ...heir, replaces: 'a' } }])).toMatchObject({
      learners: ['d', 'e'],
    });
    expect(
      changed(trio, [
        { type: 'remove', id: 'a' },
        { type: 'add', member: heir },
      ]),
    ).toMatchObject({ voters: ['b', 'c'], votersOutgoing: ['a', 'b', 'c'], learners: ['d', 'e'] });
  });

  test('nor two that exchange their addresses', () => {
    const [a, b] = trio.members as [Member, Member];
    const changes: MemberChange[] = [
      { type: 'update', member: { ...a, peerAddress: b.peerAddress } },
      { type: 'update', member: { ...b, peerAddress: a.peerAddress } },
    ];
    expect(changed(trio, changes)).toMatchObject({ voters: ['a', 'b', 'c'] });
  });
});

test('A learner that is promoted takes the place of the one that it replaces', () => {
  const { members, ...sets } = configurationOf(['a', 'b', 'c'], [], ['d']);
  const configuration = {
    ...sets,
    members: members.map((one) =>
      one.id === 'd' ? { ...one, replaces: 'c', autoPromote: true } : one,
    ),
  };
  const joint = changed(configuration, [{ type: 'promote', id: 'd' }]) as Configuration;
  expect(joint).toMatchObject({ voters: ['a', 'b', 'd'], votersOutgoing: ['a', 'b', 'c'] });
  expect(left(joint).members.map(({ id, replaces }) => [id, replaces])).toEqual([
    ['a', null],
    ['b', null],
    ['d', null],
  ]);
});
