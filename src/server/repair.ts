/**
 * What a node does by itself about stored bytes that are not what was written. Nothing is deleted, and
 * each remedy is possible only where others have what is lost here:
 *
 *     state      set aside, and made anew from the log, where that is whole, or else fetched from another
 *                member. The log still holds every promise, so the member votes and acknowledges all
 *                the while; it serves nothing.
 *     log        the member is given up: all of it is set aside, and the node asks under a new id and its
 *                old name to be taken in. What the old id promised is forgotten, so it must never speak
 *                again; and the new id has promised nothing. Until it has caught up it is a learner, the
 *                quorum counts the silent old id, and the change that swaps them needs a majority of the
 *                others: so two logs that are lost at once make a cluster of three wait, never forget.
 *                It costs the transfer of a whole state, where a log alone might do.
 *                A log that is older than what was acknowledged is lost just so; only a peer can tell.
 *     identity   the same: log and state mean nothing without it.
 *
 * Damage that comes back within an hour has a cause that no repair removes: then the node ends.
 */
import type { Clock } from '../base/clock.ts';
import { RollcallError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { EntryId } from '../format/types.ts';
import { type DamagedPart, damagedPart } from '../storage/damage.ts';
import type { ReachFailpoint } from '../storage/failpoints.ts';
import { renewState, setMemberAside } from '../storage/repair.ts';
import { readRepairNote, repairNotePath, writeRepairNote } from '../storage/repair-note.ts';
import type { Files } from '../storage/types.ts';

/** How the node goes on: with the same member, or with none until it is taken in anew. */
export type Remedy = 'reopen' | 'rejoin';

export interface RepairOptions {
  readonly files: Files;
  readonly clock: Pick<Clock, 'wall'>;
  readonly log: Log;
  /** The node's. */
  readonly name: string;
  /** Whether the node was told of others that could take it in. */
  readonly mayRejoin: boolean;
  /** Called at those of `storageFailpoints` that a repair passes. */
  readonly failpoint?: ReachFailpoint;
}

const hourMs = 3_600_000;

/**
 * Repairs what `error` says is damaged, in a directory that nobody has open. Throws the error itself
 * when it says no such thing; `dataDamaged`, with nothing changed, when nobody else could have what is
 * lost, or the last repair was less than an hour ago. `hasPeers` says whether the member belongs to a
 * cluster of more than itself.
 */
export async function repair(
  error: unknown,
  hasPeers: boolean,
  options: RepairOptions,
): Promise<Remedy> {
  const part = damagedPart(error);
  if (part === null || !(error instanceof RollcallError)) throw error;
  if (!(part === 'state' ? hasPeers : options.mayRejoin)) throw hopeless(error);
  await refuseRepetition(error, options);
  try {
    const remedy = await remedyOf(part, error, options);
    await writeRepairNote(options.files, options.clock.wall());
    return remedy;
  } catch (second) {
    // Without a log there is nothing that a state could be made to fit.
    if (part === 'state' && damagedPart(second) === 'log') return repair(second, hasPeers, options);
    throw second;
  }
}

/** Damage of the log that only a peer can see: it is older than what this node has acknowledged. */
export function forgottenLog({ term, index }: EntryId, by: string): RollcallError {
  return new RollcallError(
    'dataDamaged',
    `It lacks what this node has acknowledged up to entry ${index} in term ${term}, as "${by}" remembers: ` +
      'an older copy of the data directory, or of a part of it, was put in its place, or the disk forgets',
    { details: { part: 'log' } },
  );
}

function hopeless(error: RollcallError): RollcallError {
  const { message, details } = error;
  return new RollcallError(
    'dataDamaged',
    `${message}. Nothing was changed; keep the data directory aside and replace this member`,
    { details, cause: error },
  );
}

async function refuseRepetition(
  error: RollcallError,
  { files, clock }: RepairOptions,
): Promise<void> {
  const repairedMs = await readRepairNote(files);
  if (repairedMs === null || Math.abs(clock.wall() - repairedMs) >= hourMs) return;
  throw new RollcallError(
    'dataDamaged',
    `Damaged again within an hour, so it is not repaired again: ${error.message}. Look for the cause in ` +
      `disk and memory; without the file "${repairNotePath}" in the data directory it will be tried again`,
    { cause: error },
  );
}

async function remedyOf(
  part: DamagedPart,
  { message }: RollcallError,
  { files, log, name, failpoint }: RepairOptions,
): Promise<Remedy> {
  const isState = part === 'state';
  const kept = await (isState ? renewState(files, failpoint) : setMemberAside(files, failpoint));
  const next = isState
    ? 'it is made anew, from the log or by another member, and nothing is served until it is here'
    : 'this node asks under a new id to be taken in again, and takes part in no birth of a cluster';
  const where = kept.length === 0 ? 'Nothing was left to keep' : `Kept as ${kept.join(', ')}`;
  log.warn(
    { part, kept },
    `The ${part} of node "${name}" is damaged: ${message}. ${where}; ${next}`,
  );
  return isState ? 'reopen' : 'rejoin';
}
