/** Leader election, rule by rule: Raft (extended version) §5.1, §5.2, §5.4.1 and §6; thesis §9.6. */
import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { configurationOf, Member } from './member.ts';
import { appendEntries, heartbeat, nothing, ofType, requestVote, vote } from './messages.ts';
import { candidate, follower, leader, voters } from './roles.ts';

describe('§5.1 Terms', () => {
  test.each([
    ['follower', follower],
    ['candidate', candidate],
    ['leader', leader],
  ])('Figure 2, all servers: a %s that sees a higher term becomes its follower', (_, create) => {
    const member = create();
    member.receive(heartbeat({ from: 'n2', to: 'n1', term: 7 }));
    expect(member.status).toMatchObject({
      role: 'follower',
      currentTerm: 7,
      votedFor: null,
      leaderId: 'n2',
    });
  });

  test('a request of an old term is refused, and no entry of it is taken', () => {
    const member = follower({ log: [1, 2], term: 3 });
    const entry = { term: 2, index: 3, type: 'noop' } as const;
    const stale = { from: 'n2', to: 'n1', term: 2 };
    member.receive(appendEntries(stale, { term: 2, index: 2 }, [entry]));
    expect(member.settle()).toMatchObject([{ to: 'n2', term: 3, type: 'heartbeatResponse' }]);
    expect(member.status).toMatchObject({ lastIndex: 2, leaderId: null });
  });

  test('an answer of an old term is ignored', () => {
    const member = candidate({ log: [4], term: 4 });
    member.settle();
    member.receive(vote({ from: 'n2', to: 'n1', term: 4 }, true));
    expect(member.role).toBe('candidate');
  });

  test('a vote request of an old term does not get the vote', () => {
    const member = follower({ term: 3 });
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 2 }, { term: 2, index: 9 }));
    expect(ofType(member.settle(), 'requestVoteResponse')).toEqual([]);
    expect(member.status.votedFor).toBeNull();
  });
});

describe('§5.2 Leader election: followers', () => {
  test('members start as followers', () => {
    expect(follower().status).toMatchObject({ role: 'follower', leaderId: null, currentTerm: 0 });
  });

  test('a follower stays one as long as it hears its leader', () => {
    const member = follower({ term: 1 });
    for (let beat = 0; beat < 20; beat++) {
      member.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 })).tick(9);
    }
    expect(member.status).toMatchObject({ role: 'follower', leaderId: 'n2', currentTerm: 1 });
  });

  test('an election timeout without a leader makes a follower campaign, by a pre-vote first', () => {
    const member = follower({ log: [1], term: 1 }).tick(19);
    expect(member.status).toMatchObject({ role: 'preCandidate', currentTerm: 1, votedFor: null });
    expect(member.settle()).toMatchObject([
      { type: 'requestVote', preVote: true, to: 'n2', term: 2, last: { term: 1, index: 1 } },
      { type: 'requestVote', preVote: true, to: 'n3', term: 2, last: { term: 1, index: 1 } },
    ]);
  });

  test('one vote a term, first come first served, also after a restart', () => {
    const member = follower();
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 1 }, nothing));
    expect(member.settle()).toMatchObject([{ to: 'n2', voteGranted: true }]);
    member.receive(requestVote({ from: 'n3', to: 'n1', term: 1 }, nothing));
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: false }]);
    member.restart();
    member.receive(requestVote({ from: 'n3', to: 'n1', term: 1 }, nothing));
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: false }]);
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 1 }, nothing));
    expect(member.settle()).toMatchObject([{ to: 'n2', voteGranted: true }]);
  });

  test('a granted vote restarts the election timer', () => {
    for (const term of [1, 2]) {
      const member = follower({ term: 1 }).tick(18);
      member.receive(requestVote({ from: 'n2', to: 'n1', term }, nothing)).tick(18);
      expect(member.role).toBe('follower');
    }
  });

  test('a refused vote does not restart the election timer', () => {
    const member = follower({ log: [1], term: 1 }).tick(18);
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 1 }, nothing)).tick(1);
    expect(member.role).toBe('preCandidate');
  });
});

