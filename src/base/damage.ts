import { RollcallError } from './errors.ts';

/**
 * Records of the state are not what was written. The detail `part` is the storage's word for it: what
 * the log says is not in doubt, and the state can be fetched from another member.
 */
export function damagedState(message: string, cause?: unknown): RollcallError {
  return new RollcallError('dataDamaged', message, {
    details: { part: 'state' },
    ...(cause === undefined ? {} : { cause }),
  });
}
