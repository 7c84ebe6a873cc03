/** Leases whose leaders die again and again: nobody's time starts anew, and nobody's runs meanwhile. */
import { expect, test } from 'vitest';
import { connectThrough } from '../../src/client/client.ts';
import { clientClock } from './client-clock.ts';
import { fairWeather } from './network.ts';
import { stream } from './random.ts';
import { drawSwarm, type Swarm } from './swarm.ts';
import { World } from './world.ts';

const ttlMs = 2000;
/** The leader is killed every half TTL for twenty TTLs. */
const kills = 40;
const restartMs = 100;
const lateMsMax = 1000;
/** Log time is in whole milliseconds. */
const roundingMs = 2;

/** In the time in which somebody led. */
interface Left {
  readonly grantedAfterMs: number;
  readonly grantedBeforeMs: number;
}

function calmSwarm(seed: number): Swarm {
  return {
    ...drawSwarm(seed),
    ...{ nodes: 3, older: 0, drift: 0, weather: fairWeather, bounds: {}, acrossLives: false },
    ...{ syncMsMin: 0.1, syncMsMean: 0.5, segmentBytes: 1024 * 1024, backlogMax: 1000 },
    ...{ generationBytesMax: 65_536, generationAgeMsMax: 300, valueCacheBytesMax: 65_536 },
  };
}

/** Returns what went wrong. */
async function killLeaders(world: World): Promise<string[]> {
  await world.birth();
  await world.until(() => world.leader() !== null, 10_000);
  const random = stream(world.swarm.seed, 'holder');
  const clock = clientClock(world, random);
  const client = await connectThrough(
    { clock, random, dial: world.sockets.dialer('holder', clock) },
    { endpoints: world.nodes.map(({ address }) => address) },
  );
  const { ledTime, revisionTimes } = world.observer;
  const kept = await client.lease({ ttlMs });
  await client.put('kept', 'x', { leaseId: kept.id });
  const left = new Map<string, Left>();
  const gone = new Map<string, number>();
  const watching = (async () => {
    for await (const { revision, events } of client.watch({ prefix: '' }, { startRevision: 1 })) {
      for (const { type, pair } of events) if (type === 'delete') gone.set(pair.keyText, revision);
    }
  })();
  for (let kill = 1; kill <= kills; kill++) {
    const leader = world.leader();
    if (leader !== null) {
      world.crash(leader, 'kill');
      world.restartLater(leader, restartMs);
    }
    const grantedAfterMs = ledTime.ms;
    const { leaseId } = await client.leases.grant({ ttlMs });
    left.set(`left ${kill}`, { grantedAfterMs, grantedBeforeMs: ledTime.ms });
    await client.put(`left ${kill}`, 'x', { leaseId });
    await world.sleep(ttlMs / 2);
  }
  await world.sleep(ttlMs + lateMsMax);
  const wrong: string[] = [];
  if (kept.loss !== null || gone.has('kept')) wrong.push('The one that is kept is lost');
  for (const [key, { grantedAfterMs, grantedBeforeMs }] of left) {
    const ledMs = revisionTimes.ledMs(gone.get(key) ?? Number.POSITIVE_INFINITY);
    const dueMs = grantedAfterMs + ttlMs - roundingMs;
    const lateMs = grantedBeforeMs + ttlMs + lateMsMax;
    if (ledMs >= dueMs && ledMs <= lateMs) continue;
    wrong.push(`${key} went after ${ledMs} ms, not between ${dueMs} and ${lateMs}`);
  }
  await client.close();
  await watching.catch(() => {});
  return wrong;
}

test.each([1, 2])(
  'no lease ends early or late while leaders are killed, seed %d',
  async (seed) => {
    const world = new World(calmSwarm(seed), null);
    let wrong: string[] = ['It did not come to its end'];
    await world.run(async () => {
      wrong = await killLeaders(world);
    });
    expect([world.violation, ...wrong]).toEqual([null]);
    expect(world.observer.leaders.changes).toBeGreaterThan(kills / 2);
  },
  60_000,
);
