/**
 * Places in a queue of keys under a prefix, by the revision that created each: the first `permits` of them have
 * their turn, the others wait for one before them to go. Each key goes with a lease of its own, and bears its id.
 */
import type { CallOptions } from '../call.ts';
import type { Value } from '../key.ts';
import type { KeyValue } from '../key-value.ts';
import type { Keys } from '../keys.ts';
import type { Lease } from '../lease.ts';
import { compare, operation } from '../txn.ts';
import { awaitChange, checkSignal, persist } from './persistence.ts';

const ttlMsDefault = 10_000;

export interface PlaceOptions {
  readonly ttlMs?: number;
  readonly signal?: AbortSignal;
}

export interface Places {
  readonly prefix: string;
  /** How many may have their turn at once. */
  readonly permits: number;
}

export interface Place {
  readonly key: string;
  /** The revision that created the key: it grows from place to place. */
  readonly token: number;
  readonly lease: Lease;
}

/** Before the lease may be over its owner is told, with so much of the TTL left to wind down. */
export function marginMs(lease: Lease): number {
  return lease.ttlMs / 5;
}

export function placesOf(name: string, permits: number): Places {
  return { prefix: `${name}/`, permits };
}

/** Queues up and waits for the turn; anew, at the end, whenever the place is lost. */
export async function takeTurn(
  keys: Keys,
  places: Places,
  value: Value,
  options: PlaceOptions,
): Promise<Place> {
  for (;;) {
    const place = await enter(keys, places, value, options);
    try {
      if (await awaitTurn(keys, places, place, options.signal)) return place;
    } catch (error) {
      await leave(place);
      throw error;
    }
    await leave(place);
  }
}

/** The turn if there is one to have now; otherwise null, and no place is left behind. */
export async function tryTurn(
  keys: Keys,
  places: Places,
  value: Value,
  options: PlaceOptions,
): Promise<Place | null> {
  const { prefix, permits } = places;
  const call = callOf(options.signal);
  const taken = await keys.range({ prefix }, { limit: permits, keysOnly: true, ...call });
  if (taken.pairs.length === permits) return null;
  const place = await enter(keys, places, value, options);
  try {
    const { before, isThere } = await look(keys, places, place, options.signal);
    if (isThere && before.pairs.length < permits && isSure(place.lease)) return place;
  } catch (error) {
    await leave(place);
    throw error;
  }
  await leave(place);
  return null;
}

/** Whether the place is certain to last long enough for its owner to hear of its end in time. */
export function isSure(lease: Lease): boolean {
  return lease.loss === null && lease.clock.monotonic() < lease.confirmedUntilMs - marginMs(lease);
}

async function enter(
  keys: Keys,
  { prefix }: Places,
  value: Value,
  { ttlMs = ttlMsDefault, signal }: PlaceOptions,
): Promise<Place> {
  checkSignal(signal);
  const call = callOf(signal);
  const lease = await keys.lease({ ttlMs, ...call });
  const key = prefix + lease.id;
  try {
    // Sent twice without a session, it still makes one place.
    const { succeeded, revision, results } = await keys.txn(
      {
        compare: [compare.createRevision(key, 'equal', 0)],
        success: [operation.put(key, value, { leaseId: lease.id })],
        failure: [operation.range(key)],
      },
      call,
    );
    if (succeeded) return { key, token: revision, lease };
    const [found] = results;
    const pair = found?.type === 'range' ? found.pairs[0] : undefined;
    return { key, token: pair?.createRevision ?? 0, lease };
  } catch (error) {
    await leave({ key, token: 0, lease });
    throw error;
  }
}

/** Ends the lease, and the place with it: now if that can be done, else when its TTL has passed. */
async function leave({ lease }: Place): Promise<void> {
  const revoking = lease.revoke().catch(() => {});
  lease.close();
  await revoking;
}

/** True when it has come, false when the place was lost. */
async function awaitTurn(
  keys: Keys,
  places: Places,
  place: Place,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { lease } = place;
  const lost = new AbortController();
  void lease.lost.then(() => lost.abort());
  const stop = signal === undefined ? lost.signal : AbortSignal.any([signal, lost.signal]);
  const attempt = async (): Promise<boolean> => {
    while (!stop.aborted) {
      const { before, isThere } = await look(keys, places, place, stop);
      if (!isThere) return false;
      if (before.pairs.length < places.permits) {
        if (isSure(lease)) return true;
        await renewal(lease, stop);
      } else await awaitGap(keys, places, place, before, stop);
    }
    return false;
  };
  try {
    const isTurn = await persist(keys, stop, attempt);
    checkSignal(signal);
    return isTurn;
  } catch (error) {
    checkSignal(signal);
    if (lost.signal.aborted) return false;
    throw error;
  }
}

interface Standing {
  /** Those nearest before this one, as many as may have their turn at once. */
  readonly before: { readonly revision: number; readonly pairs: readonly KeyValue[] };
  readonly isThere: boolean;
}

/** The two reads are each of the newest state: nobody comes in before a place, so that their order is all one. */
async function look(
  keys: Keys,
  { prefix, permits }: Places,
  { key, token }: Place,
  signal: AbortSignal | undefined,
): Promise<Standing> {
  const call = callOf(signal);
  const [before, own] = await Promise.all([
    keys.range(
      { prefix },
      {
        ...{ maxCreateRevision: token - 1, sortBy: 'createRevision', order: 'descend' },
        ...{ limit: permits, keysOnly: true, ...call },
      },
    ),
    keys.range(key, { keysOnly: true, ...call }),
  ]);
  return { before, isThere: own.pairs[0]?.createRevision === token };
}

/** Waits until one before goes. With one permit each watches its neighbour alone, so that a gap wakes one. */
async function awaitGap(
  keys: Keys,
  { prefix, permits }: Places,
  { token }: Place,
  { revision, pairs }: Standing['before'],
  signal: AbortSignal,
): Promise<void> {
  const neighbour = permits === 1 ? pairs[0]?.key : undefined;
  await awaitChange(
    keys,
    neighbour ?? { prefix },
    { startRevision: revision + 1, only: 'delete', signal },
    ({ previous }) => previous === null || previous.createRevision < token,
  );
}

/** Resolves with the next confirmed renewal, or when there will be none. */
function renewal(lease: Lease, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    lease.observe(() => resolve());
    stop.addEventListener('abort', () => resolve(), { once: true });
    if (stop.aborted) resolve();
  });
}

function callOf(signal: AbortSignal | undefined): CallOptions {
  return signal === undefined ? {} : { signal };
}