describe('§5.2 Leader election: candidates and leaders', () => {
  test('a candidate enters the next term, votes for itself and asks all others', () => {
    const member = candidate();
    expect(member.status).toMatchObject({ currentTerm: 1, votedFor: 'n1' });
    expect(member.settle()).toMatchObject([
      { type: 'requestVote', preVote: false, to: 'n2', term: 1 },
      { type: 'requestVote', preVote: false, to: 'n3', term: 1 },
    ]);
  });

  test.each([
    [3, 2],
    [5, 3],
    [7, 4],
  ])('a majority makes a leader: of %i voters, %i', (count, needed) => {
    const all = Array.from({ length: count }, (_, at) => `n${at + 1}`);
    const member = candidate({ voters: all });
    member.settle();
    for (let votes = 2; votes <= needed; votes++) {
      expect(member.role).toBe('candidate');
      member.receive(vote({ from: `n${votes}`, to: 'n1', term: 1 }, true));
    }
    expect(member.role).toBe('leader');
  });

  test('repeated votes of one member count once', () => {
    const member = candidate({ voters: ['n1', 'n2', 'n3', 'n4', 'n5'] });
    member.settle();
    for (let times = 0; times < 5; times++) {
      member.receive(vote({ from: 'n2', to: 'n1', term: 1 }, true));
    }
    expect(member.role).toBe('candidate');
  });

  test('the vote of one that is no voter does not count', () => {
    const member = candidate();
    member.settle();
    member.receive(vote({ from: 'n9', to: 'n1', term: 1 }, true));
    expect(member.role).toBe('candidate');
  });

  test('a candidate that hears a leader of its term follows it', () => {
    const member = candidate();
    member.receive(appendEntries({ from: 'n3', to: 'n1', term: 1 }, nothing));
    expect(member.status).toMatchObject({ role: 'follower', leaderId: 'n3', votedFor: 'n1' });
  });

  test('a candidate without a majority starts over after another timeout', () => {
    const member = candidate();
    member.settle();
    member.tick(19);
    expect(member.status).toMatchObject({ role: 'preCandidate', currentTerm: 1 });
  });

  test('timeouts are drawn anew from electionTicks to 2 × electionTicks − 1', () => {
    const draws = [0, 0.5, 0.999];
    const drawn: number[] = [];
    const member = follower({ options: { random: () => draws[drawn.length] ?? 0 } });
    for (let ticks = 1; drawn.length < 3; ticks++) {
      member.tick();
      if (ofType(member.settle(), 'requestVote').length === 0) continue;
      drawn.push(ticks);
      ticks = 0;
    }
    expect(drawn[0]).toBe(10);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...drawn)).toBeLessThan(20);
  });

  test('a leader sends heartbeats to all, every heartbeatTicks', () => {
    const member = leader();
    member.settle();
    expect(ofType(member.tick(1).settle(), 'heartbeat')).toEqual([]);
    expect(ofType(member.tick(1).settle(), 'heartbeat')).toMatchObject([
      { to: 'n2', term: 1 },
      { to: 'n3', term: 1 },
    ]);
  });
});

describe('§5.4.1 Election restriction', () => {
  test.each([
    ['a later last term', [1, 1], { term: 2, index: 1 }, true],
    ['the same last term and index', [1, 1], { term: 1, index: 2 }, true],
    ['the same last term and a longer log', [1, 1], { term: 1, index: 3 }, true],
    ['the same last term and a shorter log', [1, 1], { term: 1, index: 1 }, false],
    ['an earlier last term, however long', [1, 2], { term: 1, index: 9 }, false],
  ])('a candidate with %s', (_, log, last, granted) => {
    for (const preVote of [true, false]) {
      const member = follower({ log, term: 3 });
      member.receive(requestVote({ from: 'n2', to: 'n1', term: 4 }, last, preVote));
      expect(member.settle()).toMatchObject([{ to: 'n2', preVote, voteGranted: granted }]);
    }
  });
});

