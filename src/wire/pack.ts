/** msgpack, as far as we use it: plain values only, in both directions. */
import { Packr, Unpackr } from 'msgpackr';
import { RollcallError } from '../base/errors.ts';
import { type ScanBounds, scan } from './scan.ts';

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** Keeps no reference to anything that changes: the bytes are the caller's. */
export function pack(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Throws `malformedFrame` or `frameTooLarge`, nothing else. Byte strings are views into `bytes`. */
export function unpack(bytes: Uint8Array, bounds: ScanBounds): unknown {
  scan(bytes, bounds);
  try {
    return unpackr.unpack(bytes);
  } catch (cause) {
    throw new RollcallError('malformedFrame', 'The frame cannot be decoded', { cause });
  }
}
