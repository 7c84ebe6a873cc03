/** Quorum arithmetic against implementations that try every subset of voters. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isVoter, quorumIndex, replicasOf, voteResult, votersOf } from '../../src/raft/quorum.ts';
import type { NodeId } from '../../src/raft/types.ts';
import { configurationOf } from './member.ts';

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const someIds = fc.subarray(ids, { minLength: 1 });
const configurations = fc
  .record({ voters: someIds, outgoing: fc.subarray(ids), learners: fc.subarray(ids) })
  .map(({ voters, outgoing, learners }) => configurationOf(voters, outgoing, learners));
const indexes = fc.dictionary(fc.constantFrom(...ids), fc.nat(12), { noNullPrototype: true });
const votes = fc.dictionary(fc.constantFrom(...ids), fc.boolean(), { noNullPrototype: true });

function subsets(of: readonly NodeId[]): NodeId[][] {
  const [first, ...rest] = of;
  if (first === undefined) return [[]];
  const without = subsets(rest);
  return [...without, ...without.map((subset) => [first, ...subset])];
}

function isMajorityOf(subset: readonly NodeId[], voters: readonly NodeId[]): boolean {
  return 2 * voters.filter((id) => subset.includes(id)).length > voters.length;
}

/** Do these members alone decide for the configuration? */
function decides(
  subset: readonly NodeId[],
  voters: readonly NodeId[],
  outgoing: readonly NodeId[],
) {
  const isEnough = isMajorityOf(subset, voters);
  return isEnough && (outgoing.length === 0 || isMajorityOf(subset, outgoing));
}

describe('Quorums over any configuration', () => {
  test('the quorum index is the highest that the members of some quorum have all reached', () => {
    fc.assert(
      fc.property(configurations, indexes, (configuration, reached) => {
        const { voters, votersOutgoing } = configuration;
        const of = (id: NodeId): number => reached[id] ?? 0;
        const naive = Math.max(
          ...subsets(ids)
            .filter((subset) => decides(subset, voters, votersOutgoing))
            .map((subset) => Math.min(...subset.map(of))),
        );
        expect(quorumIndex(configuration, of)).toBe(naive);
      }),
    );
  });

  test('an election is won by a quorum of grants, lost once no quorum is left', () => {
    fc.assert(
      fc.property(configurations, votes, (configuration, cast) => {
        const { voters, votersOutgoing } = configuration;
        const granted = ids.filter((id) => cast[id] === true);
        const open = ids.filter((id) => cast[id] !== false);
        const naive = decides(granted, voters, votersOutgoing)
          ? 'won'
          : decides(open, voters, votersOutgoing)
            ? 'pending'
            : 'lost';
        expect(voteResult(configuration, (id) => cast[id])).toBe(naive);
      }),
    );
  });

  test('a vote more never turns a win into anything else', () => {
    fc.assert(
      fc.property(configurations, votes, fc.constantFrom(...ids), (configuration, cast, extra) => {
        fc.pre(cast[extra] !== false);
        const before = voteResult(configuration, (id) => cast[id]);
        const after = voteResult(configuration, (id) => id === extra || cast[id]);
        if (before === 'won') expect(after).toBe('won');
        if (after === 'lost') expect(before).toBe('lost');
      }),
    );
  });

  test('voters and replicas are listed once each', () => {
    fc.assert(
      fc.property(configurations, (configuration) => {
        const { voters, votersOutgoing, learners } = configuration;
        const deciding = new Set([...voters, ...votersOutgoing]);
        expect([...votersOf(configuration)].sort()).toEqual([...deciding].sort());
        expect([...replicasOf(configuration)].sort()).toEqual(
          [...new Set([...deciding, ...learners])].sort(),
        );
        for (const id of ids) expect(isVoter(configuration, id)).toBe(deciding.has(id));
      }),
    );
  });

  test('any two quorums share a voter', () => {
    fc.assert(
      fc.property(configurations, someIds, (configuration, half) => {
        const { voters, votersOutgoing } = configuration;
        const others = ids.filter((id) => !half.includes(id));
        const both =
          decides(half, voters, votersOutgoing) && decides(others, voters, votersOutgoing);
        expect(both).toBe(false);
      }),
    );
  });
});

test('Nobody decides for an empty set of voters', () => {
  const empty = configurationOf([]);
  expect(quorumIndex(empty, () => 9)).toBe(0);
  expect(voteResult(empty, () => true)).toBe('lost');
});
