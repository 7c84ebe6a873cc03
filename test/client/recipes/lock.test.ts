/** Locks against a real node: one holder at a time, in turn, told of its loss in time. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, type Holding, operation } from '../../../src/client/index.ts';
import { FrameProxy } from '../../e2e/frame-proxy.ts';
import { TestServer } from '../server.ts';
import { contenders } from './contenders.ts';

let server: TestServer;
let clients: Client[];
let client: Client;

beforeAll(async () => {
  server = await TestServer.start();
  clients = await Promise.all([1, 2, 3, 4].map(() => server.connect()));
  [client] = clients as [Client];
});

afterAll(() => server.stop());

beforeEach(async () => {
  await client.delete({ prefix: '' });
});

describe('a lock', () => {
  test('excludes: what is done under its guard loses nothing, and tokens grow', async () => {
    const tokens: number[] = [];
    let inside = 0;
    const work = async (own: Client): Promise<void> => {
      for (let round = 0; round < 8; round++) {
        await using lock = await own.lock('counter', { ttlMs: 5000 });
        expect(inside++).toBe(0);
        tokens.push(lock.token);
        const before = Number((await own.get('count'))?.valueText ?? 0);
        const success = [operation.put('count', String(before + 1))];
        const { succeeded } = await own.txn({ compare: [lock.guard], success });
        expect(succeeded).toBe(true);
        expect(lock.held).toBe(true);
        inside--;
      }
    };
    await Promise.all(clients.map(work));
    expect((await client.get('count'))?.valueText).toBe('32');
    expect(tokens).toEqual([...tokens].sort((a, b) => a - b));
    expect(new Set(tokens).size).toBe(32);
    expect((await client.range({ prefix: 'counter/' })).count).toBe(0);
    expect(await client.leases.list()).toEqual([]);
  });

  test('is given in the order of asking, over those who gave up', async () => {
    const first = await client.lock('fair');
    const order: number[] = [];
    const waiting: Promise<Holding | null>[] = [];
    const giveUp = new AbortController();
    for (const [at, own] of [...clients, ...clients].entries()) {
      const options = at === 3 ? { signal: giveUp.signal } : {};
      const taken = own.lock('fair', options).then(async (lock) => {
        order.push(at);
        await lock.release();
        return lock;
      });
      waiting.push(at === 3 ? taken.catch(() => null) : taken);
      await contenders(client, 'fair', at + 2);
    }
    giveUp.abort();
    await contenders(client, 'fair', 8);
    await first.release();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2, 4, 5, 6, 7]);
  });
});

describe('one who asks for a lock', () => {
  test('may try it without waiting, and nothing is left behind', async () => {
    const lock = await client.tryLock('try');
    expect(lock?.held).toBe(true);
    expect(await clients[1]?.tryLock('try')).toBeNull();
    await contenders(client, 'try', 1);
    await lock?.release();
    const other = await clients[1]?.tryLock('try');
    expect(other?.token).toBeGreaterThan(lock?.token ?? 0);
    await other?.release();
  });

  test('gives up by a signal: nobody is left in the queue', async () => {
    await using _lock = await client.lock('abort');
    const giveUp = new AbortController();
    const waiting = clients[1]?.lock('abort', { signal: giveUp.signal });
    await contenders(client, 'abort', 2);
    giveUp.abort(new Error('enough'));
    await expect(waiting).rejects.toMatchObject({
      ...{ code: 'cancelled', definite: true },
      cause: expect.objectContaining({ message: 'enough' }),
    });
    await contenders(client, 'abort', 1);
    const refused = client.lock('abort', { signal: giveUp.signal });
    await expect(refused).rejects.toMatchObject({ code: 'cancelled' });
    await contenders(client, 'abort', 1);
  });

  test('whose lease is gone goes on waiting, at the end', async () => {
    const lock = await client.lock('again');
    const waiting = clients[1]?.lock('again', { ttlMs: 500 });
    await contenders(client, 'again', 2);
    const [place] = (
      await client.range({ prefix: 'again/' }, { minCreateRevision: lock.token + 1 })
    ).pairs;
    await client.leases.revoke(place?.leaseId ?? '');
    await contenders(client, 'again', 2);
    await lock.release();
    const taken = await waiting;
    expect(taken?.token).toBeGreaterThan(place?.createRevision ?? 0);
    await taken?.release();
  });

  test('of a name does not wait for that of a longer name', async () => {
    await using one = await client.lock('a');
    await using other = await client.lock('ab');
    expect(one.held && other.held).toBe(true);
  });
});

describe('a holder', () => {
  test('hears at once when its key is deleted, and its guard holds no more', async () => {
    for (const end of [
      (lock: Holding) => client.delete(lock.key),
      async (lock: Holding) => client.leases.revoke((await client.get(lock.key))?.leaseId ?? ''),
    ]) {
      const lock = await client.lock('gone', { ttlMs: 60_000 });
      await end(lock);
      expect(await lock.lost).toBe('gone');
      expect(lock.held).toBe(false);
      expect(lock.signal.reason).toMatchObject({ code: 'notHeld' });
      const { succeeded } = await client.txn({
        compare: [lock.guard],
        success: [operation.put('late', '')],
      });
      expect(succeeded).toBe(false);
      await lock.release();
      expect(lock.loss).toBe('gone');
    }
  });

  test('that hears nothing any more is told before the next one has it', async () => {
    const proxy = await FrameProxy.open(server.address);
    const cutOff = await server.connect(proxy.address);
    const lock = await cutOff.lock('silence', { ttlMs: 1000 });
    const events: string[] = [];
    const told = lock.lost.then((loss) => events.push(loss));
    const next = client.lock('silence').then((taken) => {
      events.push('next');
      return taken;
    });
    await contenders(client, 'silence', 2);
    proxy.loseAnswers();
    expect((await next).token).toBeGreaterThan(lock.token);
    await told;
    expect(events).toEqual(['unconfirmed', 'next']);
    expect(lock.graceMs).toBe(200);
    await (await next).release();
    await Promise.all([cutOff.close(), proxy.close()]);
  });

  test('that closes its client has lost it', async () => {
    const other = await server.connect();
    const lock = await other.lock('closed', { ttlMs: 500 });
    await other.close();
    expect(await lock.lost).toBe('closed');
    await (await client.lock('closed')).release();
  });

  test('releases once, and for all', async () => {
    const lock = await client.lock('release');
    await lock.release();
    await lock.release();
    expect(lock.loss).toBe('released');
    expect(lock.signal.aborted).toBe(true);
    expect(await client.get(lock.key)).toBeNull();
  });
});
