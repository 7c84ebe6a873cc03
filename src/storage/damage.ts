import { RollcallError } from '../base/errors.ts';

/** The error for stored bytes that are not what was written: names the file, the place and what to do. */
export function damaged(
  path: string,
  position: number,
  what: string,
  cause?: unknown,
): RollcallError {
  return new RollcallError(
    'dataDamaged',
    `${path} is damaged at byte ${position}: ${what}. Nothing was changed; keep the data directory aside and replace this member`,
    cause === undefined ? {} : { cause },
  );
}
