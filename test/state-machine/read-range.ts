import type { Refusal } from '../../src/base/refusal.ts';
import type { RangeRequest, RangeResult } from '../../src/mvcc/types.ts';
import type { StateMachine } from '../../src/state-machine/state-machine.ts';
import type { KeySpaceName } from '../../src/state-machine/types.ts';

/** All steps of a range at once. */
export function readRange(
  machine: StateMachine,
  space: KeySpaceName,
  request: RangeRequest,
): RangeResult | Refusal {
  const steps = machine.rangeSteps(space, request);
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}
