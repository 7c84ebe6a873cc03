/**
 * The directories that hold states, numbered from 1. Which one is the current one is said by the log
 * alone; any other is left over from an install that did not happen, or that has happened.
 */
import type { Files } from './types.ts';

export const statesDirectory = 'state';

export function statePath(number: number): string {
  return `${statesDirectory}/${number}`;
}

/** In ascending order. */
export async function listStates(files: Files): Promise<readonly number[]> {
  const names = await files.list(statesDirectory);
  return names
    .filter((name) => /^[1-9][0-9]{0,14}$/.test(name))
    .map(Number)
    .sort((left, right) => left - right);
}

/** An empty directory, durable when it resolves. Does nothing when it exists. */
export async function makeState(files: Files, number: number): Promise<void> {
  await files.makeDirectory(statesDirectory);
  await files.makeDirectory(statePath(number));
  await files.syncDirectory(statesDirectory);
  await files.syncDirectory('');
}

/** The removal is durable when it resolves. */
export async function removeState(files: Files, number: number): Promise<void> {
  await files.removeDirectory(statePath(number));
  await files.syncDirectory(statesDirectory);
}

export async function removeOtherStates(files: Files, current: number): Promise<void> {
  for (const number of await listStates(files)) {
    if (number !== current) await removeState(files, number);
  }
}
