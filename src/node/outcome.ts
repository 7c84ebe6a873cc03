import { RollcallError } from '../base/errors.ts';
import type { Outcome } from '../state-machine/types.ts';

/** What the state machine said instead of a result; the log has decided it. */
export function outcomeError(outcome: Outcome & { readonly ok: false }): RollcallError {
  const { code, message, details } = outcome;
  return new RollcallError(code, message, details === undefined ? {} : { details });
}
