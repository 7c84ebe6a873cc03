import type { Random } from '../base/prng.ts';

export interface Backoff {
  readonly minMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait before attempt number `attempt` (0 is the first retry): doubling from `minMs` to
 * `maxMs`, and at random between half of that and all of it, so that clients that lost the same node
 * do not come back together.
 */
export function backoffMs(backoff: Backoff, attempt: number, random: Random): number {
  const full = Math.min(backoff.maxMs, backoff.minMs * 2 ** Math.min(attempt, 30));
  return full * (0.5 + 0.5 * random());
}
