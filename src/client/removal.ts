import { RollcallError } from '../base/errors.ts';
import type { NodeStatus } from '../wire/results.ts';
import type { CallOptions } from './call.ts';
import { pause } from './outside.ts';
import type { Router } from './router.ts';

const askAgainMsMin = 10;
const askAgainMsMax = 200;

/** Resolves once the leader has removed what was compacted up to `revision`. */
export async function awaitRemoval(
  router: Router,
  revision: number,
  options: CallOptions,
): Promise<void> {
  const signal = options.signal ?? null;
  for (let waitMs = askAgainMsMin; ; waitMs = Math.min(2 * waitMs, askAgainMsMax)) {
    try {
      const request = { method: 'status', parameters: {}, anywhere: false } as const;
      const { removedRevision } = (await router.call(request, options)) as NodeStatus;
      if (removedRevision >= revision) return;
    } catch (cause) {
      if (!(cause instanceof RollcallError)) throw cause;
      const message = `${revision} is compacted, but not known to be removed: ${cause.message}`;
      throw new RollcallError(cause.code, message, { definite: false, cause });
    }
    await pause(router.clock, waitMs, signal);
  }
}
