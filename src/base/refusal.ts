import { type ErrorCode, RollcallError } from './errors.ts';

/**
 * An operation that was refused, as a value: it had no effect. Where refusals are ordinary outcomes
 * (in `apply`, in reads at a revision) they are returned, so that no stack trace is made for each.
 */
export class Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  /** Machine-readable extras, as in RollcallError. */
  readonly details: Readonly<Record<string, string | number>>;

  constructor(
    code: ErrorCode,
    message: string,
    details: Readonly<Record<string, string | number>> = {},
  ) {
    this.code = code;
    this.message = message;
    this.details = details;
  }

  toError(): RollcallError {
    return new RollcallError(this.code, this.message, { details: this.details });
  }
}
