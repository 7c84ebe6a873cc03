/** Log compaction and InstallSnapshot, rule by rule: Raft (extended version) §7. */
import { describe, expect, test } from 'vitest';
import type { Index, Term } from '../../src/raft/types.ts';
import { command, configurationOf, type Member } from './member.ts';
import {
  acknowledge,
  appendEntries,
  heartbeat,
  heartbeatResponse,
  installSnapshot,
  nothing,
  ofType,
  reject,
  requestVote,
} from './messages.ts';
import { candidate, follower, leader, voters } from './roles.ts';

const fromLeader = { from: 'n2', to: 'n1', term: 3 };

function pointAt(term: Term, index: Index) {
  return { last: { term, index }, configuration: configurationOf(voters) };
}

function receive(member: Member, term: Term, index: Index, senderTerm = 3): Member {
  member.raft.step({ type: 'snapshotReceived', snapshot: pointAt(term, index), term: senderTerm });
  return member;
}

/** A follower of n2 in term 3. */
function following(setup: Parameters<typeof follower>[0] = {}): Member {
  const member = follower({ term: 3, ...setup });
  member.receive(heartbeat(fromLeader));
  member.settle();
  return member;
}

describe('§7 An offer', () => {
  test('of what is committed here already is answered with that', () => {
    const member = following({ log: [1, 1], commitIndex: 2 });
    member.receive(installSnapshot(fromLeader, { term: 1, index: 2 }));
    expect(member.take()).toMatchObject({ snapshotOffer: null });
    expect(member.settle()).toMatchObject([{ success: true, matchIndex: 2 }]);
  });

  test('of an entry that is in the log commits it, and no state is needed', () => {
    const member = following({ log: [1, 1, 2] });
    member.receive(installSnapshot(fromLeader, { term: 1, index: 2 }));
    expect(member.status.commitIndex).toBe(2);
    expect(member.take()).toMatchObject({ snapshotOffer: null, committedEntries: [{}, {}] });
    expect(member.said()).toMatchObject([{ success: true, matchIndex: 2 }]);
  });

  test('of more asks for a state, and tells the leader what is here', () => {
    const member = following({ log: [1, 1], commitIndex: 1 });
    member.receive(installSnapshot(fromLeader, { term: 3, index: 9 }));
    expect(member.take()?.snapshotOffer).toEqual({ from: 'n2', last: { term: 3, index: 9 } });
    expect(member.settle()).toMatchObject([{ success: true, matchIndex: 1 }]);
    member.receive(installSnapshot(fromLeader, { term: 3, index: 11 }));
    expect(member.take()?.snapshotOffer).toMatchObject({ last: { index: 11 } });
  });
});

describe('§7 A received state', () => {
  test('goes to the disk with the next append; only then it is told and gone on from', () => {
    const member = receive(following({ log: [1, 1], commitIndex: 1 }), 2, 5);
    expect(member.status).toMatchObject({ commitIndex: 5, lastIndex: 5, lastApplied: 1 });
    const ready = member.take();
    expect(ready?.append).toMatchObject({
      hardState: { commitIndex: 5 },
      snapshot: pointAt(2, 5),
      entries: [],
    });
    expect([ready?.messages, ready?.committedEntries, ready?.restored]).toEqual([[], [], null]);
    member.persist();
    expect(member.take()?.restored).toEqual(pointAt(2, 5));
    expect(member.said()).toMatchObject([{ to: 'n2', success: true, matchIndex: 5 }]);
    expect(member.status.lastApplied).toBe(5);
  });

  test('of what is committed already is of no use', () => {
    const member = following({ log: [1, 1], commitIndex: 2 });
    member.settle();
    expect(receive(member, 1, 2, 9).take()).toBeNull();
    expect(member.status.currentTerm).toBe(3);
  });

  test('keeps what follows it, if the log has its last entry; else nothing', () => {
    const kept = receive(following({ log: [1, 1, 1, 2] }), 1, 2);
    kept.settle();
    expect(kept.stored.map(({ term, index }) => [term, index])).toEqual([
      [1, 3],
      [2, 4],
    ]);
    const other = receive(following({ log: [1, 1, 1, 1] }), 2, 2);
    other.settle();
    expect(other.stored).toEqual([]);
    expect(other.status.lastIndex).toBe(2);
  });

  test('brings its configuration', () => {
    const member = following();
    const configuration = configurationOf(['n1', 'n4'], [], ['n5']);
    const snapshot = { last: { term: 2, index: 5 }, configuration };
    member.raft.step({ type: 'snapshotReceived', snapshot, term: 3 });
    expect(member.status.configuration).toEqual(configuration);
  });
});

