import { RollcallError } from '../base/errors.ts';

/** The first failure ends all work: what a failed write or sync has left behind is unknown. */
export class Failure {
  listener: ((error: Error) => void) | null = null;
  #first: RollcallError | null = null;

  get first(): RollcallError | null {
    return this.#first;
  }

  inBackground(error: unknown): void {
    if (this.#first !== null) return;
    this.listener?.(this.record(error));
  }

  record(cause: unknown): RollcallError {
    this.#first ??=
      cause instanceof RollcallError && cause.code === 'storageFailed'
        ? cause
        : new RollcallError('storageFailed', 'The storage failed', { cause });
    return this.#first;
  }
}
