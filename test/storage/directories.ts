/** Directories of the file system that a test gives back. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function makeTemporaryDirectory(): Promise<{
  readonly path: string;
  remove(): Promise<void>;
}> {
  const path = await mkdtemp(join(tmpdir(), 'rollcall-storage-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
