/**
 * Work on the state. Stored bytes are read while entries are applied, while reads are answered and
 * while streams catch up, so damage may show in any of these; the first that does ends all of them, for
 * the state may be in the middle of an entry by then.
 */
import type { Clock } from '../base/clock.ts';
import { type ErrorCode, RollcallError } from '../base/errors.ts';

export class StateGuard {
  readonly #onBroken: (error: unknown) => void;
  #isBroken = false;

  /** `onBroken` hears of the first failure, whatever it is of. */
  constructor(onBroken: (error: unknown) => void) {
    this.#onBroken = onBroken;
  }

  /** Nothing may be applied or served any more. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Does nothing once the member has failed. */
  run(work: () => void): void {
    if (this.#isBroken) return;
    try {
      work();
    } catch (error) {
      if (!isOfState(error)) throw error;
      this.break(error);
    }
  }

  /** The member has failed, here or elsewhere. */
  break(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#onBroken(error);
  }

  /** What is put off by this clock until the sockets were read is such work. */
  clock(clock: Clock): Clock {
    return {
      monotonic: () => clock.monotonic(),
      wall: () => clock.wall(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      soon: (callback) => clock.soon(() => this.run(callback)),
    };
  }
}

const codes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'dataDamaged',
  'formatTooNew',
  'storageFailed',
]);

/** Whether stored bytes could not be read, are not what was written, or say what this program does not know. */
export function isOfState(error: unknown): error is RollcallError {
  return error instanceof RollcallError && codes.has(error.code);
}
