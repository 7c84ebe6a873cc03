/** Cluster membership changes, rule by rule: Raft (extended version) §6 and thesis §4. */
import { describe, expect, test } from 'vitest';
import type { MemberChange, NodeId } from '../../src/raft/types.ts';
import { Cluster } from './cluster.ts';
import { configurationOf, type Member } from './member.ts';
import { acknowledge, heartbeatResponse, ofType } from './messages.ts';
import { leader } from './roles.ts';

function change(member: Member, ...changes: readonly MemberChange[]): Member {
  member.raft.step({ type: 'changeConfiguration', id: 7, changes });
  return member;
}

function add(id: NodeId): MemberChange {
  const [member] = configurationOf([id]).members;
  if (member === undefined) throw new Error(`No member ${id}`);
  return { type: 'add', member };
}

/** n1 leads term 1, the others hold its log. */
function ready(count: number): Member {
  const voters = Array.from({ length: count }, (_, at) => `n${at + 1}`);
  const member = leader({ voters });
  member.settle();
  return held(member, ...voters.slice(1));
}

/** These hold all of the log by now. */
function held(member: Member, ...by: readonly NodeId[]): Member {
  const { lastIndex, currentTerm: term } = member.status;
  for (const from of by) member.receive(acknowledge({ from, to: 'n1', term }, lastIndex));
  member.settle();
  return member;
}

describe('§6 Configurations in force', () => {
  test('take effect when they are appended, with every kind of quorum', () => {
    const member = change(held(ready(3), 'n2'), { type: 'remove', id: 'n3' });
    member.settle();
    expect(member.accepted.at(-1)).toEqual({ id: 7, entry: { term: 1, index: 2 } });
    expect(member.status.configuration).toMatchObject({
      voters: ['n1', 'n2'],
      votersOutgoing: ['n1', 'n2', 'n3'],
    });
    // n1 and n3 are a majority of the old voters, but only half of the new ones.
    held(member, 'n3');
    expect(member.status.commitIndex).toBe(1);
    held(member, 'n2');
    expect(member.status.commitIndex).toBe(2);
  });

  test('a joint one is left when it is committed, whoever had begun it', () => {
    const setup = { voters: ['n1', 'n2'], votersOutgoing: ['n1', 'n2', 'n3'] };
    const member = leader(setup);
    member.settle();
    expect(member.status.configuration.votersOutgoing).toHaveLength(3);
    held(member, 'n2');
    expect(member.status.configuration).toEqual(configurationOf(['n1', 'n2']));
  });

  test('voters that leave to learn do so when the joint one is left', () => {
    const member = change(ready(3), { type: 'demote', id: 'n3' });
    expect(member.status.configuration).toMatchObject({ learners: [], learnersNext: ['n3'] });
    member.settle();
    held(member, 'n2');
    expect(member.status.configuration).toEqual(configurationOf(['n1', 'n2'], [], ['n3']));
  });

  test('a check of the quorum needs both majorities', () => {
    const member = change(held(ready(3), 'n2'), { type: 'remove', id: 'n2' });
    member.settle();
    for (let beat = 0; beat < 20; beat++) {
      member.receive(heartbeatResponse({ from: 'n2', to: 'n1', term: 1 })).tick();
    }
    expect(member.role).toBe('follower');
  });

  test('reads that wait for more voters than are left are answered', () => {
    const member = change(ready(2), { type: 'demote', id: 'n2' });
    member.settle();
    member.raft.step({ type: 'readIndex', id: 1 });
    member.settle();
    expect(member.readStates).toEqual([]);
    // n2 lets the joint configuration be committed, and never answers the heartbeat.
    held(member, 'n2');
    expect(member.status.configuration.voters).toEqual(['n1']);
    expect(member.readStates).toEqual([{ id: 1, index: 1 }]);
  });
});

describe('thesis §4.2.1 Learners', () => {
  test('a new member gets the log from its beginning, and counts for nothing', () => {
    const member = change(ready(3), add('n4'));
    const [message] = ofType(member.settle(), 'appendEntries').filter(({ to }) => to === 'n4');
    expect(message).toMatchObject({ prev: { term: 1, index: 1 }, entries: [{ index: 2 }] });
    held(member, 'n4');
    expect(member.status.commitIndex).toBe(1);
    held(member, 'n3');
    expect(member.status.commitIndex).toBe(2);
  });

  test('one that comes back while it is still to be told of its leave is a member as any other', () => {
    const member = change(ready(3), add('n4'));
    member.settle();
    held(member, 'n2', 'n4');
    change(member, { type: 'remove', id: 'n4' }).settle();
    held(member, 'n2');
    change(member, add('n4')).settle();
    held(member, 'n2', 'n4');
    for (let tick = 0; tick < 30; tick++) held(member.tick(), 'n2');
    expect(member.status.progress.map(({ id }) => id)).toEqual(['n2', 'n3', 'n4']);
  });
});

