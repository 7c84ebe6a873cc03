/** Log replication, rule by rule: Raft (extended version) Figure 2 and §5.3. */
import { describe, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { command, type Member } from './member.ts';
import {
  acknowledge,
  appendEntries,
  heartbeat,
  heartbeatResponse,
  nothing,
  ofType,
  reject,
} from './messages.ts';
import { follower, leader } from './roles.ts';

const fromLeader = { from: 'n2', to: 'n1', term: 3 };
const fromFollower = { from: 'n2', to: 'n1', term: 1 };

/** A leader of term 1 whose no-op both followers hold, so that it pipelines. */
function replicating(): Member {
  const member = leader();
  member.settle();
  for (const from of ['n2', 'n3']) member.receive(acknowledge({ ...fromFollower, from }, 1));
  member.settle();
  return member;
}

describe('Figure 2, AppendEntries receiver', () => {
  test.each([
    ['the same entry before them', [1, 1], { term: 1, index: 2 }, true],
    ['the same entry before them, inside the log', [1, 1, 2], { term: 1, index: 1 }, true],
    ['nothing before them', [], nothing, true],
    ['an entry before them that is missing', [1], { term: 1, index: 2 }, false],
    ['an entry before them of another term', [1, 1], { term: 2, index: 2 }, false],
  ])('2. takes entries only with %s', (_, log, prev, success) => {
    const member = follower({ log, term: 3 });
    member.receive(appendEntries(fromLeader, prev, [command(3, prev.index + 1)]));
    const [answer] = ofType(member.settle(), 'appendEntriesResponse');
    expect(answer).toMatchObject(
      success ? { success, matchIndex: prev.index + 1 } : { success, rejected: prev.index },
    );
  });

  test('3. cuts the log at the first entry that contradicts the leader', () => {
    const member = follower({ log: [1, 1, 2, 2], term: 3 });
    const entries = [command(1, 2, '1.2'), command(3, 3, 'new')];
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }, entries));
    member.settle();
    expect(member.stored.map(({ term }) => term)).toEqual([1, 1, 3]);
  });

  test('3. a message that comes late takes nothing away', () => {
    const member = follower({ log: [1], term: 3 });
    const entries = [command(3, 2), command(3, 3), command(3, 4)];
    const prev = { term: 1, index: 1 };
    member.receive(appendEntries(fromLeader, prev, entries));
    member.settle();
    member.receive(appendEntries(fromLeader, prev, entries.slice(0, 1)));
    member.receive(appendEntries(fromLeader, prev));
    expect(member.settle()).toMatchObject([{ success: true, matchIndex: 4 }]);
    expect(member.stored).toHaveLength(4);
  });

  test('4. appends only what is new', () => {
    const member = follower({ log: [1, 1], term: 3 });
    const entries = [command(1, 2, '1.2'), command(3, 3, 'new')];
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }, entries));
    expect(member.take()?.append?.entries).toEqual([command(3, 3, 'new')]);
  });

  test('5. commits up to leaderCommit, but no further than what the message vouches for', () => {
    const member = follower({ log: [1, 2, 2], term: 3 });
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }, [], 3));
    expect(member.status.commitIndex).toBe(1);
    member.receive(appendEntries(fromLeader, { term: 2, index: 2 }, [], 2));
    expect(member.status.commitIndex).toBe(2);
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }, [], 1));
    expect(member.status.commitIndex).toBe(2);
  });

  test('a message whose begin is committed is taken from there on', () => {
    const member = follower({ log: [1, 1, 1], commitIndex: 3, term: 3 });
    member.settle();
    const entries = [command(1, 2), command(1, 3), command(3, 4)];
    member.receive(appendEntries(fromLeader, { term: 1, index: 1 }, entries));
    expect(member.settle()).toMatchObject([{ success: true, matchIndex: 4 }]);
    member.receive(appendEntries(fromLeader, nothing, [command(1, 1)]));
    expect(member.settle()).toMatchObject([{ success: true, matchIndex: 3 + 1 }]);
  });
});

