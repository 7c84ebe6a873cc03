import { RollcallError } from '../base/errors.ts';

/** Runs a decoder; bytes that it cannot make sense of are damage, for they were written by this program. */
export function damagedUnless<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof RollcallError) || error.code !== 'malformedFrame') throw error;
    throw new RollcallError('dataDamaged', `Damaged ${what}: ${error.message}`, { cause: error });
  }
}
