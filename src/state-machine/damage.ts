import { damagedState } from '../base/damage.ts';
import { RollcallError } from '../base/errors.ts';

/** Runs a decoder; bytes that it cannot make sense of are damage, for they were written by this program. */
export function damagedUnless<T>(what: string, decode: () => T): T {
  return replaceMalformed(decode, (error) => {
    return new RollcallError('dataDamaged', `Damaged ${what}: ${error.message}`, { cause: error });
  });
}

/** The same for what is a part of the state. */
export function damagedStateUnless<T>(what: string, decode: () => T): T {
  return replaceMalformed(decode, (error) => {
    return damagedState(`Damaged ${what}: ${error.message}`, error);
  });
}

/** Nothing newer was written at a feature level that this program knows: what looks newer is damage. */
export function damagedStateIfNewer<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RollcallError) || error.code !== 'formatTooNew') throw error;
    throw damagedState(error.message, error);
  }
}

function replaceMalformed<T>(decode: () => T, replace: (error: RollcallError) => Error): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof RollcallError) || error.code !== 'malformedFrame') throw error;
    throw replace(error);
  }
}
