/** The data directory of `rollcall dev`: one directory and one log for each node, and what they are. */
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RollcallError } from '../base/errors.ts';
import type { PlanOptions } from './dev-plan.ts';

/** Says that the directory is ours, and with which nodes and ports its cluster was born. */
const markName = 'dev.json';

/**
 * Makes the directory ready for a plan. With `isFresh` what an earlier run left there is deleted first;
 * a directory that no such run has made is never touched.
 */
export async function prepareDirectory(options: PlanOptions, isFresh: boolean): Promise<void> {
  const path = resolve(options.dataDirectory);
  const markPath = join(path, markName);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.W_OK);
    const mark = await readFile(markPath, 'utf8').catch(() => null);
    const entries = await readdir(path);
    if (mark === null && entries.length > 0) {
      const message = `${path} is not empty and was not made by rollcall dev: choose another --data-dir`;
      throw new RollcallError('dataDirectory', message);
    }
    if (mark !== null && !isFresh) checkMark(path, mark, options);
    if (mark !== null && isFresh) await clear(path, entries);
    await writeFile(markPath, `${JSON.stringify({ nodes: options.nodes, port: options.port })}\n`);
  } catch (error) {
    if (error instanceof RollcallError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new RollcallError('dataDirectory', `${path} cannot be used: ${reason}`, { cause: error });
  }
}

/** Members and addresses stand in the stored state, so that they cannot change from run to run. */
function checkMark(path: string, mark: string, { nodes, port }: PlanOptions): void {
  const born = JSON.parse(mark) as { readonly nodes: number; readonly port: number };
  if (born.nodes === nodes && born.port === port) return;
  throw new RollcallError(
    'dataDirectory',
    `${path} belongs to --nodes ${born.nodes} --port ${born.port}: say so, or begin anew with --fresh`,
  );
}

async function clear(path: string, entries: readonly string[]): Promise<void> {
  for (const entry of entries) {
    if (!/^n\d(\.log)?$/.test(entry)) continue;
    await rm(join(path, entry), { recursive: true, force: true });
  }
}
