/**
 * One process per data directory. Node itself has no file locks, and a file with a process id cannot
 * be trusted: ids are reused, and two processes may take over a stale one at the same time. LevelDB
 * does hold a lock of the operating system on its directory, which ends with the process however it
 * dies; so an empty database of its own is the lock. The process id beside it is for the message only.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { RollcallError } from '../base/errors.ts';
import { isLocked } from './level.ts';

export interface DirectoryLock {
  release(): Promise<void>;
}

/**
 * Throws `dataDirectory`, naming the directory and the process that has it, when it is taken. `holder`
 * is what such a process would be.
 */
export async function lockDirectory(
  directory: string,
  holder = 'another process',
): Promise<DirectoryLock> {
  const place = join(directory, 'lock');
  const owner = join(place, 'pid');
  const database = await openLock(directory, place).catch(async (error: unknown) => {
    if (!isLocked(error)) throw error;
    const pid = await readFile(owner, 'utf8').catch(() => 'unknown');
    throw new RollcallError(
      'dataDirectory',
      `The data directory ${directory} is in use by ${holder}, pid ${pid.trim()}`,
      { cause: error },
    );
  });
  await writeFile(owner, `${process.pid}\n`, { mode: 0o600 });
  return { release: () => database.close() };
}

async function openLock(directory: string, place: string): Promise<Level> {
  try {
    return await openEmpty(place);
  } catch (error) {
    if (isLocked(error)) throw error;
    // Nothing is ever stored in it, so one that cannot be opened is simply made anew.
    try {
      await rm(place, { recursive: true, force: true });
      return await openEmpty(place);
    } catch (second) {
      if (isLocked(second)) throw second;
      throw new RollcallError('dataDirectory', `Cannot lock the data directory ${directory}`, {
        cause: second,
      });
    }
  }
}

async function openEmpty(place: string): Promise<Level> {
  const database = new Level(place, { cacheSize: 0, writeBufferSize: 64 * 1024 });
  await database.open();
  return database;
}
