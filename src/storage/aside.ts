import type { ReachFailpoint } from './failpoints.ts';
import type { Files } from './types.ts';

/** Where damaged files are kept for people to look at: beside their place, one generation of them. */
export function asideOf(path: string): string {
  return `${path.split('/')[0]}.damaged`;
}

/**
 * Moves a file or directory of the data directory, or `state/<n>`, aside under the name of its first
 * part and `.damaged`, for good when it resolves. What was set aside there before is removed. Does
 * nothing when there is nothing: so after a crash it is simply done again.
 */
export async function setAside(
  files: Files,
  path: string,
  failpoint: ReachFailpoint,
): Promise<void> {
  const at = path.lastIndexOf('/');
  const parent = path.slice(0, Math.max(at, 0));
  if (!(await files.list(parent)).includes(path.slice(at + 1))) return;
  const aside = asideOf(path);
  await failpoint('aside.begin');
  await files.removeDirectory(aside);
  await files.syncDirectory('');
  await failpoint('aside.cleared');
  await files.rename(path, aside);
  await failpoint('aside.moved');
  // The new name first: at no time may a power cut leave none.
  await files.syncDirectory('');
  if (parent !== '') await files.syncDirectory(parent);
}
