/** Commitment and reads, rule by rule: Raft (extended version) §5.3, §5.4.2, §6 and §8; thesis §6.4. */
import { describe, expect, test } from 'vitest';
import { command, configurationOf, Member } from './member.ts';
import {
  acknowledge,
  appendEntries,
  heartbeat,
  heartbeatResponse,
  ofType,
  reject,
  vote,
} from './messages.ts';
import { candidate, follower, leader } from './roles.ts';

const fromLeader = { from: 'n2', to: 'n1', term: 3 };

describe('§5.3, §5.4.2 Commitment', () => {
  test('an entry is committed once a majority holds it, the leader included', () => {
    const member = leader({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'] });
    member.settle();
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(0);
    member.receive(acknowledge({ from: 'n3', to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(1);
  });

  test('the leader counts itself only for what it has written', () => {
    const member = leader();
    member.take();
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(0);
    member.persist();
    expect(member.status.commitIndex).toBe(1);
  });

  test('the followers may commit without the leader, who applies when it has written', () => {
    const member = leader();
    member.take();
    for (const from of ['n2', 'n3']) member.receive(acknowledge({ from, to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(1);
    member.take();
    expect(member.applied).toEqual([]);
    member.persist().settle();
    expect(member.applied).toMatchObject([{ term: 1, index: 1, type: 'noop' }]);
  });

  test('§5.4.2: entries of old terms are not committed by counting, but with one of the own term', () => {
    const member = leader({ log: [1, 2], term: 3 });
    member.settle();
    for (const from of ['n2', 'n3']) member.receive(acknowledge({ from, to: 'n1', term: 4 }, 2));
    expect(member.status.commitIndex).toBe(0);
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 4 }, 3));
    expect(member.status.commitIndex).toBe(3);
  });

  test('§6: a joint configuration commits with both majorities', () => {
    const voters = ['n1', 'n2', 'n3'];
    const member = candidate({ voters, votersOutgoing: ['n1', 'n4', 'n5'] });
    member.receive(vote({ from: 'n4', to: 'n1', term: 1 }, true, true));
    member.settle();
    for (const from of ['n2', 'n4']) member.receive(vote({ from, to: 'n1', term: 1 }, true));
    member.settle();
    for (const from of ['n2', 'n3']) member.receive(acknowledge({ from, to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(0);
    member.receive(acknowledge({ from: 'n5', to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(1);
  });

  test('a learner gets the log, but is not counted', () => {
    const member = leader({ learners: ['l1'] });
    expect(ofType(member.settle(), 'appendEntries').map(({ to }) => to)).toContain('l1');
    member.receive(acknowledge({ from: 'l1', to: 'n1', term: 1 }, 1));
    expect(member.status.commitIndex).toBe(0);
  });

  test('§6: a configuration counts from its entry on, and no longer once that is cut off', () => {
    const member = follower({ log: [1], term: 2 });
    const configuration = configurationOf(['n1', 'n2', 'n3', 'n4', 'n5']);
    const entry = { term: 2, index: 2, type: 'configuration', configuration } as const;
    member.receive(appendEntries({ ...fromLeader, term: 2 }, { term: 1, index: 1 }, [entry]));
    expect(member.status.configuration).toEqual(configuration);
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }, [command(3, 2)]));
    expect(member.status.configuration.voters).toEqual(['n1', 'n2', 'n3']);
  });
});

describe('§8, thesis §6.4 Read-only requests', () => {
  const established = (): Member => {
    const member = leader();
    member.settle();
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 1 }, 1));
    member.settle();
    return member;
  };
  const read = (member: Member, ...ids: number[]): Member => {
    for (const id of ids) member.raft.step({ type: 'readIndex', id });
    return member;
  };

  test('a read waits until an entry of the own term is committed', () => {
    const member = leader({ log: [1], term: 1, commitIndex: 1 });
    member.settle();
    read(member, 1).settle();
    for (const from of ['n2', 'n3']) {
      member.receive(heartbeatResponse({ from, to: 'n1', term: 2 }));
    }
    member.settle();
    expect(member.readStates).toEqual([]);
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 2 }, 2));
    expect(ofType(member.settle(), 'heartbeat')).toMatchObject([
      { readRound: 1 },
      { readRound: 1 },
    ]);
  });

  test('a read asks a quorum at once, and is answered with the commit index of that time', () => {
    const member = read(established(), 1, 2);
    const [beat] = ofType(member.settle(), 'heartbeat');
    expect(beat).toMatchObject({ to: 'n2', readRound: 1 });
    member.propose('a').settle();
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 1 }, 2));
    member.receive(heartbeatResponse({ from: 'n3', to: 'n1', term: 1 }, 1));
    member.settle();
    expect(member.readStates).toEqual([
      { id: 1, index: 1 },
      { id: 2, index: 1 },
    ]);
  });

  test('an answer to an earlier heartbeat confirms nothing', () => {
    const member = read(established(), 1);
    member.settle();
    member.receive(heartbeatResponse({ from: 'n2', to: 'n1', term: 1 }, 0));
    member.receive(acknowledge({ from: 'n3', to: 'n1', term: 1 }, 1));
    member.settle();
    expect(member.readStates).toEqual([]);
  });

  test('reads that come during a round share the next one', () => {
    const member = read(established(), 1);
    member.settle();
    expect(ofType(read(member, 2, 3).settle(), 'heartbeat')).toEqual([]);
    member.receive(heartbeatResponse({ from: 'n2', to: 'n1', term: 1 }, 1));
    expect(ofType(member.settle(), 'heartbeat')).toMatchObject([
      { readRound: 2 },
      { readRound: 2 },
    ]);
    expect(member.readStates.map(({ id }) => id)).toEqual([1]);
    member.receive(heartbeatResponse({ from: 'n3', to: 'n1', term: 1 }, 2));
    member.settle();
    expect(member.readStates.map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test('reads of a leader that steps down are dropped, with the new leader if it is known', () => {
    const member = read(established(), 1);
    member.settle();
    read(member, 2).receive(heartbeat({ from: 'n3', to: 'n1', term: 2 }));
    member.settle();
    expect(member.dropped).toEqual([
      { id: 1, leaderId: 'n3' },
      { id: 2, leaderId: 'n3' },
    ]);
    expect(member.readStates).toEqual([]);
  });

  test('a follower drops reads, a sole voter answers them at once', () => {
    const member = read(follower(), 1);
    member.settle();
    expect(member.dropped).toEqual([{ id: 1, leaderId: null }]);
    const alone = new Member('n1', { voters: ['n1'] }).tick(19);
    alone.settle();
    expect(ofType(read(alone, 2).settle(), 'heartbeat')).toEqual([]);
    expect(alone.readStates).toEqual([{ id: 2, index: 1 }]);
  });
});

describe('Honest members never trip these', () => {
  test('a leader asserts on a second leader of its term', () => {
    const member = leader();
    const link = { from: 'n2', to: 'n1', term: 1 };
    expect(() => member.receive(heartbeat(link))).toThrow('Two leaders in term 1');
  });

  test('a follower asserts on a leader that would cut what is committed', () => {
    const member = follower({ log: [1, 1], commitIndex: 2, term: 1 });
    expect(() => member.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 }, 3))).toThrow(
      'entries were lost',
    );
  });

  test('a leader ignores answers of members it does not know, and hints beyond its log', () => {
    const member = leader();
    member.settle();
    member.receive(acknowledge({ from: 'n9', to: 'n1', term: 1 }, 1));
    member.receive(heartbeatResponse({ from: 'n9', to: 'n1', term: 1 }, 1));
    member.receive(reject({ from: 'n2', to: 'n1', term: 1 }, 0, { term: 9, index: 99 }));
    expect(member.status).toMatchObject({ role: 'leader', commitIndex: 0 });
  });

  test('a core does not start from a disk that has lost what it claims', () => {
    const setup = { voters: ['n1'], log: [1, 2] };
    expect(() => new Member('n1', { ...setup, term: 1 })).toThrow('log ends in term 2');
    expect(() => new Member('n1', { ...setup, commitIndex: 3 })).toThrow('log ends at 2');
  });
});
