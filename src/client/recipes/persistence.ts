import { type ErrorCode, RollcallError } from '../../base/errors.ts';
import { backoffMs } from '../backoff.ts';
import type { KeySelector } from '../key.ts';
import type { Keys } from '../keys.ts';
import { pause } from '../outside.ts';
import { mayResume } from '../resend.ts';
import type { WatchEvent } from '../watch-buffer.ts';

const backoff = { minMs: 20, maxMs: 1000 };

/** The history is gone or another one, or nobody has room for a watch: look anew. */
const anewCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'compacted',
  'incarnationChanged',
  'tooManyStreams',
]);

/**
 * Reads, and watches, again and again where a failure may pass by itself: a cluster without a leader, a history
 * that was compacted, a restored cluster. Rejects with `cancelled` once the signal aborts, with `closed` when the
 * client was closed, and where the same request is refused whenever it is sent.
 */
export async function persist<T>(
  keys: Keys,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let count = 0; ; count++) {
    checkSignal(signal);
    try {
      return await attempt();
    } catch (error) {
      checkSignal(signal);
      if (keys.closed || !(error instanceof RollcallError)) throw error;
      if (!mayResume(error) && !anewCodes.has(error.code)) throw error;
    }
    await pause(keys.clock, backoffMs(backoff, count, keys.random), signal ?? null);
  }
}

/** Throws `cancelled` once the signal has aborted: nothing was done, or all was undone. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  const options = { definite: true, cause: signal.reason };
  throw new RollcallError('cancelled', 'The wait was given up', options);
}

/** Resolves after the first change from `startRevision` on that matters; also when nothing more can be seen. */
export async function awaitChange(
  keys: Keys,
  selector: KeySelector,
  options: {
    readonly startRevision: number;
    readonly only: 'put' | 'delete';
    readonly signal: AbortSignal | undefined;
  },
  matters: (event: WatchEvent) => boolean = () => true,
): Promise<void> {
  const { signal, ...rest } = options;
  const watch = keys.watch(selector, { ...rest, previous: true, ...(signal && { signal }) });
  for await (const { events } of watch) if (events.some(matters)) return;
}