describe('§7 A received state and the disk', () => {
  test('waits for the append that is out, whose entries count as far as they are part of it', () => {
    const member = following();
    member.receive(appendEntries(fromLeader, nothing, [command(1, 1), command(1, 2)], 1));
    member.take();
    receive(member, 3, 9);
    expect(member.take()).toBeNull();
    member.persist();
    // What equals this leader's log is part of the state.
    expect(member.take()?.append).toMatchObject({ number: 2, snapshot: pointAt(3, 9) });
    expect(member.said()).toMatchObject([{ matchIndex: 2 }]);
    expect(member.persist().settle()).toMatchObject([{ matchIndex: 9 }]);
  });

  test('a newer one that comes while one is written is written after it', () => {
    const member = receive(following(), 2, 5);
    member.take();
    receive(member, 3, 8);
    member.persist();
    expect(member.take()).toMatchObject({
      restored: pointAt(2, 5),
      append: { snapshot: pointAt(3, 8) },
      committedEntries: [],
    });
    member.persist();
    expect(member.take()?.restored).toEqual(pointAt(3, 8));
  });

  test('entries after it come with it or later, and are applied after it', () => {
    const member = receive(following(), 2, 5);
    member.receive(appendEntries(fromLeader, { term: 2, index: 5 }, [command(3, 6)], 6));
    expect(member.take()).toMatchObject({
      append: { snapshot: pointAt(2, 5), entries: [{ index: 6 }] },
      committedEntries: [],
    });
    member.persist();
    expect(member.take()).toMatchObject({
      restored: pointAt(2, 5),
      committedEntries: [{ index: 6 }],
    });
  });

  test('a crash before it is durable leaves the log, one after it the state', () => {
    const before = receive(following({ log: [1, 1], commitIndex: 1 }), 2, 5);
    before.take();
    before.restart();
    expect(before.status).toMatchObject({ lastIndex: 2, commitIndex: 1 });
    const after = receive(following({ log: [1, 1], commitIndex: 1 }), 2, 5);
    const append = after.take()?.append;
    if (append) after.write(append);
    after.restart();
    expect(after.status).toMatchObject({ lastIndex: 5, commitIndex: 5, lastApplied: 5 });
  });
});

describe('§7 A received state and its sender', () => {
  test("takes this member to its sender's term, so that no leader before it is told", () => {
    const member = receive(following(), 2, 5, 4);
    expect(member.status).toMatchObject({ currentTerm: 4, leaderId: null });
    const messages = member.settle();
    expect(messages).toEqual([]);
    member.receive(appendEntries(fromLeader, { term: 1, index: 4 }));
    expect(member.settle()).toMatchObject([{ type: 'heartbeatResponse', term: 4 }]);
  });

  test('ends a campaign; a leader needs none', () => {
    const campaigning = candidate();
    campaigning.settle();
    expect(receive(campaigning, 1, 5, 1).status).toMatchObject({
      role: 'follower',
      commitIndex: 5,
    });
    const leading = leader();
    leading.settle();
    expect(receive(leading, 1, 1, 1).status).toMatchObject({ role: 'leader', commitIndex: 0 });
  });

  test('a vote is refused to whom lacks what it has', () => {
    const member = receive(following(), 2, 5).tick(10);
    member.receive(requestVote({ from: 'n3', to: 'n1', term: 4 }, { term: 2, index: 4 }));
    expect(ofType(member.settle(), 'requestVoteResponse')).toMatchObject([{ voteGranted: false }]);
  });
});

