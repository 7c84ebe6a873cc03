import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, connect, type ServiceView, type ViewChange } from '../../src/client/index.ts';
import { PeerCluster } from './peer.ts';
import { Store } from './store.ts';

let cluster: PeerCluster;
let client: Client;

beforeEach(async () => {
  cluster = await PeerCluster.start(3);
  client = await connect({ endpoints: cluster.endpoints });
});

afterEach(async () => {
  await client.close();
  await cluster.stop();
});

const api = { service: 'api', id: 'a1', address: '10.0.0.1:80', ttlMs: 600 };

describe('a registration', () => {
  test('puts the instance into the registry, with an id of its own if none is given', async () => {
    await client.registry.register({ ...api, tags: ['blue'], metadata: { zone: 'x' } });
    const { service, address } = api;
    const drawn = await client.registry.register({ service, address });
    expect(drawn.id).toMatch(/^api-[0-9a-f]{16}$/);
    expect(drawn.registered).toBe(true);
    const instances = await client.registry.instances('api');
    expect(instances[0]).toMatchObject({ id: 'a1', tags: ['blue'], metadata: { zone: 'x' } });
    expect(await client.registry.services()).toEqual([{ service: 'api', instances: 2 }]);
    expect(await client.registry.instances('unknown')).toEqual([]);
  });

  test('says when it was registered, lost and restored', async () => {
    const registration = await client.registry.register(api);
    await once(registration, 'registered');
    const [leaseId = ''] = [...cluster.store.leases.keys()];
    const restored = once(registration, 'restored');
    const lost = once(registration, 'lost');
    cluster.store.revoke(leaseId);
    expect(await client.registry.instances('api')).toEqual([]);
    expect(await lost).toEqual(['expired']);
    await restored;
    expect(await client.registry.instances('api')).toHaveLength(1);
    expect([...cluster.store.leases.keys()]).not.toContain(leaseId);
  });

  test('goes through refusals and writes in doubt without leaving a second lease', async () => {
    const node = cluster.node(0);
    node.fail('leaseGrant', 'drop', new RollcallError('tooManyRequests', 'Wait'));
    node.fail('register', 'drop', new RollcallError('internal', 'Once'));
    await client.registry.register(api);
    expect(cluster.store.leases.size).toBe(1);
    expect(await client.registry.instances('api')).toHaveLength(1);
  });

  test('is refused where no retry can help, and can be given up', async () => {
    const bad = client.registry.register({ ...api, address: 'nowhere' });
    await expect(bad).rejects.toMatchObject({ code: 'invalidArgument' });
    cluster.elect(null);
    const abort = new AbortController();
    const waiting = client.registry.register({ ...api, signal: abort.signal });
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  });

  test('is taken back with its lease, even if the first attempt is in doubt', async () => {
    const registration = await client.registry.register(api);
    cluster.node(0).fail('deregister', 'drop');
    await registration.deregister();
    expect(await client.registry.instances('api')).toEqual([]);
    expect(cluster.store.leases.size).toBe(0);
    expect(registration.registered).toBe(false);
    await registration.deregister();
  });

  test('can be ended by anybody', async () => {
    await client.registry.register(api);
    await client.registry.deregister('api', 'a1');
    const again = client.registry.deregister('api', 'a1');
    await expect(again).rejects.toMatchObject({ code: 'instanceNotFound' });
  });
});

describe('while a cluster is upgraded that cannot look whose an instance is', () => {
  const older = new RollcallError('featureLevelTooLow', 'Not yet');

  test('a registration is taken back by the end of its lease, and not before', async () => {
    const registration = await client.registry.register(api);
    const node = cluster.node(0);
    node.fail('deregister', older);
    node.fail('leaseRevoke', new RollcallError('internal', 'Once'));
    await expect(registration.deregister()).rejects.toMatchObject({ code: 'internal' });
    node.fail('deregister', older);
    await registration.deregister();
    expect(await client.registry.instances('api')).toEqual([]);
    expect(cluster.store.leases.size).toBe(0);
  });

  test('it comes back all the same when its lease was lost', async () => {
    const registration = await client.registry.register(api);
    const [leaseId = ''] = [...cluster.store.leases.keys()];
    cluster.node(0).fail('register', older);
    const restored = once(registration, 'restored');
    cluster.store.revoke(leaseId);
    await restored;
    const registers = cluster.received.filter(({ method }) => method === 'register');
    expect(registers.slice(1).map(({ params }) => params)).toMatchObject([
      { replace: false },
      { replace: true },
    ]);
    expect(await client.registry.instances('api')).toHaveLength(1);
  });
});