describe('§5.3 Rejections', () => {
  test('a follower names the last of its entries that may agree', () => {
    const member = follower({ log: [1, 1, 2, 2, 2], term: 3 });
    member.receive(appendEntries(fromLeader, { term: 1, index: 5 }));
    member.receive(appendEntries(fromLeader, { term: 3, index: 9 }));
    expect(member.settle()).toMatchObject([
      { rejected: 5, hint: { term: 1, index: 2 } },
      { rejected: 9, hint: { term: 2, index: 5 } },
    ]);
  });

  test('a leader skips what is above the hint in term, and never believes it to be held', () => {
    const member = leader({ log: [1, 1, 5, 5, 5], term: 5 });
    member.settle();
    const link = { from: 'n2', to: 'n1', term: 6 };
    member.receive(reject(link, 5, { term: 2, index: 4 }));
    const [message] = ofType(member.settle(), 'appendEntries');
    expect(message).toMatchObject({ to: 'n2', prev: { term: 1, index: 2 } });
    expect(message?.entries).toHaveLength(4);
    expect(member.status.progress[0]).toMatchObject({ id: 'n2', matchIndex: 0 });
    expect(member.status.commitIndex).toBe(0);
  });

  test('a rejection that was overtaken changes nothing', () => {
    const member = replicating().propose('a', 'b');
    member.settle();
    member.receive(acknowledge(fromFollower, 3));
    member.settle();
    member.receive(reject(fromFollower, 2, { term: 1, index: 1 }));
    member.receive(reject(fromFollower, 3, { term: 1, index: 1 }));
    expect(ofType(member.settle(), 'appendEntries')).toEqual([]);
    expect(member.status.progress[0]).toMatchObject({ id: 'n2', matchIndex: 3 });
    // The pipeline goes on: two messages leave without an answer between them.
    for (const text of ['c', 'd']) {
      const messages = ofType(member.propose(text).settle(), 'appendEntries');
      expect(messages.map(({ to }) => to)).toContain('n2');
    }
  });

  test('a rejection never leads below what is acknowledged', () => {
    const member = replicating().propose('a');
    member.settle();
    member.raft.step({ type: 'peerUnreachable', peer: 'n2' });
    member.receive(heartbeatResponse(fromFollower));
    member.settle();
    member.receive(reject(fromFollower, 1, nothing));
    const [message] = ofType(member.settle(), 'appendEntries');
    expect(message).toMatchObject({ to: 'n2', prev: { term: 1, index: 1 } });
  });

  test('an acknowledgement that was overtaken changes nothing', () => {
    const member = replicating().propose('a', 'b');
    member.settle();
    member.receive(acknowledge(fromFollower, 3)).receive(acknowledge(fromFollower, 2));
    expect(member.status.progress[0]).toMatchObject({ id: 'n2', matchIndex: 3 });
  });
});

describe('Figure 2, leaders', () => {
  test('a new leader sends its no-op to all, after the last entry it has', () => {
    const member = leader({ log: [1, 2], term: 2 });
    expect(ofType(member.settle(), 'appendEntries')).toMatchObject([
      { to: 'n2', prev: { term: 2, index: 2 }, entries: [{ term: 3, index: 3, type: 'noop' }] },
      { to: 'n3', prev: { term: 2, index: 2 }, entries: [{ term: 3, index: 3, type: 'noop' }] },
    ]);
  });

  test('a command is appended and accepted under its id; on a follower it is dropped', () => {
    const member = replicating().propose('a');
    member.settle();
    expect(member.accepted).toEqual([{ id: 0, entry: { term: 1, index: 2 } }]);
    const other = follower({ term: 1 });
    other.receive(heartbeat({ from: 'n2', to: 'n1', term: 1 })).propose('a');
    other.settle();
    expect(other.dropped).toEqual([{ id: 0, leaderId: 'n2' }]);
  });

  test('whatever was stepped before one Ready leaves in one write and one message each', () => {
    const member = replicating().propose('a').tick(2).propose('b').propose('c');
    const ready = member.take();
    expect(ready?.append?.entries).toHaveLength(3);
    expect(ofType(ready?.messages ?? [], 'appendEntries').map(({ to }) => to)).toEqual([
      'n2',
      'n3',
    ]);
    expect(ofType(ready?.messages ?? [], 'heartbeat')).toHaveLength(2);
    expect(member.take()).toBeNull();
  });
});

