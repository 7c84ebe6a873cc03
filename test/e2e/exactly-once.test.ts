/** Every token is appended once, whatever is lost, killed or sent again on its way. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RollcallError } from '../../src/base/errors.ts';
import { type Client, connect } from '../../src/client/index.ts';
import { eventually, TestCluster, type TestNode } from './cluster.ts';
import { FrameProxy } from './frame-proxy.ts';

const writers = 4;
const kills = 3;
const tokensPerKill = 120;
/** So many of the newest frames of each proxy are sent again at each kill. */
const framesAgain = 60;

let cluster: TestCluster;
let proxies: Map<TestNode, FrameProxy>;

beforeAll(async () => {
  cluster = await TestCluster.start();
  proxies = new Map();
  for (const node of cluster.nodes) proxies.set(node, await FrameProxy.open(node.clientAddress));
});

afterAll(async () => {
  for (const proxy of proxies.values()) await proxy.close();
  await cluster.close();
});

interface Appended {
  readonly revision: number;
  readonly previous: string | null;
}

/** What became of each token: appended, surely not, or null where nobody knows. */
type Fate = Appended | 'failed' | null;

class Writer {
  readonly fates = new Map<string, Fate>();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  get appended(): number {
    return [...this.fates.values()].filter((fate) => fate !== null && fate !== 'failed').length;
  }

  async run(client: Client, enough: () => boolean): Promise<void> {
    while (!enough()) {
      const token = `${this.#name}.${this.fates.size}`;
      this.fates.set(token, null);
      try {
        const { revision, previous } = await client.put('log', token, { previous: true });
        this.fates.set(token, { revision, previous: previous?.valueText ?? null });
      } catch (error) {
        if (!(error instanceof RollcallError)) throw error;
        if (error.definite) this.fates.set(token, 'failed');
      }
    }
  }
}

/** The leader is killed with writes under way, others lose their answers, and old frames come again. */
async function disturb(appended: () => number): Promise<void> {
  const all = [...proxies.values()];
  for (let kill = 1; kill <= kills; kill++) {
    const leader = await cluster.leader();
    for (const at of [0.3, 0.6]) {
      const goal = (kill - 1 + at) * tokensPerKill;
      await eventually(`${goal} tokens`, async () => appended() >= goal);
      const proxy = proxies.get(leader) as FrameProxy;
      proxy.loseAnswers();
      const frames = proxy.frames.length;
      await eventually('writes without an answer', async () => proxy.frames.length > frames + 2);
      proxy.hangUp();
    }
    await eventually(`${kill * tokensPerKill}`, async () => appended() >= kill * tokensPerKill);
    proxies.get(leader)?.loseAnswers();
    await cluster.stopNode(leader, 'SIGKILL');
    proxies.get(leader)?.hangUp();
    cluster.startNode(leader);
    // To all nodes: who led before, who leads now and who will.
    for (const frame of all.flatMap(({ frames }) => frames.slice(-framesAgain))) {
      for (const proxy of all) proxy.replay(frame);
    }
  }
  const reached = appended();
  await eventually('more tokens', async () => appended() > reached + tokensPerKill);
}

/** The tokens of the log in their order, by revision. */
async function history(client: Client): Promise<Map<string, number[]>> {
  const { revision } = await client.put('end', '');
  const found = new Map<string, number[]>();
  for await (const { events } of client.watch({ prefix: '' }, { startRevision: 1 })) {
    for (const { pair } of events) {
      if (pair.keyText === 'end' && pair.modRevision === revision) return found;
      if (pair.keyText !== 'log') continue;
      found.set(pair.valueText, [...(found.get(pair.valueText) ?? []), pair.modRevision]);
    }
  }
  return found;
}

test('tokens are appended once each, and every answer is that of the one time', async () => {
  const endpoints = [...proxies.values()].map(({ address }) => address);
  const all = Array.from({ length: writers }, (_, at) => new Writer(`w${at}`));
  const clients = await Promise.all(
    all.map(() => connect({ endpoints, learnEndpoints: false, requestTimeoutMs: 20_000 })),
  );
  const appended = (): number => all.reduce((sum, writer) => sum + writer.appended, 0);
  let isOver = false;
  const writing = all.map((writer, at) => writer.run(clients[at] as Client, () => isOver));
  await disturb(appended);
  isOver = true;
  await Promise.all(writing);

  const observer = await cluster.connect();
  const found = await history(observer);
  const order = [...found.keys()];
  for (const [token, fate] of all.flatMap(({ fates }) => [...fates])) {
    const revisions = found.get(token) ?? [];
    if (fate === null) expect(revisions.length, `${token}, in doubt`).toBeLessThanOrEqual(1);
    else if (fate === 'failed') expect(revisions, `${token}, which failed`).toEqual([]);
    else {
      expect(revisions, token).toEqual([fate.revision]);
      expect(order[order.indexOf(token) - 1] ?? null, `before ${token}`).toBe(fate.previous);
    }
  }
  expect((await observer.get('log'))?.version).toBe(found.size);
  await Promise.all([...clients, observer].map((client) => client.close()));
}, 120_000);
