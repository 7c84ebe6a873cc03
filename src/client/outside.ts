/** Time, chance and sockets: all that the SDK takes from outside. The simulator has its own. */
import type { Clock, Timer } from '../base/clock.ts';
import type { Random } from '../base/prng.ts';
import { type Dial, dialWebSocket } from './socket.ts';

export interface Outside {
  readonly clock: Clock;
  readonly random: Random;
  readonly dial: Dial;
}

export const realOutside: Outside = {
  clock: {
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    after(delayMs, callback): Timer {
      const timer = setTimeout(callback, delayMs);
      return { cancel: () => clearTimeout(timer) };
    },
    soon(callback) {
      setImmediate(callback);
    },
  },
  random: Math.random,
  dial: dialWebSocket,
};

/** Resolves after so long, or at once when the signal aborts. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal | null): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.after(delayMs, finish);
    if (signal?.aborted) finish();
    else signal?.addEventListener('abort', finish, { once: true });
  });
}
