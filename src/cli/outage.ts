import type { Client } from '../client/index.ts';
import type { Run } from './session.ts';

/** Longer than it takes to elect a leader. */
const patienceMs = 2000;
const lookMs = 250;

/**
 * Runs what waits for news of the cluster, and says on standard error when there can be none, as no
 * endpoint is connected or none knows a leader, and when that is over.
 */
export async function withOutages<T>(
  { terminal }: Run,
  client: Client,
  body: () => Promise<T>,
): Promise<T> {
  let upAtMs = performance.now();
  let told = false;
  const timer = setInterval(() => {
    if (client.endpoints.some(({ leaderName }) => leaderName !== null)) {
      upAtMs = performance.now();
      if (told) terminal.warn('rollcall: the cluster is back\n');
      told = false;
    } else if (!told && performance.now() - upAtMs >= patienceMs) {
      told = true;
      terminal.warn(`rollcall: the cluster is away, and still waited for: ${reasons(client)}\n`);
    }
  }, lookMs);
  try {
    return await body();
  } finally {
    clearInterval(timer);
  }
}

function reasons(client: Client): string {
  return client.endpoints
    .map(({ address, error, connected }) => {
      if (connected) return `${address} knows no leader`;
      const reason = error?.message ?? 'no answer';
      return reason.startsWith(address) ? reason : `${address}: ${reason}`;
    })
    .join('; ');
}