describe('§5.3, thesis §10.2.1 Pipelining', () => {
  test('messages stop at the window, and go on with each acknowledgement', () => {
    const member = replicating();
    const sentToN2 = (): number => {
      const messages = ofType(member.settle(), 'appendEntries');
      return messages.filter(({ to, entries }) => to === 'n2' && entries.length > 0).length;
    };
    for (let at = 0; at < member.options.inflightMessagesMax; at++) {
      member.propose(`${at}`);
      expect(sentToN2()).toBe(1);
    }
    member.propose('late', 'later');
    expect(sentToN2()).toBe(0);
    member.receive(acknowledge(fromFollower, 2));
    expect(sentToN2()).toBe(1);
  });

  test('a message holds at most so many entries and bytes, but always one', () => {
    const member = leader({ options: { entriesPerMessageMax: 3, bytesPerMessageMax: 200 } });
    member.settle();
    member.receive(acknowledge(fromFollower, 1));
    member.settle();
    member.propose('', '', '', '', 'x'.repeat(500), 'x'.repeat(100), 'x'.repeat(100));
    const messages = ofType(member.settle(), 'appendEntries').filter(({ to }) => to === 'n2');
    expect(messages.map(({ entries }) => entries.length)).toEqual([3, 1, 1, 1]);
  });

  test('followers learn of a commit with the entries that follow, or else at the next tick', () => {
    const member = replicating().propose('a');
    member.settle();
    member.receive(acknowledge(fromFollower, 2)).propose('b');
    expect(ofType(member.settle(), 'appendEntries')).toMatchObject([
      { to: 'n2', entries: [{ index: 3 }], leaderCommit: 2 },
      { to: 'n3', entries: [{ index: 3 }], leaderCommit: 2 },
    ]);
    member.receive(acknowledge(fromFollower, 3));
    expect(ofType(member.settle(), 'appendEntries')).toEqual([]);
    expect(ofType(member.tick().settle(), 'appendEntries')).toMatchObject([
      { to: 'n2', entries: [], leaderCommit: 3 },
      { to: 'n3', entries: [], leaderCommit: 3 },
    ]);
    expect(ofType(member.tick().settle(), 'appendEntries')).toEqual([]);
  });

  test('a heartbeat commits only what the follower is known to hold', () => {
    const member = replicating().propose('a');
    member.settle();
    member.receive(acknowledge(fromFollower, 2));
    member.settle();
    expect(ofType(member.tick(2).settle(), 'heartbeat')).toMatchObject([
      { to: 'n2', leaderCommit: 2 },
      { to: 'n3', leaderCommit: 1 },
    ]);
  });

  test('a leader retries as long as a follower lacks anything', () => {
    const member = leader();
    member.settle();
    for (let times = 0; times < 3; times++) {
      member.receive(heartbeatResponse(fromFollower));
      expect(ofType(member.settle(), 'appendEntries')).toMatchObject([
        { to: 'n2', prev: nothing, entries: [{ index: 1 }] },
      ]);
    }
  });
});

describe('Stored entries', () => {
  const lagging = (): Member => {
    const member = replicating().propose('a', 'b', 'c', 'd');
    member.settle();
    member.receive(acknowledge({ ...fromFollower, from: 'n3' }, 5));
    member.settle();
    member.compact(4);
    member.receive(reject(fromFollower, 5, { term: 1, index: 1 }));
    member.settle();
    return member;
  };

  test('what is no longer in memory is asked for once, and sent as far as memory does not reach', () => {
    const member = lagging();
    expect(member.logReads).toEqual([{ peer: 'n2', from: 2 }]);
    member.receive(heartbeatResponse(fromFollower));
    member.settle();
    expect(member.logReads).toHaveLength(1);
    member.raft.step({ type: 'logRead', peer: 'n2', ...member.readStored(2) });
    const [message] = ofType(member.settle(), 'appendEntries');
    expect(message).toMatchObject({ to: 'n2', prev: { term: 1, index: 1 } });
    expect(message?.entries.map(({ index }) => index)).toEqual([2, 3, 4]);
  });

  test('a read that failed is tried again after a sign of life', () => {
    const member = lagging();
    member.raft.step({ type: 'logRead', peer: 'n2', prev: { term: 0, index: 1 }, entries: [] });
    member.settle();
    expect(member.logReads).toHaveLength(1);
    member.receive(heartbeatResponse(fromFollower));
    member.settle();
    expect(member.logReads).toHaveLength(2);
  });

  test('an answer that the follower no longer needs is let go', () => {
    const member = lagging();
    member.receive(acknowledge(fromFollower, 3));
    member.raft.step({ type: 'logRead', peer: 'n2', ...member.readStored(2) });
    expect(ofType(member.settle(), 'appendEntries')).toEqual([]);
    expect(member.logReads.at(-1)).toEqual({ peer: 'n2', from: 4 });
    member.receive(heartbeat({ from: 'n3', to: 'n1', term: 2 }));
    member.raft.step({ type: 'logRead', peer: 'n2', ...member.readStored(4) });
    expect(ofType(member.settle(), 'appendEntries')).toEqual([]);
  });

  test('a follower that lost touch long ago catches up', () => {
    const cluster = new Cluster().addVoters(3).elect('n1');
    cluster.isolated.add('n3');
    for (let at = 0; at < 50; at++) cluster.propose('n1', `${at}`).stabilize();
    cluster.member('n1').compact(45);
    cluster.isolated.clear();
    cluster.tick('n1', 2).stabilize();
    expect(cluster.member('n3').applied).toEqual(cluster.member('n1').applied);
  });
});
