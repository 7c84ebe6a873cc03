/** What waits for the disk and what does not: Raft (extended version) Figure 2, persistent state. */
import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { command, Member } from './member.ts';
import { appendEntries, heartbeat, nothing, ofType, requestVote } from './messages.ts';
import { candidate, follower } from './roles.ts';

const fromLeader = { from: 'n2', to: 'n1', term: 3 };

describe('Figure 2, persistent state: votes wait for the disk', () => {
  test('a vote waits for the write that carries it', () => {
    const member = follower();
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 1 }, nothing));
    expect(member.take()).toMatchObject({
      append: { hardState: { currentTerm: 1, votedFor: 'n2' } },
      messages: [],
    });
    expect(member.persist().settle()).toMatchObject([{ to: 'n2', voteGranted: true }]);
  });

  test('a vote needs a write of its own when its term is on disk already', () => {
    const member = follower({ term: 1 });
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 1 }, nothing));
    expect(member.take()?.append?.hardState).toMatchObject({ currentTerm: 1, votedFor: 'n2' });
    expect(member.persist().settle()).toMatchObject([{ to: 'n2', voteGranted: true }]);
  });

  test('a vote is not told by the write that was under way before', () => {
    const member = follower({ term: 1 });
    member.receive(appendEntries({ ...fromLeader, term: 1 }, nothing, [command(1, 1)]));
    member.take();
    member.receive(heartbeat({ from: 'n3', to: 'n1', term: 2 })).tick(10);
    member.receive(requestVote({ from: 'n2', to: 'n1', term: 3 }, { term: 2, index: 9 }));
    member.persist().take();
    expect(ofType(member.said(), 'requestVoteResponse')).toEqual([]);
    expect(ofType(member.persist().settle(), 'requestVoteResponse')).toMatchObject([
      { to: 'n2', term: 3, voteGranted: true },
    ]);
  });

  test('a candidate asks for votes once its own is written, and cannot win before', () => {
    const member = candidate();
    member.take();
    expect(member.said()).toEqual([]);
    expect(ofType(member.persist().settle(), 'requestVote')).toHaveLength(2);
    const alone = new Member('n1', { voters: ['n1'] }).tick(19);
    expect(alone.role).toBe('candidate');
    alone.take();
    expect(alone.role).toBe('candidate');
    expect(alone.persist().role).toBe('leader');
  });

  test('the election timer of a candidate starts when its vote is written', () => {
    const member = candidate();
    member.take();
    expect(member.tick(100).status).toMatchObject({ role: 'candidate', currentTerm: 1 });
    expect(member.persist().tick(19).role).toBe('preCandidate');
  });
});

describe('Figure 2, persistent state: acknowledgements wait for the disk', () => {
  test('an acknowledgement waits for the entries, and covers no others', () => {
    const member = follower({ term: 3 });
    member.receive(appendEntries(fromLeader, nothing, [command(3, 1)]));
    member.take();
    member.receive(appendEntries(fromLeader, { term: 3, index: 1 }, [command(3, 2)]));
    expect(member.take()).toBeNull();
    member.persist().take();
    expect(member.said()).toMatchObject([{ success: true, matchIndex: 1 }]);
    expect(member.persist().settle()).toMatchObject([{ success: true, matchIndex: 2 }]);
  });

  test('entries that were replaced while the disk had them are not acknowledged', () => {
    const member = follower({ term: 2 });
    const old = { ...fromLeader, term: 2 };
    member.receive(appendEntries(old, nothing, [command(2, 1), command(2, 2), command(2, 3)]));
    member.take();
    const link = { from: 'n3', to: 'n1', term: 3 };
    const entries = [command(3, 2, 'new'), command(3, 3, 'new')];
    member.receive(appendEntries(link, { term: 2, index: 1 }, entries, 3));
    member.persist().take();
    expect(member.said()).toEqual([]);
    expect(member.applied, 'the term that says what is committed is not on disk').toEqual([]);
    expect(member.pending).toMatchObject({ hardState: { currentTerm: 3 }, entries });
    expect(member.persist().settle()).toMatchObject([{ to: 'n3', term: 3, matchIndex: 3 }]);
    expect(member.applied).toHaveLength(3);
  });

  test('what was promised in a term is not told in the next', () => {
    const member = follower({ term: 3 });
    member.receive(appendEntries(fromLeader, nothing, [command(3, 1)]));
    member.take();
    member.receive(heartbeat({ from: 'n3', to: 'n1', term: 4 }));
    member.persist();
    expect(ofType(member.settle(), 'appendEntriesResponse')).toEqual([]);
  });

  test('an acknowledgement waits for its term to be on disk, even without entries', () => {
    const member = follower({ log: [1], term: 2 });
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }));
    member.take();
    expect(member.said()).toEqual([]);
    expect(member.persist().settle()).toMatchObject([{ success: true, matchIndex: 1 }]);
  });
});

