/** Who is let in, told of its birth, told of its removal, and found where it moved to. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  asMember,
  birthOf,
  configurationOf,
  configure,
  deliver,
  heartbeat,
  idOf,
  introduce,
  memberAt,
  type Node,
  openNodes,
} from './nodes.ts';

const { node, closeAll } = openNodes();

afterEach(closeAll);

const freshId = '00000000000000fe';

/** An unborn node, by default under a name and an id that the cluster does not know. */
function applicant(join: readonly Node[], changes: Parameters<typeof node>[1] = {}) {
  const addresses = join.map(({ peers }) => peers.address);
  return node('d', { id: freshId, birth: null, join: addresses, ...changes });
}

describe('a node that asks to be taken in', () => {
  test('is announced with what it says of itself, again and again', async () => {
    const a = await node('a', { birth: birthOf(['a']), timing: { keepAliveMs: 20 } });
    const d = await applicant([a], { timing: { keepAliveMs: 20 } });
    for (let time = 0; time < 3; time++) {
      expect(await a.knocks.take()).toEqual({
        id: freshId,
        name: 'd',
        peerAddress: d.peers.address,
        clientAddress: '127.0.0.1:4640',
        featureLevel: 1,
      });
    }
    expect(await d.hellos.take()).toMatchObject({
      name: 'a',
      clusterId: birthOf([]).clusterId,
      members: [{ name: 'a', peerAddress: '127.0.0.1:1' }],
    });
    expect([a.messages.all, d.births.all, a.warnings.all]).toEqual([[], [], []]);
    await d.peers.close();
  });

  test('hears of members that have moved since it began to ask', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const d = await applicant([a]);
    await d.hellos.take();
    const c = await node('c', { birth: birthOf(['a', 'c']) });
    configure([a, c], [memberAt('a', a.peers.address), memberAt('c', c.peers.address)]);
    expect(await c.knocks.take()).toMatchObject({ id: freshId });
  });

  test('is not announced any more once it is silent', async () => {
    const timing = { keepAliveMs: 20, silencesMax: 1_000_000 };
    const a = await node('a', { birth: birthOf(['a']), timing });
    await applicant([a], { timing: { keepAliveMs: 1_000_000 } });
    const other = await node('e', { birth: null, join: [a.peers.address], timing });
    const counts = new Map([[other.id, 0]]);
    while ((counts.get(other.id) ?? 0) < 6) {
      const { id } = await a.knocks.take();
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    // The handshake itself was heard.
    expect(counts.get(freshId)).toBeLessThanOrEqual(2);
  });

  test('is heard under an old name too, with the list that it was started with', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const list = [
      { name: 'a', peerAddress: a.peers.address },
      { name: 'b', peerAddress: '127.0.0.1:1' },
    ];
    const b = await node('b', { id: freshId, birth: null, initialCluster: list });
    expect(await a.knocks.take()).toMatchObject({ id: freshId, name: 'b' });
    expect(await b.hellos.take()).toMatchObject({ clusterId: birthOf([]).clusterId });
    expect(b.births.all).toEqual([]);
  });
});

