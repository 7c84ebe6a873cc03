import { afterEach, describe, expect, test } from 'vitest';
import type { Message } from '../../src/format/types.ts';
import {
  birthOf,
  configurationOf,
  configure,
  deliver,
  heartbeat,
  introduce,
  memberAt,
  type Node,
  openNodes,
} from './nodes.ts';

const { node, closeAll } = openNodes();

async function pair(): Promise<readonly [Node, Node]> {
  const birth = birthOf(['a', 'b']);
  const nodes = [await node('a', { birth }), await node('b', { birth })] as const;
  introduce(...nodes);
  return nodes;
}

function append(from: Node, to: Node, term: number, bytes: number): Message {
  const command = new Uint8Array(bytes).fill(7);
  const entries = [{ type: 'command' as const, term, index: 5, command }];
  return {
    type: 'appendEntries',
    from: from.id,
    to: to.id,
    term,
    prev: { term: 1, index: 4 },
    entries,
    leaderCommit: 4,
  };
}

afterEach(closeAll);

describe('peers', () => {
  test('exchange every kind of message in both directions', async () => {
    const [a, b] = await pair();
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const envelope = { from: from.id, to: to.id, term: 9 };
      const messages: readonly Message[] = [
        {
          type: 'requestVote',
          ...envelope,
          preVote: true,
          isTransfer: false,
          isEarly: true,
          last: { term: 8, index: 100 },
        },
        {
          type: 'requestVoteResponse',
          ...envelope,
          preVote: true,
          voteGranted: false,
          isSticky: true,
        },
        heartbeat(from, to, 9),
        { type: 'heartbeatResponse', ...envelope, readRound: 4 },
        { type: 'timeoutNow', ...envelope },
        { type: 'installSnapshot', ...envelope, last: { term: 8, index: 90 } },
        append(from, to, 9, 1000),
        { type: 'appendEntriesResponse', ...envelope, success: true, matchIndex: 5 },
      ];
      for (const message of messages) {
        expect(comparable(await deliver(from, to, message))).toEqual(comparable(message));
      }
    }
  });

  test('keep the order within a lane and send a turn of any size', async () => {
    const [a, b] = await pair();
    await deliver(a, b, append(a, b, 1, 1));
    const sizes = [10, 300_000, 200_000, 100_000, 1_000_000, 0];
    sizes.forEach((bytes, at) => {
      a.peers.send(append(a, b, at + 2, bytes));
    });
    a.peers.flush();
    for (const [at, bytes] of sizes.entries()) {
      const received = await b.messages.take(({ term }) => term >= 2);
      expect(received.term).toBe(at + 2);
      expect(comparable(received)).toEqual(comparable(append(a, b, at + 2, bytes)));
    }
  });

  test('send nothing before the flush', async () => {
    const [a, b] = await pair();
    await deliver(a, b, heartbeat(a, b, 1));
    a.peers.send(heartbeat(a, b, 2));
    await deliver(b, a, heartbeat(b, a, 3));
    expect(b.messages.all.filter(({ term }) => term === 2)).toEqual([]);
    a.peers.flush();
    await b.messages.take(({ term }) => term === 2);
  });
});

describe('peers in trouble', () => {
  test('say that a member is gone, and find it again after its restart', async () => {
    const [a, b] = await pair();
    await deliver(a, b, heartbeat(a, b, 1));
    await b.peers.close();
    expect(await a.unreachable.take()).toBe(b.id);
    a.peers.send(heartbeat(a, b, 2));
    a.peers.flush();
    const again = await node('b', { listen: b.peers.address, birth: birthOf(['a', 'b']) });
    configure([again], [memberAt('a', a.peers.address), memberAt('b', again.peers.address)]);
    await deliver(a, again, heartbeat(a, again, 3));
    await deliver(again, a, heartbeat(again, a, 4));
    expect(again.messages.all.filter(({ term }) => term === 2)).toEqual([]);
  });

  test('complain once about a member that stays away', async () => {
    const [a, b] = await pair();
    await deliver(a, b, heartbeat(a, b, 1));
    await b.peers.close();
    await a.warnings.take((text) => text.includes('ECONNREFUSED'));
    for (let attempt = 0; attempt < 6; attempt++) await a.unreachable.take();
    expect(a.warnings.all.filter((text) => text.includes('ECONNREFUSED'))).toEqual([]);
  });

  test('tell when a member that was away is well again', async () => {
    const birth = birthOf(['a', 'b']);
    const a = await node('a', { birth, timing: { keepAliveMs: 20 } });
    configure([a], [memberAt('a', a.peers.address), memberAt('b', '127.0.0.1:1')]);
    await a.warnings.take((text) => text.includes('ECONNREFUSED'));
    introduce(a, await node('b', { birth }));
    await a.news.take((text) => text.includes('The connection to "b" is well again'));
  });

  test('drop appends that nobody reads, say so once, and still beat', async () => {
    const [a, b] = await pair();
    await deliver(a, b, append(a, b, 1, 1));
    await deliver(a, b, heartbeat(a, b, 1));
    // Everything within one turn: the sockets cannot drain meanwhile.
    a.unreachable.all.length = 0;
    for (let number = 0; number < 100; number++) {
      a.peers.send(append(a, b, 2, 1_000_000));
      a.peers.flush();
    }
    expect(a.unreachable.all).toEqual([b.id]);
    a.peers.send(heartbeat(a, b, 2));
    a.peers.flush();
    await b.messages.take(({ type, term }) => type === 'heartbeat' && term === 2);
    await deliver(a, b, append(a, b, 3, 1));
    expect(b.messages.all.length).toBeLessThan(30);
  });

  test('name the address that another process listens on', async () => {
    const a = await node('a');
    await expect(node('b', { listen: a.peers.address })).rejects.toMatchObject({
      code: 'addressInUse',
      message: expect.stringContaining(a.peers.address),
    });
  });
});

