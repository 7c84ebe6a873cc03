/**
 * Stored bytes that are not what was written, and what they concern:
 *
 *     state      Level: the log still says all that this member promised, so it votes and acknowledges
 *     log        the write-ahead log: what it promised is unknown, so it must not vote
 *     identity   who it is: it is nobody until it joins anew
 *
 * An older copy of one part is found where another part remembers more: a state older than the
 * beginning of the log; a log that ends before what the newest generation in Level was written after;
 * an identity older than the log. Not found here, for nothing in the directory knows better: a log that
 * is older by less than a generation, a state that is older but not than the log (it is brought up by
 * the log, and loses nothing), and an older copy of the whole directory, which only peers can tell.
 */
import { RollcallError } from '../base/errors.ts';

export type DamagedPart = 'state' | 'log' | 'identity';

/** `dataDamaged` with the details `part` and `path`: names the file and the place. Nothing was changed. */
export function damaged(
  part: DamagedPart,
  path: string,
  position: number,
  what: string,
  cause?: unknown,
): RollcallError {
  return new RollcallError('dataDamaged', `${path} is damaged at byte ${position}: ${what}`, {
    details: { part, path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What a failure says is damaged, or null when it says something else. */
export function damagedPart(error: unknown): DamagedPart | null {
  if (!(error instanceof RollcallError) || error.code !== 'dataDamaged') return null;
  const { part } = error.details;
  return part === 'state' || part === 'log' || part === 'identity' ? part : null;
}
