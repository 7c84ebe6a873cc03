import { assert } from '../../base/assert.ts';
import type { ReachFailpoint } from '../failpoints.ts';
import type { File, Files } from '../types.ts';
import { zeroRange } from './scan.ts';
import { segmentPath, walDirectory } from './segment.ts';

export interface PrepareOptions {
  readonly files: Files;
  readonly failpoint: ReachFailpoint;
  /** Of the log; there is another one only while a damaged log is replaced. */
  readonly directory?: string;
}

/**
 * The file of a segment that has not begun: full of zeros, synced, and only then under its name, so
 * that a segment file which is too short is damage. One that a torn append left there is wiped.
 */
export async function prepareSegment(
  { files, failpoint, directory = walDirectory }: PrepareOptions,
  number: number,
  bytes: number,
): Promise<File> {
  const path = segmentPath(number, directory);
  const existing = await files.open(path, { create: false });
  if (existing !== null) {
    await fill(existing, bytes);
    await files.syncDirectory(directory);
    return existing;
  }
  const unfinishedPath = `${directory}/unfinished`;
  const unfinished = await files.open(unfinishedPath, { create: true });
  assert(unfinished !== null, 'A file that is created is there');
  await fill(unfinished, bytes);
  await unfinished.close();
  await failpoint('segment.filled');
  await files.rename(unfinishedPath, path);
  await files.syncDirectory(directory);
  const file = await files.open(path, { create: false });
  assert(file !== null, () => `${path} was just made`);
  await failpoint('segment.prepared');
  return file;
}

async function fill(file: File, bytes: number): Promise<void> {
  try {
    await zeroRange(file, 0, Math.max(bytes, await file.size()));
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
