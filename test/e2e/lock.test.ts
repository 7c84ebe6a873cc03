/** Locks over deaths: of their holder, and of the leader of the cluster. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { operation, RollcallError } from '../../src/client/index.ts';
import { eventually, TestCluster } from './cluster.ts';
import { Program } from './program.ts';

const ttlMs = 2000;
const kills = 3;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start();
}, 60_000);

afterAll(() => cluster.close());

test('a holder that is killed is followed by the next one within its TTL and a second', async () => {
  const endpoints = ['--endpoints', cluster.endpoints.join(',')];
  const hold = ['lock', 'job', '--ttl', `${ttlMs}ms`, ...endpoints];
  const first = new Program(hold);
  await first.prints('locked job/');
  const next = new Program([
    ...hold,
    ...['--', process.execPath, '-e', 'console.log("token", process.env.ROLLCALL_LOCK_TOKEN)'],
  ]);
  const observer = await cluster.connect();
  await eventually('the next to wait', async () => {
    return (await observer.range({ prefix: 'job/' })).count === 2;
  });
  await first.signal('SIGKILL');
  await eventually('the next', async () => next.output.includes('token'), ttlMs + 1000);
  expect(await next.ended).toMatchObject({ code: 0, errors: '' });
  const token = (output: string): number => Number(/token (\d+)/.exec(output)?.[1]);
  expect(token(next.output)).toBeGreaterThan(token(first.output));
  expect((await observer.range({ prefix: 'job/' })).count).toBe(0);
  await observer.close();
}, 60_000);

test('a holder keeps its lock when the leader is killed, or is told before anybody else has it', async () => {
  const clients = await Promise.all([cluster.connect(), cluster.connect()]);
  const [holder, waiter] = clients;
  let token = 0;
  for (let kill = 1; kill <= kills; kill++) {
    const lock = await holder.lock('office', { ttlMs: 1000 });
    expect(lock.token).toBeGreaterThan(token);
    const waiting = waiter.lock('office', { ttlMs: 1000 }).then((next) => {
      // Whatever has happened, by now the first one knows.
      expect(lock.loss).not.toBeNull();
      expect(lock.held).toBe(false);
      return next;
    });
    await eventually('a waiter', async () => (await waiter.range({ prefix: 'office/' })).count > 1);
    const leader = await cluster.leader();
    await cluster.stopNode(leader, 'SIGKILL');
    // Fenced writes go on for as long as the lock is held, and never after another has it.
    for (let write = 0; write < 20 && lock.held; write++) {
      const success = [operation.put('written', String(lock.token))];
      try {
        const { succeeded } = await holder.txn({ compare: [lock.guard], success });
        if (!succeeded) expect(await lock.lost).toBe('gone');
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
      }
    }
    cluster.startNode(leader);
    await lock.release();
    const next = await waiting;
    expect(next.token).toBeGreaterThan(lock.token);
    token = next.token;
    await next.release();
  }
  expect(Number((await waiter.get('written'))?.valueText)).toBeLessThan(token);
  await Promise.all(clients.map((client) => client.close()));
}, 120_000);
