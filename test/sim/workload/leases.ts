/**
 * Leases with keys: kept alive by the SDK or by hand, revoked, abandoned. None may end before its time,
 * and none may outlive it for long.
 */
import { RollcallError } from '../../../src/base/errors.ts';
import { randomBelow } from '../../../src/base/prng.ts';
import type { Revision } from '../checks/history.ts';
import { between, chance, pick } from '../random.ts';
import type { World } from '../world.ts';
import { changesOnly, differs, reading } from './registers.ts';
import { pairOrNull, type Session } from './session.ts';

interface Held {
  readonly owner: string;
  readonly ttlMs: number;
  /** True time up to which the lease has to live, by what its holder relies on. */
  safeUntilMs: number;
  /** The same by the time in which somebody led, by its last renewal: in any other it grows no older. */
  safeUntilLedMs: number;
  /** From when on it may have been revoked. */
  revokedFromMs: number;
}

export class Leases {
  readonly #world: World;
  readonly #held = new Map<string, Held>();

  constructor(world: World) {
    this.#world = world;
  }

  async use(session: Session): Promise<void> {
    while (!session.isStopped) {
      if (session.random() < 0.5) await this.#keepByHand(session);
      else await this.#keepBySdk(session);
      await session.think();
    }
  }

  /** Null, or which lease ended before its time or still holds a key after all was over. */
  check(history: readonly Revision[], isOver: boolean): string | null {
    const held = new Map<string, string | null>();
    for (const { revision, changes } of history) {
      for (const { key, before, after } of changes) {
        held.set(key, after?.leaseId ?? null);
        const lease = this.#held.get(before?.leaseId ?? '');
        if (lease === undefined || after !== null) continue;
        const atMs = this.#world.observer.revisionTimes.ms(revision);
        this.#world.hit(atMs < lease.revokedFromMs ? 'leaseExpired' : 'leaseRevoked');
        if (atMs < Math.min(lease.safeUntilMs, lease.revokedFromMs)) {
          return `${key} went with lease ${before?.leaseId} of ${lease.owner} at ${atMs.toFixed(1)} ms, which had to live until ${lease.safeUntilMs.toFixed(1)} ms`;
        }
        const ledMs = this.#world.observer.revisionTimes.ledMs(revision);
        if (ledMs < lease.safeUntilLedMs && atMs < lease.revokedFromMs) {
          return `${key} went with lease ${before?.leaseId} of ${lease.owner} after ${ledMs.toFixed(1)} ms in which somebody led, ${lease.safeUntilLedMs.toFixed(1)} ms were due`;
        }
      }
    }
    if (!isOver) return null;
    for (const [key, leaseId] of held) {
      if (leaseId !== null)
        return `${key} is still there with lease ${leaseId}, long after its time`;
    }
    return null;
  }

  /** The longest that a lease without a holder may still live. */
  get longestTtlMs(): number {
    return Math.max(0, ...[...this.#held.values()].map(({ ttlMs }) => ttlMs));
  }

  async #keepByHand(session: Session): Promise<void> {
    const { world, client, random } = session;
    const ttlMs = Math.floor(between(random, 500, 1200));
    const sentMs = world.observer.ledTime.ms;
    let leaseId = '';
    await session.perform({ text: `grant ${ttlMs} ms` }, async () => {
      const granted = await client.leases.grant({ ttlMs });
      leaseId = granted.leaseId;
      return reading(granted.revision, () => null);
    });
    if (leaseId === '') return;
    const held = this.#hold(session, leaseId, ttlMs, sentMs);
    await this.#putUnder(session, leaseId);
    const firstLeader = world.leader();
    for (let left = randomBelow(random, 5); left > 0 && !session.isStopped; left--) {
      await session.sleep(ttlMs * between(random, 0.2, 0.6));
      const renewed = await this.#renew(session, leaseId, held);
      if (!renewed) break;
      if (world.leader() !== firstLeader) world.hit('leaseOutlivedLeader');
    }
    if (random() < 0.5) await this.#revoke(session, leaseId, held);
  }

  async #keepBySdk(session: Session): Promise<void> {
    const { world, client, random } = session;
    const ttlMs = Math.floor(between(random, 500, 1200));
    const sentMs = world.observer.ledTime.ms;
    const linked = chance(random, 0.5) ? useBadLink(session, ttlMs) : null;
    const lease = await client.lease({ ttlMs }).catch(expectedOnly);
    if (lease === null) return await (linked ?? undefined);
    const held = this.#hold(session, lease.id, ttlMs, sentMs);
    // It is relied upon from the first moment on, whatever else is waited for.
    const putting = this.#putUnder(session, lease.id);
    const heldMs = linked === null ? between(random, 300, 3000) : 2 * ttlMs;
    const endMs = world.clock.monotonic() + heldMs;
    while (world.clock.monotonic() < endMs && lease.loss === null && !session.isStopped) {
      await world.sleep(20);
      // By the holder's own clock, which may be as wrong as the leader's.
      if (lease.confirmed) {
        const slackMs = 2 * world.swarm.drift * ttlMs + 2;
        held.safeUntilMs = Math.max(held.safeUntilMs, world.clock.monotonic() - slackMs);
      }
    }
    await Promise.all([putting, linked]);
    if (random() < 0.5) {
      held.revokedFromMs = world.clock.monotonic();
      await lease.revoke().catch(expectedOnly);
    }
    lease.close();
  }

