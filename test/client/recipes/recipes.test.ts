/** Semaphores, barriers and queues against a real node. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Client, Holding } from '../../../src/client/index.ts';
import { TestServer } from '../server.ts';
import { contenders } from './contenders.ts';

let server: TestServer;
let client: Client;
let other: Client;

beforeAll(async () => {
  server = await TestServer.start();
  client = await server.connect();
  other = await server.connect();
});

afterAll(() => server.stop());

beforeEach(async () => {
  await client.delete({ prefix: '' });
});

describe('a semaphore', () => {
  test('lets in as many as there are permits, in the order of asking', async () => {
    const semaphore = client.semaphore('s', 2);
    const [one, two] = [await semaphore.acquire(), await other.semaphore('s', 2).acquire()];
    expect(await semaphore.tryAcquire()).toBeNull();
    const order: number[] = [];
    const waiting: Promise<Holding>[] = [];
    for (const at of [0, 1, 2]) {
      const asked = (at === 1 ? other : client).semaphore('s', 2).acquire();
      waiting.push(
        asked.then((permit) => {
          order.push(at);
          return permit;
        }),
      );
      await contenders(client, 's', 3 + at);
    }
    await two.release();
    await (await waiting[0])?.release();
    await (await waiting[1])?.release();
    await (await waiting[2])?.release();
    expect(order).toEqual([0, 1, 2]);
    expect(one.held).toBe(true);
    const again = await semaphore.tryAcquire();
    expect(again?.token).toBeGreaterThan(one.token);
    await Promise.all([one.release(), again?.release()]);
    await contenders(client, 's', 0);
  });

  test.each([0, -1, 1.5, Number.NaN])('has no %d permits', (permits) => {
    const refused = expect.objectContaining({ code: 'invalidArgument' });
    expect(() => client.semaphore('s', permits)).toThrow(refused);
  });
});

describe('a barrier', () => {
  test('keeps others waiting until it is opened', async () => {
    const barrier = client.barrier('b');
    await barrier.wait();
    expect([await barrier.close(), await barrier.close()]).toEqual([true, false]);
    let isOpen = false;
    const waiting = other
      .barrier('b')
      .wait()
      .then(() => isOpen);
    const stop = new AbortController();
    const givenUp = other.barrier('b').wait({ signal: stop.signal });
    stop.abort();
    await expect(givenUp).rejects.toMatchObject({ code: 'cancelled' });
    isOpen = true;
    expect([await barrier.open(), await barrier.open()]).toEqual([true, false]);
    expect(await waiting).toBe(true);
  });

  test('with a lease opens when that ends', async () => {
    const { leaseId } = await client.leases.grant({ ttlMs: 500 });
    await client.barrier('b').close({ leaseId });
    await other.barrier('b').wait();
    expect(await client.get('b')).toBeNull();
  });
});

describe('a queue', () => {
  test('gives each value once, in order, to whoever takes it', async () => {
    const queue = client.queue('q');
    expect(await queue.tryTake()).toBeNull();
    const taken: number[] = [];
    const take = async (own: Client): Promise<number[]> => {
      const values: number[] = [];
      while (taken.length < 20) {
        const item = await own.queue('q').tryTake();
        if (item === null) continue;
        values.push(Number(item.valueText));
        taken.push(Number(item.valueText));
      }
      return values;
    };
    const takers = [take(client), take(other)];
    for (let value = 0; value < 20; value++) await queue.add(String(value));
    for (const values of await Promise.all(takers)) {
      expect(values).toEqual([...values].sort((a, b) => a - b));
    }
    expect(taken.sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
  });

  test('is waited for while it is empty', async () => {
    const waiting = other.queue('q').take();
    const stop = new AbortController();
    const givenUp = client.queue('q').take({ signal: stop.signal });
    stop.abort();
    await expect(givenUp).rejects.toMatchObject({ code: 'cancelled' });
    await client.queue('q').add('late');
    expect((await waiting).valueText).toBe('late');
    await contenders(client, 'q', 0);
  });

  test('of a name that is too long says so', async () => {
    const refused = { code: 'keyTooLong' };
    await expect(client.queue('q'.repeat(4096)).take()).rejects.toMatchObject(refused);
    await expect(client.barrier('b'.repeat(4097)).wait()).rejects.toMatchObject(refused);
    await expect(client.lock('l'.repeat(4096))).rejects.toMatchObject(refused);
  });
});