describe('a node that is taken in', () => {
  test('is born over the standing connection as soon as it is listed, and not before', async () => {
    const a = await node('a', { birth: birthOf(['a']) });
    const d = await applicant([a]);
    await a.knocks.take();
    const others = [asMember(a), memberAt('c', '127.0.0.1:1')];
    configure([a], others);
    // Its address is not reachable: only the connection that it made itself can bring the birth.
    const members = [...others, { ...memberAt('d', '127.0.0.1:1'), id: freshId }];
    const configurationIndex = configure([a], members);
    const birth = await d.births.take();
    expect(birth).toEqual({
      ...birthOf([]),
      configuration: configurationOf(members),
      configurationIndex,
    });
    expect(birth.configuration.learners).toEqual([freshId]);
    d.peers.born(birth);
    d.peers.opened({ term: 0, index: 0 });
    await deliver(d, a, heartbeat(d, a, 1));
  });

  test('was asking whoever is there, whatever their names', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const b = await node('b', { birth: birthOf(['a', 'b']) });
    const d = await applicant([a, b]);
    await Promise.all([a.knocks.take(), b.knocks.take(), d.hellos.take(), d.hellos.take()]);
    expect(d.peers.greeted().map(({ name }) => name)).toEqual(['a', 'b']);
    await a.peers.close();
    configure([b], [asMember(b), { ...asMember(d), name: 'd' }]);
    await d.births.take();
  });

  test('asks all members that it hears of, as the one that leads may be none of those it was told of', async () => {
    const birth = birthOf(['a', 'b']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    introduce(a, b);
    await applicant([a]);
    expect(await b.knocks.take()).toMatchObject({ id: freshId, name: 'd' });
  });

  test('takes the place of a lost member at its address', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const b = await applicant([a], { id: freshId });
    await a.knocks.take();
    const lost = memberAt('b', b.peers.address);
    configure([a], [asMember(a), lost, { ...asMember(b), name: 'b' }]);
    b.peers.born(await b.births.take());
    b.peers.opened({ term: 0, index: 0 });
    await deliver(b, a, heartbeat(b, a, 1));
    await deliver(a, b, heartbeat(a, b, 2));
    // The lost one is still looked for where the new one is, and that costs the new one nothing.
    a.unreachable.all.length = 0;
    for (let dials = 0; dials < 9; dials++) await a.unreachable.take((id) => id === lost.id);
    expect(a.unreachable.all.filter((id) => id === b.id)).toEqual([]);
    expect(b.unreachable.all).toEqual([]);
    expect(b.warnings.all).toEqual([]);
  });

  test('exchanges no raft messages before', async () => {
    const a = await node('a', { birth: birthOf(['a']) });
    const d = await applicant([a]);
    await a.knocks.take();
    d.peers.send(heartbeat(d, a, 1));
    a.peers.send(heartbeat(a, d, 1));
    d.peers.flush();
    a.peers.flush();
    configure([a], [asMember(a), asMember(d)]);
    await d.births.take();
    expect([...a.messages.all, ...d.messages.all]).toEqual([]);
  });
});