  async #renew(session: Session, leaseId: string, held: Held): Promise<boolean> {
    const { world, client } = session;
    const sentMs = world.observer.ledTime.ms;
    const answer = await session.perform({ text: `renew ${leaseId}` }, async () => {
      const { revision } = await client.leases.keepAliveOnce(leaseId);
      return reading(revision, () => null);
    });
    if (answer instanceof RollcallError) return answer.code !== 'leaseNotFound';
    held.safeUntilLedMs = Math.max(held.safeUntilLedMs, this.#livesUntil(sentMs, held.ttlMs));
    return true;
  }

  async #revoke(session: Session, leaseId: string, held: Held): Promise<void> {
    held.revokedFromMs = session.world.clock.monotonic();
    await session.perform({ text: `revoke ${leaseId}` }, async () => {
      const { revision } = await session.client.leases.revoke(leaseId);
      return reading(revision, () => null);
    });
  }

  async #putUnder(session: Session, leaseId: string): Promise<void> {
    const key = `l/${pick(session.random, ['a', 'b', 'c'])}`;
    const mark = session.mark();
    const text = `put ${key} ${mark} with lease ${leaseId}`;
    await session.perform({ text, marks: [mark] }, async () => {
      const { revision } = await session.client.put(key, mark, { leaseId });
      return { revision, changed: true, verify: (now) => changesOnly(now, new Map([[key, mark]])) };
    });
    await session.perform({ text: `get ${key}` }, async () => {
      const { revision, pairs } = await session.client.range(key);
      const told = pairOrNull(pairs[0]);
      return reading(revision, (now) => differs('it read', told, { is: now.after(key) }));
    });
  }

  #hold(session: Session, leaseId: string, ttlMs: number, sentMs: number): Held {
    const held: Held = {
      owner: session.name,
      ttlMs,
      safeUntilMs: 0,
      safeUntilLedMs: this.#livesUntil(sentMs, ttlMs),
      revokedFromMs: Number.POSITIVE_INFINITY,
    };
    this.#held.set(leaseId, held);
    return held;
  }

  /**
   * The leaders' clocks decide, and may run fast; log time is in whole milliseconds. `sentMs` is of the
   * time in which somebody led.
   */
  #livesUntil(sentMs: number, ttlMs: number): number {
    return sentMs + ttlMs / (1 + this.#world.swarm.drift) - 2;
  }
}

/** The keys that a lease holds, or null when they cannot be read at the moment. */
export async function leasedKeys(session: Session): Promise<readonly string[] | null> {
  const range = await session.client
    .range({ prefix: 'l/' }, { timeoutMs: 500 })
    .catch(expectedOnly);
  if (range === null) return null;
  return range.pairs.filter(({ leaseId }) => leaseId !== null).map(({ keyText }) => keyText);
}

/**
 * The answer to its grant or its first renewal comes late, and soon after no other one gets through for
 * longer than the lease lives: then it shows for how long its holder relies on it.
 */
async function useBadLink(session: Session, ttlMs: number): Promise<void> {
  const { random } = session;
  const isOfRenewal = chance(random, 0.5);
  await session.sleep((isOfRenewal ? ttlMs / 3 : 0) + between(random, 1, 15));
  const mend = session.cutOff();
  await session.sleep(ttlMs * between(random, 0.15, isOfRenewal ? 0.35 : 0.8));
  mend();
  await session.sleep(between(random, 80, 160));
  const mendAgain = session.cutOff();
  await session.sleep(ttlMs * between(random, 1, 1.5));
  mendAgain();
}

function expectedOnly(error: unknown): null {
  if (error instanceof RollcallError) return null;
  throw error;
}
