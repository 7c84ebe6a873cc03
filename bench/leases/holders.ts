/** Who holds the leases, in a process of their own: clients of the SDK, each with its share of them. */
import { type Client, connect, type Lease, RollcallError } from '../../src/client/index.ts';
import { elapse } from '../progress.ts';
import { answerEach } from '../worker.ts';

export type HoldersJob =
  /** Grants the leases, and puts a key with each. */
  | {
      readonly type: 'grant';
      readonly endpoints: readonly string[];
      readonly leases: number;
      readonly connections: number;
      readonly ttlMs: number;
    }
  /** How many of them were lost. */
  | { readonly type: 'count' }
  /** Renews all at once, and never again. */
  | { readonly type: 'leave' };

export type HoldersReport =
  | { readonly type: 'granted'; readonly seconds: number }
  | { readonly type: 'counted'; readonly kept: number }
  /** When the last lease is due and the first one was renewed, in milliseconds of the wall clock. */
  | { readonly type: 'left'; readonly renewedFromMs: number; readonly dueMs: number };

const pauseMs = 100;

export const leasePrefix = 'bench/leases/';

interface Holder {
  readonly client: Client;
  readonly leases: Lease[];
}

let holders: Holder[] = [];
let ttlMs = 0;

async function grant(job: HoldersJob & { readonly type: 'grant' }): Promise<void> {
  const { endpoints, connections } = job;
  ttlMs = job.ttlMs;
  const beganMs = performance.now();
  holders = await Promise.all(
    Array.from({ length: connections }, async () => ({
      client: await connect({ endpoints, requestTimeoutMs: 60_000 }),
      leases: [],
    })),
  );
  let left = job.leases;
  let number = 0;
  // A few at a time for each: what is measured is how they are kept, not how they come.
  const work = holders.flatMap((holder) => Array.from({ length: 8 }, () => holder));
  await Promise.all(
    work.map(async ({ client, leases }) => {
      while (left > 0) {
        left--;
        const key = `${leasePrefix}${number++}`;
        const lease = await patiently(() => client.lease({ ttlMs }));
        leases.push(lease);
        await patiently(() => client.put(key, 'x', { leaseId: lease.id }));
      }
    }),
  );
  report({ type: 'granted', seconds: (performance.now() - beganMs) / 1000 });
}

/** Slows down where a node asks for that. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isBusy = error instanceof RollcallError && error.code === 'tooManyRequests';
      if (!isBusy) throw error;
      await elapse(pauseMs);
    }
  }
}

async function leave(): Promise<void> {
  const renewedFromMs = Date.now();
  await Promise.all(
    holders.map(async ({ client, leases }) => {
      const ids = leases.map(({ id }) => id);
      for (const lease of leases) lease.close();
      await patiently(() => client.leases.keepAliveAll(ids));
    }),
  );
  const dueMs = Date.now() + ttlMs;
  await Promise.all(holders.map(({ client }) => client.close()));
  holders = [];
  report({ type: 'left', renewedFromMs, dueMs });
}

answerEach(async (job: HoldersJob) => {
  if (job.type === 'grant') await grant(job);
  else if (job.type === 'leave') await leave();
  else {
    const kept = holders.flatMap(({ leases }) => leases.filter(({ loss }) => loss === null));
    report({ type: 'counted', kept: kept.length });
  }
});

function report(message: HoldersReport): void {
  process.send?.(message);
}
