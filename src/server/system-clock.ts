/** The real time and the real randomness: the only ones in the program. */
import { randomFillSync } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/prng.ts';

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  soon(callback) {
    setImmediate(callback);
  },
};

const pool = new Uint32Array(1024);
let drawn = pool.length;

/** Unpredictable numbers: ids of members and clusters must never meet by a common seed. */
export const systemRandom: Random = () => {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  return (pool[drawn++] as number) / 0x1_0000_0000;
};
