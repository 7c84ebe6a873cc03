/** What a member does that knows its leader's process to be gone. */
import { describe, expect, test } from 'vitest';
import type { Member } from './member.ts';
import { heartbeat, nothing, ofType, requestVote, vote } from './messages.ts';
import { candidate, follower, leader } from './roles.ts';

const early = { isEarly: true };
const last = { term: 1, index: 1 };

/** A follower of n2 in term 1, which holds one entry. */
function following(id = 'n2'): Member {
  const member = follower({ log: [1], term: 1 });
  member.receive(heartbeat({ from: id, to: 'n1', term: 1 }));
  member.settle();
  return member;
}

function gone(member: Member, leaderId = 'n2'): Member {
  member.raft.step({ type: 'leaderGone', leader: leaderId });
  return member;
}

function ask(member: Member, from = 'n3', log = last): Member {
  return member.receive(requestVote({ from, to: 'n1', term: 2 }, log, true, early));
}

describe('A leader that is gone', () => {
  test('is no leader any more, and soon there is a campaign', () => {
    const member = gone(following());
    expect(member.status).toMatchObject({ role: 'follower', leaderId: null, currentTerm: 1 });
    expect(member.tick(2).role).toBe('follower');
    expect(ofType(member.tick(1).settle(), 'requestVote')).toMatchObject([
      { to: 'n2', preVote: true, isEarly: true, term: 2 },
      { to: 'n3', preVote: true, isEarly: true, term: 2 },
    ]);
  });

  test('is nothing to who follows another, campaigns or leads', () => {
    expect(gone(following('n3')).status.leaderId).toBe('n3');
    const campaigning = candidate();
    expect(gone(campaigning).role).toBe('candidate');
    expect(gone(leader(), 'n1').role).toBe('leader');
  });

  test('does not make one campaign that may not', () => {
    const member = following();
    member.raft.step({ type: 'eligible', campaign: false });
    expect(gone(member).tick(9).role).toBe('follower');
    ask(member);
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: true }]);
  });

  test('is followed again at its first sign of life', () => {
    const member = gone(following()).tick(1);
    member.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 })).tick(9);
    expect(member.status).toMatchObject({ role: 'follower', leaderId: 'n2' });
  });

  test('after a won pre-vote the election is a usual one', () => {
    const member = gone(following()).tick(3);
    member.settle();
    member.receive(vote({ from: 'n3', to: 'n1', term: 2 }, true, true));
    expect(ofType(member.settle(), 'requestVote')).toMatchObject([
      { preVote: false, isEarly: false, isTransfer: false },
      { preVote: false, isEarly: false, isTransfer: false },
    ]);
  });
});

describe('An early pre-vote', () => {
  test('is refused by who hears the leader, who says whether that is all there is against it', () => {
    const member = ask(following());
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: false, isSticky: true }]);
    ask(member, 'n3', nothing);
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: false, isSticky: false }]);
    expect(ask(leader(), 'n3', { term: 9, index: 9 }).settle()).toContainEqual(
      expect.objectContaining({ to: 'n3', voteGranted: false, isSticky: true }),
    );
  });

  test('is repeated while stickiness is the only objection', () => {
    const member = gone(following()).tick(3);
    member.settle();
    for (let round = 0; round < 5; round++) {
      member.receive(vote({ from: 'n3', to: 'n1', term: 1 }, false, true, true));
      expect(member.role).toBe('preCandidate');
      expect(ofType(member.tick(3).settle(), 'requestVote')).toHaveLength(2);
    }
    for (const from of ['n2', 'n3']) member.receive(vote({ from, to: 'n1', term: 1 }, false, true));
    expect(ofType(member.tick(9).settle(), 'requestVote')).toEqual([]);
  });

  test('whoever granted one leaves the election to that one for an election timeout', () => {
    const member = ask(gone(following()));
    expect(member.settle()).toMatchObject([{ to: 'n3', voteGranted: true }]);
    expect(member.tick(9).role).toBe('follower');
    // One that missed its leader, granted, and only then learns that it is gone.
    const late = ask(following().tick(10));
    expect(late.settle()).toMatchObject([{ voteGranted: true }]);
    expect(gone(late).tick(9).role).toBe('follower');
  });

  test('but not longer than until there is a leader, who may go as well', () => {
    const member = ask(gone(following()));
    member.receive(heartbeat({ from: 'n3', to: 'n1', term: 2 }));
    expect(gone(member, 'n3').tick(3).role).toBe('preCandidate');
  });

  test('of two at once with equal logs, the higher id goes first', () => {
    const lower = gone(following()).tick(3);
    lower.settle();
    expect(ask(lower).settle()).toMatchObject([{ to: 'n3', voteGranted: true }]);
    expect(lower.role).toBe('follower');
    const higher = gone(following()).tick(3);
    higher.settle();
    expect(ask(higher, 'n0').settle()).toMatchObject([{ to: 'n0', voteGranted: false }]);
    expect(higher.role).toBe('preCandidate');
  });

  test('of two with different logs, the one with more', () => {
    const member = gone(following()).tick(3);
    member.settle();
    ask(member, 'n0', { term: 1, index: 2 });
    expect(member.settle()).toMatchObject([{ to: 'n0', voteGranted: true }]);
    expect(member.role).toBe('follower');
  });
});