describe('Figure 2, persistent state: what is applied waits for the disk', () => {
  const stored = [4, 4, 4, 4];
  const last = { term: 4, index: 4 };

  test('nothing is applied on the word of a leader whose term is not on disk', () => {
    const member = follower({ log: stored, term: 5 });
    const link = { from: 'n2', to: 'n1', term: 6 };
    member.receive(appendEntries(link, last, [command(6, 5)], 5));
    const ready = member.take();
    expect(ready).toMatchObject({ append: { hardState: { currentTerm: 6 } } });
    expect(ready?.committedEntries).toEqual([]);
    member.persist().settle();
    expect(member.applied.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5]);
  });

  test('so after a crash an older leader may still replace what was committed for this one', () => {
    const member = follower({ log: stored, term: 5 });
    member.receive(appendEntries({ from: 'n2', to: 'n1', term: 6 }, last, [], 4));
    member.take();
    expect(member.applied).toEqual([]);
    member.restart();
    const old = { from: 'n3', to: 'n1', term: 5 };
    const entries = [command(5, 3), command(5, 4), command(5, 5)];
    member.receive(appendEntries(old, { term: 4, index: 2 }, entries, 2));
    expect(member.settle()).toMatchObject([{ to: 'n3', success: true, matchIndex: 5 }]);
    expect(member.stored.map(({ term }) => term)).toEqual([4, 4, 5, 5, 5]);
    expect(member.applied.map(({ index }) => index)).toEqual([1, 2]);
  });
});

describe('The disk as an input', () => {
  test('heartbeats, refusals, pre-votes and ticks do not wait', () => {
    const member = follower({ log: [2], term: 2 });
    member.receive(appendEntries(fromLeader, { term: 2, index: 1 }, [command(3, 2)]));
    member.take();
    member.receive(heartbeat(fromLeader));
    member.receive(appendEntries(fromLeader, { term: 3, index: 9 }));
    member.receive(requestVote({ from: 'n3', to: 'n1', term: 3 }, nothing));
    member.take();
    expect(member.said().map(({ type }) => type)).toEqual([
      'heartbeatResponse',
      'appendEntriesResponse',
      'requestVoteResponse',
    ]);
    member.tick(19).take();
    expect(ofType(member.said(), 'requestVote')).toHaveLength(2);
  });

  test('one append is out at a time; the commit index alone never causes one', () => {
    const member = follower({ term: 3 });
    member.receive(appendEntries(fromLeader, nothing, [command(3, 1)]));
    expect(member.take()?.append?.number).toBe(1);
    member.receive(appendEntries(fromLeader, { term: 3, index: 1 }, [command(3, 2)]));
    expect(member.take()).toBeNull();
    member.persist();
    expect(member.take()?.append).toMatchObject({ number: 2, hardState: null });
    member.persist().settle();
    member.receive(heartbeat(fromLeader, 2));
    expect(member.take()).toMatchObject({ append: null, committedEntries: [{}, {}] });
    member.receive(appendEntries(fromLeader, { term: 3, index: 2 }, [command(3, 3)], 2));
    expect(member.take()?.append).toMatchObject({ number: 3, hardState: { commitIndex: 2 } });
  });

  test('a restart applies again what follows the checkpoint, each entry once', () => {
    const cluster = new Cluster().addVoters(3).elect('n1');
    cluster.propose('n1', 'a', 'b', 'c').stabilize().tick('n1').stabilize();
    const member = cluster.member('n2');
    member.compact(2);
    member.restart().settle();
    cluster.tick('n1', 2).stabilize();
    expect(member.applied.map(({ index }) => index)).toEqual([1, 2, 3, 4]);
  });
});
