/** Members that come back with less on their disk than they have acknowledged. */
import { afterEach, describe, expect, test } from 'vitest';
import type { EntryId, Message } from '../../src/format/types.ts';
import { Acknowledgements } from '../../src/transport/acknowledgements.ts';
import type { Hello } from '../../src/transport/hello.ts';
import { birthOf, configure, deliver, heartbeat, memberAt, type Node, openNodes } from './nodes.ts';

const { node, closeAll } = openNodes();

afterEach(closeAll);

const birth = birthOf(['a', 'b']);

function acknowledgement(from: Node, to: Node, { term, index }: EntryId): Message {
  const route = { from: from.id, to: to.id, term };
  return { type: 'appendEntriesResponse', ...route, success: true, matchIndex: index };
}

/** Two members, one of which has acknowledged the entry to the other, and has stopped. */
async function acknowledged(said: EntryId): Promise<{ a: Node; bAddress: string }> {
  const a = await node('a', { birth });
  const b = await node('b', { birth });
  configure([a, b], [memberAt('a', a.peers.address), memberAt('b', b.peers.address)]);
  await deliver(b, a, acknowledgement(b, a, said));
  const bAddress = b.peers.address;
  await b.peers.close();
  return { a, bAddress };
}

/** Starts the other one again, with this on its disk; what it dials is where the first one listens. */
async function comeBack(a: Node, listen: string, log: EntryId | null): Promise<Node> {
  const b = await node('b', { birth, listen, log });
  configure([b], [memberAt('a', a.peers.address), memberAt('b', listen)]);
  return b;
}

describe('a member that comes back', () => {
  test('with all that it acknowledged is heard again', async () => {
    for (const log of [
      { term: 3, index: 70 },
      { term: 3, index: 90 },
      // In a later term it may have cut its log for another leader.
      { term: 4, index: 20 },
    ]) {
      const { a, bAddress } = await acknowledged({ term: 3, index: 70 });
      const b = await comeBack(a, bAddress, log);
      await deliver(b, a, heartbeat(b, a, 5));
      expect(b.lost.all).toEqual([]);
    }
  });

  test('with less is refused on either way, and is told what it has lost', async () => {
    for (const log of [
      { term: 3, index: 69 },
      { term: 2, index: 900 },
    ]) {
      const said = { term: 3, index: 70 };
      const { a, bAddress } = await acknowledged(said);
      const b = await comeBack(a, bAddress, log);
      expect(await b.lost.take()).toEqual(said);
      expect(await b.lost.take()).toEqual(said);
      await a.warnings.take((text) => text.includes('"b" has lost what it acknowledged to "a"'));
      a.peers.send(heartbeat(a, b, 5));
      b.peers.send(heartbeat(b, a, 5));
      expect([...a.messages.all, ...b.messages.all]).toEqual([]);
    }
  });

  test('and knows of no birth gets none, and is told', async () => {
    const { a, bAddress } = await acknowledged({ term: 3, index: 70 });
    const initialCluster = [
      { name: 'a', peerAddress: a.peers.address },
      { name: 'b', peerAddress: bAddress },
    ];
    const b = await node('b', { birth: null, listen: bAddress, initialCluster });
    expect(await b.lost.take()).toEqual({ term: 3, index: 70 });
    expect(b.births.all).toEqual([]);
  });

  test('exchanges nothing before its disk was read', async () => {
    const { a, bAddress } = await acknowledged({ term: 3, index: 70 });
    const b = await comeBack(a, bAddress, null);
    await b.hellos.take(({ name }) => name === 'a');
    b.peers.send(heartbeat(b, a, 5));
    b.peers.flush();
    b.peers.opened({ term: 3, index: 70 });
    await deliver(b, a, heartbeat(b, a, 6));
    expect(a.messages.all).toEqual([]);
  });
});

describe('what is remembered of a member', () => {
  const envelope = { from: 'b', to: 'a', term: 3 } as const;
  const hello = (log: Hello['log']): Hello => ({ memberId: 'b', clusterId: 'c', log }) as Hello;
  const life = '00000000000001fe';

  function remembering(...messages: readonly Message[]): Acknowledgements {
    const known = new Acknowledgements();
    for (const message of messages) known.heard(message);
    return known;
  }

  test('is the highest of what it said, and not what promises nothing', () => {
    const acknowledge = (term: number, matchIndex: number): Message => ({
      ...envelope,
      ...{ type: 'appendEntriesResponse', term, success: true, matchIndex },
    });
    const known = remembering(
      acknowledge(2, 90),
      acknowledge(3, 7),
      acknowledge(3, 5),
      acknowledge(2, 95),
      {
        ...envelope,
        ...{ type: 'heartbeatResponse', term: 9, readRound: 1 },
      },
    );
    expect(known.lostBy(hello({ life, term: 3, index: 6 }))).toEqual({ term: 3, index: 7 });
    expect(known.lostBy(hello({ life, term: 3, index: 7 }))).toBeNull();
    expect(known.lostBy({ ...hello(null), clusterId: null })).toEqual({ term: 3, index: 7 });
  });

  test('counts a vote that it gave, but not one that binds nobody', () => {
    const vote = { ...envelope, type: 'requestVoteResponse', isSticky: false } as const;
    const given = remembering({ ...vote, preVote: false, voteGranted: true });
    expect(given.lostBy(hello({ life, term: 2, index: 90 }))).toEqual({ term: 3, index: 0 });
    const none = remembering(
      { ...vote, preVote: true, voteGranted: true },
      { ...vote, preVote: false, voteGranted: false },
    );
    expect(none.lostBy(hello({ life, term: 2, index: 90 }))).toBeNull();
    expect(none.lostBy({ ...hello(null), clusterId: null })).toBeNull();
  });

  test('does not concern the life in which it was said, whose disk was read before', () => {
    const known = new Acknowledgements();
    known.admitted(hello({ life, term: 1, index: 1 }));
    known.heard({ ...envelope, type: 'appendEntriesResponse', success: true, matchIndex: 9 });
    expect(known.lostBy(hello({ life, term: 1, index: 1 }))).toBeNull();
    const next = hello({ life: '00000000000002fe', term: 1, index: 1 });
    expect(known.lostBy(next)).toEqual({ term: 3, index: 9 });
    known.retain(new Set(['a']));
    expect(known.lostBy(next)).toBeNull();
  });
});