describe('the owner of a registration', () => {
  test('is told when somebody else takes its instance out, and stays out', async () => {
    const registration = await client.registry.register(api);
    expect(registration.end).toBeNull();
    const ended = once(registration, 'ended');
    await client.registry.deregister('api', 'a1');
    expect(await ended).toEqual(['deregistered']);
    expect(registration).toMatchObject({ end: 'deregistered', registered: false });
    expect(await client.registry.instances('api')).toEqual([]);
    await expect.poll(() => cluster.store.leases.size).toBe(0);
    await registration.deregister();
  });

  test('leaves the instance to whoever registered its id since, also when it is stopped', async () => {
    const old = await client.registry.register({ ...api, ttlMs: 60_000 });
    const young = await client.registry.register({ ...api, address: '10.0.0.2:80' });
    await old.deregister();
    expect(old.end).toBe('replaced');
    expect(await client.registry.instances('api')).toMatchObject([{ address: '10.0.0.2:80' }]);
    expect(young.registered).toBe(true);
    expect(cluster.store.leases.size).toBe(1);
  });

  test('is told when another process takes its id', async () => {
    const old = await client.registry.register(api);
    const ended = once(old, 'ended');
    await client.registry.register({ ...api, address: '10.0.0.2:80' });
    expect(await ended).toEqual(['replaced']);
    expect(old).toMatchObject({ end: 'replaced', registered: false });
    expect(await client.registry.instances('api')).toMatchObject([{ address: '10.0.0.2:80' }]);
  });

  test('does not come back from a loss in the place of a newer one', async () => {
    const old = await client.registry.register(api);
    const ended = once(old, 'ended');
    const [leaseId = ''] = [...cluster.store.leases.keys()];
    cluster.store.revoke(leaseId);
    await client.registry.register({ ...api, address: '10.0.0.2:80' });
    expect(await ended).toEqual(['replaced']);
    expect(await client.registry.instances('api')).toMatchObject([{ address: '10.0.0.2:80' }]);
  });

  test('learns how it ended only once somebody can tell', async () => {
    const registration = await client.registry.register(api);
    const ended = once(registration, 'ended');
    cluster.node(0).fail('deregister', 'drop', new RollcallError('internal', 'Once'));
    cluster.store.deregister('api', 'a1');
    expect(await ended).toEqual(['deregistered']);
  });
});

/** The next change of a view. */
async function change(view: ServiceView): Promise<ViewChange> {
  const [told] = await once(view, 'change');
  return told as ViewChange;
}

describe('a live view', () => {
  test('has the instances and follows their changes', async () => {
    await client.registry.register(api);
    const view = client.registry.discover('api');
    expect(view.revision).toBe(-1);
    const first = change(view);
    await view.ready();
    expect(view.instances().map(({ id }) => id)).toEqual(['a1']);
    expect((await first).added).toHaveLength(1);
    const second = change(view);
    const other = await client.registry.register({ ...api, id: 'a2' });
    expect((await second).added.map(({ id }) => id)).toEqual(['a2']);
    const third = change(view);
    await other.deregister();
    expect((await third).removed).toMatchObject([
      { instance: { id: 'a2' }, reason: 'deregistered' },
    ]);
    expect(view.revision).toBeGreaterThan(2);
  });

  test('survives lost connections and tells what it missed as a difference', async () => {
    await client.registry.register({ ...api, ttlMs: 60_000 });
    const view = client.registry.discover('api');
    await view.ready();
    const missed = change(view);
    for (const node of cluster.nodes) node.hangUp();
    const [leaseId = ''] = [...cluster.store.leases.keys()];
    const instance = { ...api, id: 'a2', tags: [], metadata: [] };
    const parameters = { namespace: 'default', service: 'api', instance, leaseId, replace: true };
    cluster.store.register(parameters);
    cluster.store.deregister('api', 'a1');
    const { added, removed } = await missed;
    expect(added.map(({ id }) => id)).toEqual(['a2']);
    expect(removed).toMatchObject([{ instance: { id: 'a1' }, reason: 'unknown' }]);
  });

  test('asks for nothing older than what the client has seen', async () => {
    const { revision } = await client.put('a', '1');
    const view = client.registry.discover('api');
    await view.ready();
    const asked = cluster.received.find(({ method }) => method === 'watchService');
    expect(asked?.params.minRevision).toBe(revision);
  });

  test('iterates over the newest states and ends by close', async () => {
    await client.registry.register(api);
    const view = client.registry.discover('api');
    const sizes: number[] = [];
    for await (const { instances } of view) {
      sizes.push(instances.length);
      if (sizes.length === 1) await client.registry.register({ ...api, id: 'a2' });
      if (sizes.length === 2) view.close();
    }
    expect(sizes).toEqual([1, 2]);
  });

  test('ends with the error that cannot be mended', async () => {
    const view = client.registry.discover('NOT A NAME');
    await expect(view.ready()).rejects.toMatchObject({ code: 'invalidArgument' });
    await expect(view[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'invalidArgument',
    });
  });
});

test('a live view begins anew where the cluster was restored to lower revisions', async () => {
  await client.put('a', '1');
  await client.put('a', '2');
  const view = client.registry.discover('api');
  await view.ready();
  const anew = cluster.arrival('watchService', ({ params }) => params.minRevision === 0);
  const shown = change(view);
  cluster.store = new Store();
  cluster.store.register({
    ...{ namespace: 'default', service: 'api', leaseId: null, replace: true },
    instance: { id: 'a1', address: '10.0.0.1:80', tags: [], metadata: [] },
  });
  cluster.incarnation = '00000000000000e2';
  for (const node of cluster.nodes) node.hangUp();
  await anew;
  expect((await shown).added).toMatchObject([{ id: 'a1' }]);
  const pair = await client.get('a', { serializable: true });
  expect([pair, client.incarnation]).toEqual([null, '00000000000000e2']);
});