describe('§7 A leader whose log begins later than a follower needs', () => {
  const answer = { from: 'n2', to: 'n1', term: 3 };

  /** A leader that has read its log for n2 from 3 on, and found nothing. */
  function offering(): Member {
    const member = leader({ log: [1, 1, 2, 2], term: 2, commitIndex: 4 });
    member.settle();
    member.compact(4);
    member.release();
    member.receive(reject(answer, 4, { term: 1, index: 2 }));
    member.take();
    expect(member.logReads).toEqual([{ peer: 'n2', from: 3 }]);
    member.raft.step({ type: 'logRead', peer: 'n2', ...member.readStored(3) });
    return member;
  }

  test('offers what it has applied, and sends no entries', () => {
    const member = offering();
    expect(member.settle()).toMatchObject([
      { type: 'installSnapshot', to: 'n2', last: { term: 2, index: 4 } },
    ]);
    expect(member.status.progress[0]).toMatchObject({ id: 'n2', state: 'snapshot' });
    member.receive(acknowledge({ ...answer, from: 'n3' }, 5));
    const sent = ofType(member.propose('a').settle(), 'appendEntries');
    expect(new Set(sent.map(({ to }) => to))).toEqual(new Set(['n3']));
  });

  test('offers again with each sign of life, and not without', () => {
    const member = offering();
    member.settle();
    expect(ofType(member.tick(8).settle(), 'installSnapshot')).toEqual([]);
    member.receive(heartbeatResponse(answer));
    expect(ofType(member.settle(), 'installSnapshot')).toHaveLength(1);
    member.raft.step({ type: 'peerUnreachable', peer: 'n2' });
    expect(member.status.progress[0]).toMatchObject({ state: 'snapshot' });
  });

  test('goes on with entries once the follower has what is gone, and not before', () => {
    const member = offering();
    member.settle();
    member.receive(acknowledge(answer, 2));
    expect(ofType(member.settle(), 'appendEntries')).toEqual([]);
    expect(member.status.progress[0]).toMatchObject({ state: 'snapshot', matchIndex: 2 });
    member.receive(acknowledge(answer, 4));
    expect(ofType(member.settle(), 'appendEntries')).toMatchObject([
      { to: 'n2', prev: { term: 2, index: 4 }, entries: [{ term: 3, index: 5 }] },
    ]);
    expect(member.status.progress[0]).toMatchObject({ state: 'replicate', matchIndex: 4 });
  });

  test('does not believe so because of an entry that the follower no longer needs', () => {
    const member = leader({ log: [1, 1, 2, 2], term: 2, commitIndex: 4 });
    member.settle();
    member.compact(4);
    member.release();
    member.receive(reject(answer, 4, { term: 1, index: 2 }));
    member.settle();
    member.receive(acknowledge(answer, 4));
    member.raft.step({ type: 'logRead', peer: 'n2', ...member.readStored(3) });
    expect(ofType(member.settle(), 'appendEntries')).toMatchObject([{ to: 'n2' }]);
    expect(member.status.progress[0]).toMatchObject({ state: 'replicate' });
  });

  test('probes again where a rejection shows that the follower has more', () => {
    const member = offering();
    member.settle();
    member.receive(reject(answer, 5, { term: 2, index: 4 }));
    expect(ofType(member.settle(), 'appendEntries')).toMatchObject([
      { to: 'n2', prev: { term: 2, index: 4 } },
    ]);
    expect(member.status.progress[0]).toMatchObject({ state: 'probe', matchIndex: 0 });
  });
});
