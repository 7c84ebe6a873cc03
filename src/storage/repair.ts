/**
 * What a member does about damage before it opens its storage again. Nothing is deleted: what was bad
 * is kept beside its place as `state.damaged`, `wal.damaged` and `identity.damaged` until the next
 * damage of the same part. Each of these can be interrupted anywhere and done again.
 *
 * There is no repair of a log alone. What a member has promised is lost with it, so its id must never
 * vote again; and a member that begins anew under another id needs no care but that.
 */
import { asideOf, setAside } from './aside.ts';
import { damaged } from './damage.ts';
import type { ReachFailpoint } from './failpoints.ts';
import { identityPath } from './identity.ts';
import { makeState, statePath, statesDirectory } from './state-directory.ts';
import type { Files } from './types.ts';
import { walDirectory } from './wal/segment.ts';
import { readCurrentState } from './wal/segments.ts';

/**
 * The identity first: from then on nobody votes under it. The log last: until then the identity is
 * found to be missing, and the rest is done again.
 */
const parts = [identityPath, statesDirectory, walDirectory];

/**
 * Sets the current state aside and begins an empty one. The log stays as it is; when it leads to the
 * state from the beginning, the member makes the state anew, otherwise the storage opens with
 * `isStateMissing`. Returns where the bad one is kept, if there was anything of it. Throws `dataDamaged` when the log cannot say
 * which state is the current one.
 */
export async function renewState(
  files: Files,
  failpoint: ReachFailpoint = reach,
): Promise<readonly string[]> {
  const number = await readCurrentState(files);
  if (number === null) throw damaged('log', walDirectory, 0, 'it names no state');
  const path = statePath(number);
  await setAside(files, path, failpoint);
  await makeState(files, number);
  return await keptOf(files, [path]);
}

/**
 * Sets everything aside: the directory is nobody's afterwards, and a new member can be made in it. For
 * a damaged log, and for a damaged identity, without which log and state mean nothing. Returns where
 * all of it is kept.
 */
export async function setMemberAside(
  files: Files,
  failpoint: ReachFailpoint = reach,
): Promise<readonly string[]> {
  for (const path of parts) await setAside(files, path, failpoint);
  return await keptOf(files, parts);
}

/**
 * Whether something of a member was ever set aside here. A directory like that has belonged to a
 * cluster, or may have, so it must not be among those that begin a new one.
 */
export async function hasSetAside(files: Files): Promise<boolean> {
  return (await keptOf(files, parts)).length > 0;
}

async function keptOf(files: Files, paths: readonly string[]): Promise<readonly string[]> {
  const names = await files.list('');
  return paths.map(asideOf).filter((name) => names.includes(name));
}

function reach(): void {}
