import { RollcallError } from '../base/errors.ts';
import type { Outcome } from '../state-machine/types.ts';

/** A refusal by the state machine: decided by the log, so it surely had no effect. */
export function outcomeError(outcome: Outcome & { readonly ok: false }): RollcallError {
  return new RollcallError(outcome.code, outcome.message, {
    definite: true,
    ...(outcome.details === undefined ? {} : { details: outcome.details }),
  });
}