describe('peers that do not belong together', () => {
  test('of two clusters refuse each other and carry on', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const b = await node('b', { birth: birthOf(['a', 'b'], { clusterId: '00000000000000bb' }) });
    introduce(a, b);
    const reason = /belongs to cluster/;
    await a.warnings.take((text) => reason.test(text));
    await b.warnings.take((text) => reason.test(text));
    a.peers.send(heartbeat(a, b, 1));
    a.peers.flush();
    for (let attempt = 0; attempt < 5; attempt++) await a.unreachable.take();
    expect(b.messages.all).toEqual([]);
  });

  test('of two incarnations refuse each other', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const b = await node('b', { birth: birthOf(['a', 'b'], { incarnation: '0000000000000002' }) });
    introduce(a, b);
    await a.warnings.take((text) => text.includes('incarnation'));
  });

  test('with an id that nobody listed are refused', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const stranger = await node('b', { id: '00000000000000ff', birth: birthOf(['a', 'b']) });
    introduce(a, stranger);
    await stranger.warnings.take((text) => text.includes('has no member with the id'));
    await a.warnings.take((text) => text.includes('00000000000000ff'));
    expect(a.messages.all).toEqual([]);
  });

  test('with the same id are refused', async () => {
    const birth = birthOf(['a', 'b']);
    const a = await node('a', { birth });
    const copy = await node('b', { id: a.id, birth });
    configure([a], [memberAt('a', a.peers.address), memberAt('b', copy.peers.address)]);
    await a.warnings.take((text) => text.includes('data directory was copied'));
  });

  test('at swapped addresses are told apart', async () => {
    const birth = birthOf(['a', 'b', 'c']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    configure(
      [a],
      [
        memberAt('a', a.peers.address),
        memberAt('b', '127.0.0.1:1'),
        memberAt('c', b.peers.address),
      ],
    );
    await a.warnings.take((text) => text.includes('the member there is "b"'));
  });
});

describe('birth', () => {
  test('unborn members greet each other with their lists', async () => {
    const a = await node('a', { birth: null });
    const list = [
      { name: 'a', peerAddress: a.peers.address },
      { name: 'b', peerAddress: '127.0.0.1:1' },
    ];
    const b = await node('b', { birth: null, initialCluster: list });
    expect(await b.hellos.take()).toMatchObject({ name: 'a', clusterId: null, lane: 'control' });
    expect(b.peers.greeted().map(({ name }) => name)).toEqual(['a']);
    await a.peers.close();
    await b.warnings.take((text) => text.includes('No connection to "a"'));
    expect(b.peers.greeted()).toEqual([]);
  });

  test.each([true, false])('reaches a listed member (the unborn one dials: %s)', async (dials) => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const list = [
      { name: 'a', peerAddress: a.peers.address },
      { name: 'b', peerAddress: '127.0.0.1:1' },
    ];
    const b = await node('b', { birth: null, initialCluster: dials ? list : [] });
    const members = [memberAt('a', a.peers.address), memberAt('b', b.peers.address)];
    const changed = { configuration: configurationOf(members) };
    const configurationIndex = dials ? 0 : configure([a], members);
    const birth = await b.births.take();
    expect(birth).toEqual(birthOf(['a', 'b'], dials ? {} : { ...changed, configurationIndex }));
    b.peers.born(birth);
    b.peers.opened({ term: 0, index: 0 });
    introduce(a, b);
    await deliver(a, b, heartbeat(a, b, 1));
    await deliver(b, a, heartbeat(b, a, 2));
  });
});

/** Byte arrays of any class, as plain ones. */
function comparable(message: Message): unknown {
  if (message.type !== 'appendEntries') return message;
  return {
    ...message,
    entries: message.entries.map((entry) =>
      entry.type === 'command'
        ? { ...entry, command: Buffer.from(entry.command).toString('hex') }
        : entry,
    ),
  };
}
