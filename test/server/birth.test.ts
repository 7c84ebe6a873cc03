import { describe, expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { decideBirth, isForeign, isListed, mintBirth } from '../../src/server/birth.ts';
import type { Hello, InitialMember, PeerSelf } from '../../src/transport/hello.ts';

const list: readonly InitialMember[] = ['a', 'b', 'c'].map((name) => ({
  name,
  peerAddress: `${name}:4641`,
}));

function idOf(name: string): string {
  return name.charCodeAt(0).toString(16).padStart(16, '0');
}

function selfOf(name: string, changes: Partial<PeerSelf> = {}): PeerSelf {
  return {
    memberId: idOf(name),
    name,
    peerAddress: `${name}:4641`,
    clientAddress: `${name}:4640`,
    featureLevel: 1,
    initialCluster: list,
    join: [],
    birth: null,
    ...changes,
  };
}

function helloOf(name: string, changes: Partial<Hello> = {}): Hello {
  const { birth: _birth, join: _join, ...self } = selfOf(name);
  const unborn = { clusterId: null, incarnation: null, configurationIndex: 0, members: [] };
  return { ...self, ...unborn, lane: 'control', to: null, log: null, ...changes };
}

function reason(self: PeerSelf, ...greeted: readonly Hello[]): string {
  const decision = decideBirth(self, greeted);
  return decision.type === 'wait' ? decision.reason : 'nothing';
}

describe('a birth', () => {
  test('is decided by the lowest name once all have answered', () => {
    const decision = decideBirth(selfOf('a'), [helloOf('c', { featureLevel: 2 }), helloOf('b')]);
    expect(decision).toEqual({
      type: 'mint',
      members: ['a', 'b', 'c'].map((name) => ({
        id: idOf(name),
        name,
        peerAddress: `${name}:4641`,
        clientAddress: `${name}:4640`,
        featureLevel: name === 'c' ? 2 : 1,
        replaces: null,
        autoPromote: false,
      })),
    });
  });

  test('of a single member needs nobody else', () => {
    const alone = selfOf('a', { initialCluster: list.slice(0, 1) });
    expect(decideBirth(alone, [])).toMatchObject({ type: 'mint', members: [{ name: 'a' }] });
  });

  test('waits for whoever has not answered, and says for whom', () => {
    expect(reason(selfOf('a'))).toBe('"b" at b:4641 and "c" at c:4641');
    expect(reason(selfOf('a'), helloOf('c'))).toBe('"b" at b:4641');
    expect(reason(selfOf('c'), helloOf('a'))).toBe('"b" at b:4641');
  });

  test('is left to the lowest name by all others', () => {
    expect(reason(selfOf('b'), helloOf('a'), helloOf('c'))).toContain('"a"');
  });

  test('waits when a member was started with another list', () => {
    const initialCluster = [...list.slice(0, 2), { name: 'c', peerAddress: 'elsewhere:1' }];
    expect(reason(selfOf('a'), helloOf('b', { initialCluster }), helloOf('c'))).toMatch(
      /"b", .*another list: .*c=elsewhere:1/,
    );
  });

  test('waits when two members have one id', () => {
    expect(reason(selfOf('a'), helloOf('b'), helloOf('c', { memberId: idOf('b') }))).toContain(
      '"b" and "c" to be told apart',
    );
    expect(reason(selfOf('a'), helloOf('b', { memberId: idOf('a') }), helloOf('c'))).toContain(
      '"a" and "b" to be told apart',
    );
  });

  test('never happens beside a cluster that exists', () => {
    const clusterId = '00000000000000cc';
    const born = helloOf('b', { clusterId, incarnation: '0000000000000001' });
    expect(reason(selfOf('a'), born, helloOf('c'))).toContain(clusterId);
    expect(reason(selfOf('a'), born)).toContain(clusterId);
  });

  test('makes every member a voter, under ids that no other cluster has', () => {
    const decision = decideBirth(selfOf('a'), [helloOf('b'), helloOf('c')]);
    const members = decision.type === 'mint' ? decision.members : [];
    const [one, two] = [mintBirth(members, createPrng(1)), mintBirth(members, createPrng(2))];
    expect(one.configuration.voters).toEqual(['a', 'b', 'c'].map(idOf));
    expect(one.clusterId).not.toBe(two.clusterId);
    expect(one.clusterId).not.toBe(one.incarnation);
    expect(isListed(one, idOf('b'))).toBe(true);
    expect(isListed(one, idOf('d'))).toBe(false);
  });
});

describe('a node beside a cluster that exists', () => {
  const clusterId = '00000000000000cc';
  const members = list.map(({ name, peerAddress }) => ({ name, peerAddress }));
  const born = helloOf('b', { clusterId, incarnation: '0000000000000001', members });
  const joining = selfOf('d', { initialCluster: [], join: ['b:4641', 'c:4641'] });

  test('waits to be added, or to take the place of the member of its name', () => {
    expect(reason(joining, born)).toContain('run `rollcall member add d`');
    expect(reason(selfOf('c'), born)).toContain('in the place of the member "c"');
    expect(reason({ ...joining, name: 'c' }, born)).toContain('in the place of the member "c"');
  });

  test('never makes a cluster when it was to join one', () => {
    expect(reason(joining)).toContain('an answer from a member');
    expect(reason(joining, helloOf('b'), helloOf('c'))).toContain('b:4641 or c:4641');
  });

  test('does not count on one that joins as an initial member', () => {
    const other = helloOf('b', { initialCluster: [] });
    expect(reason(selfOf('a'), other, helloOf('c'))).toContain('"b", which was started to join');
  });
});

describe('a directory', () => {
  test('is of another cluster only if nobody of the list was ever seen in it', () => {
    const seen = new Set(['a', 'b', 'x']);
    expect(isForeign(seen, 'a', list)).toBe(false);
    expect(isForeign(new Set(['a', 'x']), 'a', list)).toBe(true);
    expect(isForeign(new Set(['a']), 'a', list.slice(0, 1))).toBe(false);
    expect(isForeign(new Set(['a']), 'a', [])).toBe(false);
  });
});
