/**
 * The promise of the first page: any node may be killed at any moment, and nothing acknowledged is
 * lost. Sixteen clients write while the leader is killed with SIGKILL five times, each time with
 * writes outstanding; readers and a watcher look on.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, connect } from '../../src/client/index.ts';
import { eventually, program, readStatus, TestCluster } from './cluster.ts';

const writers = 16;
const acknowledgedGoal = 20_000;
const kills = 5;
const serviceTtlMs = 2000;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start();
}, 60_000);

afterAll(() => cluster.close());

/** What one writer knows of its own key, whose values count up. */
class Writer {
  readonly key: string;
  acknowledged = 0;
  attempted = 0;
  inDoubt = 0;
  outstanding = false;
  lastRevision = 0;

  constructor(number: number) {
    this.key = `writer/${String(number).padStart(2, '0')}`;
  }

  async run(client: Client, enough: () => boolean): Promise<void> {
    while (!enough()) {
      const value = ++this.attempted;
      this.outstanding = true;
      try {
        const { revision } = await client.put(this.key, String(value));
        expect(revision).toBeGreaterThan(this.lastRevision);
        this.lastRevision = revision;
        this.acknowledged = value;
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        if (!error.definite) this.inDoubt++;
      } finally {
        this.outstanding = false;
      }
    }
  }
}

/** Linearizable reads: never older than what was acknowledged before the read began. */
async function readAlong(client: Client, all: readonly Writer[], enough: () => boolean) {
  let reads = 0;
  while (!enough()) {
    const writer = all[reads % all.length] as Writer;
    const before = writer.acknowledged;
    try {
      const pair = await client.get(writer.key);
      expect(Number(pair?.valueText ?? 0)).toBeGreaterThanOrEqual(before);
      reads++;
      await delay(2);
    } catch (error) {
      if (!(error instanceof RollcallError)) throw error;
    }
  }
  return reads;
}

/** Every revision of the writers' keys once and in order, values never falling. */
async function watchAlong(client: Client, seen: number[], stop: AbortSignal) {
  const latest = new Map<string, number>();
  const watch = client.watch({ prefix: 'writer/' }, { startRevision: 1, signal: stop });
  for await (const { revision, events } of watch) {
    expect(revision).toBeGreaterThan(seen.at(-1) ?? 0);
    seen.push(revision);
    for (const { pair } of events) {
      expect(Number(pair.valueText)).toBeGreaterThan(latest.get(pair.keyText) ?? 0);
      latest.set(pair.keyText, Number(pair.valueText));
    }
  }
}

async function killLeaders(all: readonly Writer[]): Promise<void> {
  for (let kill = 1; kill <= kills; kill++) {
    const acknowledged = (): number => all.reduce((sum, one) => sum + one.acknowledged, 0);
    await eventually(`${kill * 3000} writes`, async () => acknowledged() > kill * 3000);
    const leader = await cluster.leader();
    await eventually('writes outstanding', async () => all.some((one) => one.outstanding));
    await cluster.stopNode(leader, 'SIGKILL');
    cluster.startNode(leader);
    const reached = acknowledged();
    await eventually('writes to go on', async () => acknowledged() > reached + 100);
  }
}

/** A process registered by `rollcall register`, killed without a chance to say goodbye. */
async function killRegistered(client: Client): Promise<string[]> {
  const view = client.registry.discover('orders');
  await view.ready();
  const changes: string[] = [];
  view.on('change', ({ added, removed }) => {
    changes.push(
      ...added.map(({ id }) => `+${id}`),
      ...removed.map(({ instance, reason }) => `-${instance.id} ${reason}`),
    );
  });
  const child = spawn(process.execPath, [
    ...[program, 'register', 'orders', '--id', 'o1', '--address', '127.0.0.1:9999'],
    ...['--ttl', `${serviceTtlMs}ms`, '--endpoints', cluster.endpoints.join(',')],
  ]);
  await eventually('the instance', async () => view.instances().length === 1);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await eventually('its removal', async () => view.instances().length === 0);
  view.close();
  return changes;
}

test('nothing acknowledged is lost while leaders are killed', async () => {
  const clients = await Promise.all(Array.from({ length: writers }, () => cluster.connect()));
  const observer = await cluster.connect();
  const all = clients.map((_, number) => new Writer(number));
  let killed = false;
  const total = (): number => all.reduce((sum, one) => sum + one.acknowledged, 0);
  const enough = (): boolean => killed && total() >= acknowledgedGoal;

  const seen: number[] = [];
  const stop = new AbortController();
  const watching = watchAlong(observer, seen, stop.signal);
  const reading = readAlong(observer, all, enough);
  const writing = all.map((writer, at) => writer.run(clients[at] as Client, enough));
  await killLeaders(all);
  killed = true;
  await Promise.all(writing);
  expect(await reading).toBeGreaterThan(100);
  expect(total()).toBeGreaterThanOrEqual(acknowledgedGoal);

  for (const writer of all) {
    const value = Number((await observer.get(writer.key))?.valueText);
    expect(value).toBeGreaterThanOrEqual(writer.acknowledged);
    expect(value).toBeLessThanOrEqual(writer.attempted);
  }
  // The digest covers every key and the hash of its value: what is there is there on all three.
  await eventually('equal digests on all nodes', async () => {
    const statuses = await Promise.all(cluster.nodes.map(readStatus));
    const [first, ...others] = statuses;
    return others.every(
      (status) => status?.appliedIndex === first?.appliedIndex && status?.digest === first?.digest,
    );
  });

  // The watcher missed none: every revision of the store after the first was a put of a writer.
  const newest = Math.max(...all.map((writer) => writer.lastRevision));
  await eventually('the watcher to catch up', async () => (seen.at(-1) ?? 0) >= newest);
  expect(seen[0]).toBe(2);
  expect(seen.at(-1)).toBe(2 + seen.length - 1);
  stop.abort();
  await watching;
  await Promise.all(clients.map((client) => client.close()));

  expect(await killRegistered(observer)).toEqual(['+o1', '-o1 expired']);
  await observer.close();
}, 180_000);

test('a node left alone refuses writes clearly, and the cluster comes back by itself', async () => {
  const [first, second, third] = cluster.nodes as [
    (typeof cluster.nodes)[0],
    (typeof cluster.nodes)[0],
    (typeof cluster.nodes)[0],
  ];
  await cluster.stopNode(second, 'SIGKILL');
  await cluster.stopNode(third, 'SIGKILL');
  const client = await connect({
    endpoints: [first.clientAddress],
    requestTimeoutMs: 1500,
    learnEndpoints: false,
  });
  const refusal = await eventually('the refusal', async () => {
    try {
      await client.put('alone', '1');
      return null;
    } catch (error) {
      // Until the node has noticed that it is alone, a write may be in doubt.
      return error instanceof RollcallError && error.code === 'noLeader' ? error : null;
    }
  });
  expect(refusal.definite).toBe(true);
  cluster.startNode(second);
  cluster.startNode(third);
  await cluster.leader();
  await client.close();
  const again = await cluster.connect();
  await again.put('together', '1');
  expect((await again.get('together'))?.valueText).toBe('1');
  await again.close();
}, 60_000);
