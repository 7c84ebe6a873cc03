/** Leadership transfer, rule by rule: thesis §3.10. */
import { describe, expect, test } from 'vitest';
import type { NodeId } from '../../src/raft/types.ts';
import { Member } from './member.ts';
import {
  acknowledge,
  heartbeat,
  heartbeatResponse,
  ofType,
  requestVote,
  timeoutNow,
} from './messages.ts';
import { follower, leader, voters } from './roles.ts';

/** n1 leads four, of whom these hold its no-op. */
function leaderHeldBy(...by: readonly NodeId[]): Member {
  const member = leader({ voters: ['n1', 'n2', 'n3', 'n4'] });
  member.settle();
  for (const from of by) member.receive(acknowledge({ from, to: 'n1', term: 1 }, 1));
  member.settle();
  return member;
}

describe('thesis §3.10 Leadership transfer: the leader', () => {
  test('to nobody in particular goes to who has most of the log, of those heard of lately', () => {
    const member = leaderHeldBy('n2', 'n4');
    for (let tick = 0; tick < 20; tick++) {
      for (const from of ['n3', 'n4']) {
        member.receive(heartbeatResponse({ from, to: 'n1', term: 1 }));
      }
      member.tick();
    }
    member.propose('a');
    member.settle();
    member.receive(acknowledge({ from: 'n4', to: 'n1', term: 1 }, 2));
    member.receive(acknowledge({ from: 'n3', to: 'n1', term: 1 }, 1));
    member.settle();
    member.raft.step({ type: 'transferLeadership', to: null });
    expect(ofType(member.settle(), 'timeoutNow')).toMatchObject([{ to: 'n4' }]);
    expect(member.status.transferee).toBe('n4');
  });

  test('to nobody in particular goes to others before it goes to who failed to take over', () => {
    const member = leader({ voters: ['n1', 'n2', 'n3', 'n4'] });
    const others = ['n2', 'n3', 'n4'];
    member.settle();
    for (const from of others) member.receive(acknowledge({ from, to: 'n1', term: 1 }, 1));
    member.settle();
    const asked: NodeId[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      member.raft.step({ type: 'transferLeadership', to: null });
      for (let tick = 0; tick < member.options.electionTicks; tick++) {
        asked.push(...ofType(member.settle(), 'timeoutNow').map(({ to }) => to));
        for (const from of others) {
          member.receive(heartbeatResponse({ from, to: 'n1', term: 1 }));
        }
        member.tick();
      }
      expect(member.status.transferee).toBeNull();
    }
    expect(asked).toEqual(['n2', 'n3', 'n4', 'n2']);
  });

  test('does not begin where nobody was heard of', () => {
    const member = leader();
    member.settle();
    member.raft.step({ type: 'transferLeadership', to: null });
    expect(member.status.transferee).toBeNull();
  });
});

describe('thesis §3.10 Leadership transfer: the target and the voters', () => {
  test('timeoutNow makes a voter a candidate at once, without a pre-vote', () => {
    const member = follower({ log: [1], term: 1 });
    member.receive(timeoutNow({ from: 'n2', to: 'n1', term: 1 }));
    expect(member.status).toMatchObject({ role: 'candidate', currentTerm: 2, votedFor: 'n1' });
    expect(member.settle()).toMatchObject([
      { type: 'requestVote', preVote: false, isTransfer: true, to: 'n2', term: 2 },
      { type: 'requestVote', preVote: false, isTransfer: true, to: 'n3', term: 2 },
    ]);
  });

  test('a learner and a member that is not eligible let it be', () => {
    const learner = new Member('l1', { voters, learners: ['l1'] });
    learner.receive(timeoutNow({ from: 'n2', to: 'l1', term: 1 }));
    expect(learner.status).toMatchObject({ role: 'follower', leaderId: 'n2' });
    const sick = follower({ term: 1 });
    sick.raft.step({ type: 'eligible', campaign: false });
    sick.receive(timeoutNow({ from: 'n2', to: 'n1', term: 1 }));
    expect(sick.status).toMatchObject({ role: 'follower', currentTerm: 1 });
  });

  test('one of an old term is let be, and tells its sender so', () => {
    const member = follower({ term: 3 });
    member.receive(timeoutNow({ from: 'n2', to: 'n1', term: 2 }));
    expect(member.settle()).toMatchObject([{ type: 'heartbeatResponse', to: 'n2', term: 3 }]);
    expect(member.role).toBe('follower');
  });

  test('voters are not loyal to the leader that asked for the election, nor is the leader', () => {
    const request = requestVote({ from: 'n3', to: 'n1', term: 2 }, { term: 1, index: 1 }, false, {
      isTransfer: true,
    });
    const member = follower({ term: 1 });
    member.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 }));
    member.settle();
    expect(member.receive(request).settle()).toMatchObject([{ to: 'n3', voteGranted: true }]);
    const leading = leader();
    leading.settle();
    expect(leading.receive(request).status).toMatchObject({ role: 'follower', currentTerm: 2 });
  });

  test('one that fails goes on as any other', () => {
    const member = follower({ term: 1 });
    member.receive(timeoutNow({ from: 'n2', to: 'n1', term: 1 }));
    member.settle();
    const [request] = ofType(member.tick(19).settle(), 'requestVote');
    expect(request).toMatchObject({ preVote: true, isTransfer: false });
  });
});
