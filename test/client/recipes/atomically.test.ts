/** Software transactions against a real node. */
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '../../../src/client/index.ts';
import { TestServer } from '../server.ts';

let server: TestServer;
let clients: Client[];
let client: Client;

beforeAll(async () => {
  server = await TestServer.start();
  clients = await Promise.all([1, 2, 3].map(() => server.connect()));
  [client] = clients as [Client];
});

afterAll(() => server.stop());

beforeEach(async () => {
  await client.delete({ prefix: '' });
});

describe('a software transaction', () => {
  test('is as if alone: transfers between accounts keep their sum, whoever else transfers', async () => {
    const names = ['a', 'b', 'c'];
    for (const name of names) await client.put(name, '100');
    const transfer = fc.record({
      from: fc.constantFrom(...names),
      to: fc.constantFrom(...names),
      amount: fc.integer({ min: 1, max: 30 }),
    });
    const sums: number[] = [];
    const work = async (own: Client, seed: number): Promise<void> => {
      for (const { from, to, amount } of fc.sample(transfer, { numRuns: 20, seed })) {
        await own.atomically(async (transaction) => {
          const source = Number(await transaction.getText(from));
          const target = Number(await transaction.getText(to));
          if (from === to || source < amount) return;
          transaction.put(from, String(source - amount));
          transaction.put(to, String(target + amount));
        });
        const balances = await own.atomically((transaction) =>
          Promise.all(names.map((name) => transaction.getText(name))),
        );
        sums.push(balances.reduce((sum, balance) => sum + Number(balance), 0));
      }
    };
    await Promise.all(clients.map(work));
    expect(new Set(sums)).toEqual(new Set([300]));
  });

  test('sees what it wrote, and reads all at one revision', async () => {
    await client.put('a', '1');
    await client.put('b', '1');
    let runs = 0;
    const seen = await client.atomically(async (transaction) => {
      const before = await transaction.getText('a');
      if (runs++ === 0) await clients[1]?.put('b', '2');
      const other = await transaction.getText('b');
      transaction.put('c', 'new');
      transaction.delete('a');
      return [before, other, await transaction.getText('c'), await transaction.get('a')];
    });
    // The first run read the b of before, as of the revision of a, and so it was run again.
    expect(runs).toBe(2);
    expect(seen).toEqual(['1', '2', 'new', null]);
    const { pairs } = await client.getPrefix('');
    expect(pairs.map(({ keyText, valueText }) => `${keyText}=${valueText}`)).toEqual([
      ...['b=2', 'c=new'],
    ]);
    expect(await client.get('a')).toBeNull();
  });

  test('that read an absent key is run again when it is there', async () => {
    let runs = 0;
    await client.atomically(async (transaction) => {
      const there = await transaction.getText('k');
      if (runs++ === 0) await clients[1]?.put('k', 'theirs');
      transaction.put('result', there ?? 'none');
    });
    expect((await client.get('result'))?.valueText).toBe('theirs');
  });
});

describe('an attempt at a software transaction', () => {
  test('is made again when what it reads from was compacted meanwhile', async () => {
    await client.put('a', '1');
    let runs = 0;
    const value = await client.atomically(async (transaction) => {
      await transaction.get('a');
      if (runs++ === 0) await client.compact((await client.put('b', '1')).revision);
      return transaction.getText('b');
    });
    expect([value, runs]).toEqual(['1', 2]);
  });

  test('that fails writes nothing, and is not run again', async () => {
    const failing = client.atomically(async (transaction) => {
      transaction.put('a', '1');
      throw new Error('no');
    });
    await expect(failing).rejects.toThrow('no');
    expect(await client.get('a')).toBeNull();
  });

  test('without end is ended by its signal', async () => {
    const stop = new AbortController();
    const endless = client.atomically(
      async (transaction) => {
        await transaction.get('a');
        const { version = 0 } = (await client.get('a')) ?? {};
        await client.put('a', 'other');
        if (version === 3) stop.abort();
        transaction.put('a', 'mine');
      },
      { signal: stop.signal },
    );
    await expect(endless).rejects.toMatchObject({ code: 'cancelled' });
  });
});
