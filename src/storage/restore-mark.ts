/**
 * Says that a restore fills the data directory: the first that is written to it and the last that goes.
 * Without it, what an interrupted restore has left would look like an empty directory at first, in which
 * a node begins a new cluster, and then like a damaged one. All that lies beside the mark is the
 * restore's own, as it begins in an empty directory; so whoever restores again may clear it.
 */
import { assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import { removeIdentity } from './identity.ts';
import { statesDirectory } from './state-directory.ts';
import type { Files } from './types.ts';
import { walDirectory } from './wal/segment.ts';

export const restoreMarkPath = 'restoring';

/** Marks the directory and clears what an interrupted restore has left; durable when it resolves. */
export async function beginRestore(files: Files): Promise<void> {
  const file = await files.open(restoreMarkPath, { create: true });
  assert(file !== null, 'A file that is created is there');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  await files.syncDirectory('');
  await clear(files);
}

/** The directory is a member's, whole and durable; that it is no longer marked is durable when it resolves. */
export async function endRestore(files: Files): Promise<void> {
  await files.remove(restoreMarkPath);
  await files.syncDirectory('');
}

/** The restore has failed: nothing of it is left when it resolves. */
export async function abandonRestore(files: Files): Promise<void> {
  await clear(files);
  await endRestore(files);
}

/** Throws `dataDirectory` for a directory that a restore was filling when it was interrupted. */
export async function refuseRestoring(files: Files): Promise<void> {
  if (!(await files.list('')).includes(restoreMarkPath)) return;
  throw new RollcallError(
    'dataDirectory',
    'A restore of this data directory was interrupted: restore again into an empty directory, or ' +
      'into this one',
  );
}

async function clear(files: Files): Promise<void> {
  await removeIdentity(files);
  await files.removeDirectory(statesDirectory);
  await files.removeDirectory(walDirectory);
  await files.syncDirectory('');
}