describe('members', () => {
  test('are announced with what they say of themselves, the node itself first, also from before', async () => {
    const birth = birthOf(['a', 'b']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    introduce(a, b);
    const said = {
      id: b.id,
      name: 'b',
      peerAddress: b.peers.address,
      clientAddress: '127.0.0.1:4640',
      featureLevel: 1,
    };
    expect(await a.greeted.take()).toEqual(said);
    await deliver(a, b, heartbeat(a, b, 1));
    const late: unknown[] = [];
    await new Promise<void>((resolve) => {
      a.peers.attach({
        message() {},
        unreachable() {},
        gone() {},
        knock() {},
        removed() {},
        greeted: (member) => {
          late.push(member);
          if (member.id === b.id) resolve();
        },
      });
    });
    const own = { ...said, id: a.id, name: 'a', peerAddress: a.peers.address };
    expect(late).toEqual([own, said]);
  });

  test('are connected where the configuration says', async () => {
    const birth = birthOf(['a', 'b']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    configure([a], [asMember(a), memberAt('b', '127.0.0.1:1')]);
    await a.warnings.take((text) => text.includes('127.0.0.1:1'));
    configure([a, b], [asMember(a), asMember(b)]);
    await deliver(a, b, heartbeat(a, b, 1));
    await deliver(b, a, heartbeat(b, a, 2));
  });

  test('that moved are found before the configuration says so', async () => {
    const birth = birthOf(['a', 'b']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    introduce(a, b);
    await deliver(a, b, heartbeat(a, b, 1));
    await b.peers.close();
    const moved = await node('b', { birth });
    const members = [asMember(a), asMember(b)];
    configure([moved], members);
    await deliver(a, moved, heartbeat(a, moved, 2));
    await a.greeted.take(({ peerAddress }) => peerAddress === moved.peers.address);
    configure([a, moved], [asMember(a), asMember(moved)]);
    await deliver(a, moved, heartbeat(a, moved, 3));
  });
});

describe('connections of members', () => {
  test('stand through a change that does not concern them', async () => {
    const birth = birthOf(['a', 'b', 'c']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    const both = [asMember(a), asMember(b)];
    configure([a, b], [...both, memberAt('c', '127.0.0.1:1')]);
    await deliver(a, b, heartbeat(a, b, 1));
    await deliver(b, a, heartbeat(b, a, 1));
    a.unreachable.all.length = 0;
    configure([a, b], both);
    await deliver(a, b, heartbeat(a, b, 2));
    await deliver(b, a, heartbeat(b, a, 2));
    expect(a.unreachable.all.filter((id) => id === b.id)).toEqual([]);
  });

  test('do not follow an older configuration', async () => {
    const birth = birthOf(['a', 'b'], { configurationIndex: 1000 });
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    a.peers.setConfiguration(configurationOf([asMember(a), asMember(b)]), 1000);
    b.peers.setConfiguration(configurationOf([asMember(a), asMember(b)]), 1000);
    await deliver(a, b, heartbeat(a, b, 1));
    // A joiner replays configurations from before it was there.
    b.peers.setConfiguration(configurationOf([memberAt('x', '127.0.0.1:1')]), 999);
    await deliver(a, b, heartbeat(a, b, 2));
    await deliver(b, a, heartbeat(b, a, 3));
    expect([...b.peers.names]).toEqual(['a', 'b']);
  });

  test('are looked for where the configuration says and where they were last', async () => {
    const birth = birthOf(['a', 'b']);
    const [a, home] = [await node('a', { birth }), await node('b', { birth })];
    const members = [asMember(a), asMember(home)];
    await home.peers.close();
    const away = await node('b', { birth });
    configure([a, away], members);
    await deliver(a, away, heartbeat(a, away, 1));
    await away.peers.close();
    // It does not know where the other one is, so it cannot say that it is back.
    const back = await node('b', { birth, listen: home.peers.address });
    await deliver(a, back, heartbeat(a, back, 2));
  });
});

describe('a member that was removed', () => {
  test('is told at once, with the index, and is cut off', async () => {
    const birth = birthOf(['a', 'b']);
    const [a, b] = [await node('a', { birth }), await node('b', { birth })];
    introduce(a, b);
    await deliver(a, b, heartbeat(a, b, 1));
    await deliver(b, a, heartbeat(b, a, 1));
    const index = configure([a], [asMember(a)]);
    expect(await b.removed.take()).toBe(index);
    b.peers.send(heartbeat(b, a, 2));
    b.peers.flush();
    // It goes on being told, without filling any log.
    for (let time = 0; time < 6; time++) await b.removed.take();
    expect(a.messages.all).toEqual([]);
    const told = b.warnings.all.filter((text) => text.includes('was removed'));
    expect(told.length).toBe(1);
  });

  test('while it was down is told when it comes back', async () => {
    const a = await node('a', { birth: birthOf(['a', 'b']) });
    const index = configure([a], [asMember(a)]);
    const b = await node('b', { birth: birthOf(['a', 'b']) });
    configureOlder(b, [asMember(a), asMember(b)]);
    expect(await b.removed.take()).toBe(index);
  });
});

describe('a member that was away while the others were replaced', () => {
  test('hears the new ones, answers them, and is told the new configuration by them', async () => {
    const birth = birthOf(['a', 'b']);
    const b = await node('b', { birth });
    configureOlder(b, [memberAt('a', '127.0.0.1:1'), asMember(b)]);
    const c = await node('c', { birth: { ...birth, configurationIndex: 3 } });
    const members = [asMember(b), asMember(c)];
    configure([c], members);
    await deliver(c, b, heartbeat(c, b, 1));
    await deliver(b, c, heartbeat(b, c, 2));
    expect(b.removed.all).toEqual([]);
    expect(b.greeted.all).toEqual([]);
    configure([b], members);
    expect(await b.greeted.take()).toMatchObject({ id: c.id });
    await deliver(b, c, heartbeat(b, c, 3));
  });

  test('forgets a newcomer that goes away again', async () => {
    const birth = birthOf(['a', 'b']);
    const b = await node('b', { birth, timing: { backoffMsMax: 40 } });
    configureOlder(b, [memberAt('a', '127.0.0.1:1'), asMember(b)]);
    const c = await node('c', { birth });
    configure([c], [asMember(b), asMember(c)]);
    await deliver(b, c, heartbeat(b, c, 1));
    await c.peers.close();
    // Nobody dials it any more, while the lost member is tried again and again.
    for (let round = 0; round < 2; round++) {
      b.unreachable.all.length = 0;
      for (let time = 0; time < 12; time++) await b.unreachable.take((id) => id === idOf('a'));
    }
    expect(b.unreachable.all).toEqual([]);
  });
});

/** A configuration from before all that `configure` hands out, but after birth. */
function configureOlder({ peers }: Node, members: Parameters<typeof configurationOf>[0]): void {
  peers.setConfiguration(configurationOf(members), 0);
}
