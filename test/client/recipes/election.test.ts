/** Elections against a real node. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Client, KeyValue } from '../../../src/client/index.ts';
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

describe('an election', () => {
  test('has one leader, who proclaims, and is followed by the next when it resigns', async () => {
    const election = client.election('e');
    expect(await election.leader()).toBeNull();
    const leadership = await election.campaign('one');
    const next = other.election('e').campaign('two');
    await contenders(client, 'e', 2);
    const leader = await election.leader();
    expect(leader).toMatchObject({ valueText: 'one', keyText: leadership.key });
    expect(leader?.createRevision).toBe(leadership.token);
    await leadership.proclaim('uno');
    expect(await election.leader()).toMatchObject({ valueText: 'uno', version: 2 });
    expect((await election.leader())?.leaseId).toBe(leader?.leaseId);
    await leadership.resign();
    const second = await next;
    expect(await election.leader()).toMatchObject({ valueText: 'two' });
    await expect(leadership.proclaim('eins')).rejects.toMatchObject({
      ...{ code: 'notHeld', definite: true },
    });
    expect(await election.leader()).toMatchObject({ valueText: 'two', version: 1 });
    await second.resign();
    expect(await election.leader()).toBeNull();
  });

  test('is observed: each leader and each word, in order, also over a compaction', async () => {
    const election = client.election('o');
    const stop = new AbortController();
    const seen: (string | null)[] = [];
    const waiting: { readonly word: string | null; readonly done: () => void }[] = [];
    const shown = (word: string | null): Promise<void> =>
      new Promise((done) => {
        waiting.push({ word, done });
      });
    const tell = (leader: KeyValue | null): void => {
      const word = leader?.valueText ?? null;
      seen.push(word);
      for (const one of waiting) if (one.word === word) one.done();
    };
    const none = shown(null);
    const three = shown('three');
    const observing = (async () => {
      for await (const leader of other.election('o').observe({ signal: stop.signal })) tell(leader);
    })();
    await none;
    const one = await election.campaign('one');
    const next = other.election('o').campaign('two');
    await contenders(client, 'o', 2);
    const { revision } = await one.proclaim('uno');
    await client.compact(revision);
    await one.resign();
    await (await next).proclaim('three');
    await three;
    const end = shown(null);
    await (await next).resign();
    await end;
    stop.abort();
    await observing;
    expect(seen).toEqual([null, 'one', 'uno', 'two', 'three', null]);
  });

  test('of a leader that dies: the next one has it when its lease is over', async () => {
    const dying = await server.connect();
    const first = await dying.election('d').campaign('first', { ttlMs: 500 });
    const next = other.election('d').campaign('next');
    await dying.close();
    expect((await next).token).toBeGreaterThan(first.token);
    expect(await first.lost).toBe('closed');
    await (await next).resign();
  });
});
