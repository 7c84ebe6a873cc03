/** Members and applicants that know less than the feature level of the cluster. */
import { afterEach, expect, test } from 'vitest';
import { birthOf, deliver, heartbeat, introduce, openNodes } from './nodes.ts';

const { node, closeAll } = openNodes();

afterEach(closeAll);

const birth = birthOf(['a', 'b', 'c']);
const refusal = {
  code: 'formatTooNew',
  message: expect.stringContaining('start a newer version'),
  details: { featureLevel: 2 },
};

test('a member that knows less is refused and told why; another one is not', async () => {
  const a = await node('a', { birth, featureLevel: 2 });
  const b = await node('b', { birth, featureLevel: 2 });
  const c = await node('c', { birth, featureLevel: 1 });
  for (const { peers } of [a, b]) peers.setFeatureLevel(2);
  introduce(a, b, c);
  expect(await c.outdated.take()).toMatchObject(refusal);
  await deliver(a, b, heartbeat(a, b, 1));
  expect([a.outdated.all, b.outdated.all]).toEqual([[], []]);
  expect(await a.warnings.take((text) => text.includes('"c" knows 1 at most'))).toBeTruthy();
});

test('one that is connected is cut off when the level rises beyond it', async () => {
  const a = await node('a', { birth, featureLevel: 3 });
  const c = await node('c', { birth, featureLevel: 1 });
  a.peers.setFeatureLevel(1);
  introduce(a, c);
  await deliver(c, a, heartbeat(c, a, 1));
  a.peers.setFeatureLevel(2);
  expect(await c.outdated.take()).toMatchObject(refusal);
  expect(await a.unreachable.take()).toBe(c.id);
});

test('a node that knows less is not announced, and told why', async () => {
  const a = await node('a', { birth: birthOf(['a']), featureLevel: 2 });
  a.peers.setFeatureLevel(2);
  const join = [a.peers.address];
  const d = await node('d', { birth: null, join, featureLevel: 1 });
  expect(await d.outdated.take()).toMatchObject(refusal);
  const e = await node('e', { birth: null, join, featureLevel: 2 });
  expect(await a.knocks.take()).toMatchObject({ id: e.id, featureLevel: 2 });
  expect(a.knocks.all).toEqual([]);
});