describe('§6 Disruptive servers, thesis §9.6 pre-vote', () => {
  test('whoever heard a leader within the shortest timeout ignores vote requests', () => {
    for (const preVote of [true, false]) {
      const member = follower({ term: 1 });
      const request = requestVote({ from: 'n3', to: 'n1', term: 2 }, nothing, preVote);
      member.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 })).tick(9);
      member.settle();
      member.receive(request);
      expect(member.settle()).toEqual([]);
      expect(member.status.currentTerm).toBe(1);
      member.tick(1).receive(request);
      expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: true }]);
    }
  });

  test('a leader does not let a campaign disturb it', () => {
    const member = leader();
    member.receive(requestVote({ from: 'n3', to: 'n1', term: 9 }, { term: 9, index: 9 }));
    expect(member.status).toMatchObject({ role: 'leader', currentTerm: 1 });
  });

  test('a pre-vote changes neither term nor vote nor timer, and may go to many', () => {
    const member = follower({ term: 1 }).tick(18);
    for (const from of ['n2', 'n3']) {
      member.receive(requestVote({ from, to: 'n1', term: 2 }, nothing, true));
      expect(member.settle()).toMatchObject([{ to: from, term: 2, voteGranted: true }]);
    }
    expect(member.status).toMatchObject({ currentTerm: 1, votedFor: null });
    expect(member.tick(1).role).toBe('preCandidate');
  });

  test('a grant of an earlier pre-vote does not count for a later term', () => {
    const member = follower({ term: 4 }).tick(19);
    member.receive(vote({ from: 'n2', to: 'n1', term: 4 }, true, true));
    member.receive(vote({ from: 'n3', to: 'n1', term: 6 }, true, true));
    expect(member.role).toBe('preCandidate');
  });

  test('a pre-vote of an old term is refused with the newer one', () => {
    const member = follower({ term: 5 });
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 3 }, { term: 2, index: 9 }, true));
    expect(member.settle()).toMatchObject([{ to: 'n2', term: 5, voteGranted: false }]);
  });

  test('thesis §6.2: a leader that no quorum answers for an election timeout steps down', () => {
    const member = leader();
    expect(member.tick(9).role).toBe('leader');
    expect(member.tick(11).status).toMatchObject({ role: 'follower', leaderId: null });
  });

  test('a restarted member does not wait for a leader that it has forgotten', () => {
    const member = follower({ term: 1 });
    member.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 }));
    member.settle();
    member.restart();
    member.receive(requestVote({ from: 'n3', to: 'n1', term: 2 }, nothing, true));
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: true }]);
  });
});

describe('§6 Joint consensus', () => {
  test('an election needs a majority of both sets', () => {
    const setup = { voters: ['n1', 'n2', 'n3'], votersOutgoing: ['n1', 'n4', 'n5'] };
    const member = new Member('n1', setup).tick(19);
    expect(
      ofType(member.settle(), 'requestVote')
        .map(({ to }) => to)
        .sort(),
    ).toEqual(['n2', 'n3', 'n4', 'n5']);
    member.receive(vote({ from: 'n2', to: 'n1', term: 1 }, true, true));
    member.receive(vote({ from: 'n3', to: 'n1', term: 1 }, true, true));
    expect(member.role).toBe('preCandidate');
    member.receive(vote({ from: 'n5', to: 'n1', term: 1 }, true, true));
    expect(member.role).toBe('candidate');
  });

  test('a learner does not campaign, but gives its vote', () => {
    const member = new Member('l1', { voters, learners: ['l1'] }).tick(100);
    expect(member.role).toBe('follower');
    member.receive(requestVote({ from: 'n2', to: 'l1', term: 1 }, nothing));
    expect(member.settle()).toMatchObject([{ to: 'n2', voteGranted: true }]);
  });

  test('thesis §4.2.2: a member that a configuration leaves out campaigns until that is committed', () => {
    const member = follower({ term: 1 });
    const configuration = configurationOf(['n2', 'n3']);
    const entry = { term: 1, index: 1, type: 'configuration', configuration } as const;
    const link = { from: 'n2', to: 'n1', term: 1 };
    member.receive(appendEntries(link, nothing, [entry]));
    member.settle();
    expect(member.tick(20).role).toBe('preCandidate');
    // Its own vote does not count.
    member.receive(vote({ from: 'n2', to: 'n1', term: 2 }, true, true));
    expect(member.role).toBe('preCandidate');
    member.receive(heartbeat(link, 1));
    expect(member.tick(100).role).toBe('follower');
  });
});

describe('Eligibility', () => {
  test('a member that is not eligible votes and leads on, but does not campaign', () => {
    const member = follower();
    member.raft.step({ type: 'eligible', campaign: false });
    expect(member.tick(100).role).toBe('follower');
    member.raft.step({ type: 'eligible', campaign: true });
    expect(member.tick(1).role).toBe('preCandidate');
    member.raft.step({ type: 'eligible', campaign: false });
    expect(member.role).toBe('follower');
    const leading = leader();
    leading.raft.step({ type: 'eligible', campaign: false });
    expect(leading.role).toBe('leader');
  });

  test('an election goes through whoever starts it', () => {
    for (const id of voters) {
      const cluster = new Cluster().addVoters(3).elect(id);
      expect(cluster.member(id).role).toBe('leader');
    }
  });
});
