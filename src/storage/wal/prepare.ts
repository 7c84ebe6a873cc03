import { assert } from '../../base/assert.ts';
import { isDiskFull } from '../disk-error.ts';
import type { ReachFailpoint } from '../failpoints.ts';
import type { Space } from '../space.ts';
import type { File, Files } from '../types.ts';
import { zeroRange } from './scan.ts';
import { segmentPath, walDirectory } from './segment.ts';

const unfinishedPath = `${walDirectory}/unfinished`;

export interface PrepareOptions {
  readonly files: Files;
  readonly failpoint: ReachFailpoint;
  /** Where a full disk is waited for instead of failing. */
  readonly space?: Space;
}

/**
 * The file of a segment that has not begun: full of zeros, synced, and only then under its name, so
 * that a segment file which is too short is damage. One that a torn append left there is wiped.
 */
export async function prepareSegment(
  options: PrepareOptions,
  number: number,
  bytes: number,
): Promise<File> {
  const { files, failpoint } = options;
  const path = segmentPath(number);
  const existing = await files.open(path, { create: false });
  if (existing !== null) {
    await fill(existing, bytes);
    await files.syncDirectory(walDirectory);
    return existing;
  }
  await makeFilled(options, unfinishedPath, bytes);
  await failpoint('segment.filled');
  await files.rename(unfinishedPath, path);
  await files.syncDirectory(walDirectory);
  const file = await files.open(path, { create: false });
  assert(file !== null, () => `${path} was just made`);
  await failpoint('segment.prepared');
  return file;
}

async function makeFilled(
  { files, space }: PrepareOptions,
  path: string,
  bytes: number,
): Promise<void> {
  for (;;) {
    await space?.wait(bytes);
    const file = await files.open(path, { create: true });
    assert(file !== null, 'A file that is created is there');
    try {
      await fill(file, bytes);
      await file.close();
      return;
    } catch (error) {
      if (space === undefined || !isDiskFull(error)) throw error;
      // Others need what little there is more.
      await files.remove(path);
      await space.pause();
    }
  }
}

async function fill(file: File, bytes: number): Promise<void> {
  try {
    await zeroRange(file, 0, Math.max(bytes, await file.size()));
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