describe('thesis §4.2.2 Removing the leader', () => {
  test('it commits the change without counting itself, and then hands over', () => {
    const member = change(ready(3), { type: 'remove', id: 'n1' });
    member.settle();
    held(member, 'n2', 'n3');
    expect(member.status).toMatchObject({
      commitIndex: 2,
      configuration: { voters: ['n2', 'n3'] },
    });
    held(member, 'n3');
    expect(member.status.commitIndex).toBe(2);
    member.receive(acknowledge({ from: 'n2', to: 'n1', term: 1 }, 3));
    expect(ofType(member.settle(), 'timeoutNow')).toMatchObject([{ to: 'n2' }]);
    expect(member.status).toMatchObject({ role: 'follower', leaderId: null, commitIndex: 3 });
    expect(member.tick(100).role).toBe('follower');
  });

  test('a leader that becomes a learner does the same', () => {
    const cluster = new Cluster().addVoters(3).elect('n1');
    change(cluster.member('n1'), { type: 'demote', id: 'n1' });
    cluster.stabilize().tick('n1').stabilize();
    expect(cluster.member('n1').role).toBe('follower');
    expect(cluster.member('n2').status).toMatchObject({
      role: 'leader',
      configuration: { voters: ['n2', 'n3'], learners: ['n1'] },
    });
  });

  test('hands over to who holds the change, though another one seemed better when it was made', () => {
    const member = change(ready(4), { type: 'remove', id: 'n1' });
    member.settle();
    held(member, 'n2', 'n3', 'n4');
    expect(member.status.transferee).toBe('n2');
    member.propose('late');
    member.settle();
    expect(member.dropped).toMatchObject([{ leaderId: null }]);
    for (const from of ['n3', 'n4']) member.receive(acknowledge({ from, to: 'n1', term: 1 }, 3));
    expect(ofType(member.settle(), 'timeoutNow')).toMatchObject([{ to: 'n3' }]);
    expect(member.role).toBe('follower');
  });

  test('steps down all the same when the only one that might take over never gets there', () => {
    const member = ready(4);
    const beat = (ticks: number): void => {
      for (let tick = 0; tick < ticks; tick++) {
        for (const from of ['n2', 'n3', 'n4']) {
          member.receive(heartbeatResponse({ from, to: 'n1', term: 1 }));
        }
        member.tick().settle();
      }
    };
    for (const to of ['n2', 'n3']) {
      member.raft.step({ type: 'transferLeadership', to });
      beat(10);
    }
    change(member, { type: 'remove', id: 'n1' }).settle();
    held(member, 'n2', 'n3');
    for (const from of ['n2', 'n3']) member.receive(acknowledge({ from, to: 'n1', term: 1 }, 3));
    expect(ofType(member.settle(), 'timeoutNow')).toEqual([]);
    expect(member.status).toMatchObject({ role: 'leader', commitIndex: 3, transferee: 'n4' });
    beat(10);
    expect(member.role).toBe('follower');
  });
});

describe('thesis §4.2.3 Those who were left out', () => {
  test('are told, and then forgotten', () => {
    const cluster = new Cluster().addVoters(3).elect('n1');
    change(cluster.member('n1'), { type: 'remove', id: 'n3' });
    cluster.stabilize().tick('n1').stabilize();
    const { status } = cluster.member('n3');
    expect(status).toMatchObject({ commitIndex: 3, configuration: { voters: ['n1', 'n2'] } });
    cluster.member('n1').tick(2);
    expect(ofType(cluster.member('n1').settle(), 'heartbeat').map(({ to }) => to)).toEqual(['n2']);
  });

  test('are not waited for if they are silent', () => {
    const member = change(held(ready(3), 'n2'), { type: 'remove', id: 'n3' });
    for (let tick = 0; tick < 30; tick++) held(member.tick(), 'n2');
    expect(member.status.configuration.voters).toEqual(['n1', 'n2']);
    const beats = ofType(member.tick(2).settle(), 'heartbeat');
    expect(beats.map(({ to }) => to)).toEqual(['n2']);
  });
});
