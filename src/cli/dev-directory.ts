/** The data directory of `rollcall dev`: one directory and one log for each node, and what they are. */
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { RollcallError } from '../base/errors.ts';
import type { PlanOptions } from './dev-plan.ts';

/** Says that the directory is ours, and with which nodes and ports its cluster was born. */
const markName = 'dev.json';
const nodeDirectory = /^n\d$/;
const nodeEntry = /^n\d(\.log)?$/;

/**
 * The directory, held by this process alone from `open` to `release`, so that nothing in it is started
 * or deleted under a cluster that runs there. The lock ends with the process however it dies.
 */
export class DevDirectory {
  readonly #path: string;
  readonly #options: PlanOptions;
  readonly #lock: { release(): Promise<void> };

  private constructor(path: string, options: PlanOptions, lock: { release(): Promise<void> }) {
    this.#path = path;
    this.#options = options;
    this.#lock = lock;
  }

  /**
   * Creates it when it is missing. Throws `dataDirectory`, with nothing changed, when it cannot be used,
   * holds what no `rollcall dev` has made, or another one has it.
   */
  static async open(options: PlanOptions): Promise<DevDirectory> {
    const path = resolve(options.dataDirectory);
    return attempt(path, async () => {
      await mkdir(path, { recursive: true });
      await access(path, constants.W_OK);
      const entries = await readdir(path);
      if (entries.length > 0 && !entries.includes(markName)) {
        const message = `${path} is not empty and was not made by rollcall dev: choose another --data-dir`;
        throw new RollcallError('dataDirectory', message);
      }
      // Before the lock, whose files would make the directory look like someone else's.
      if (entries.length === 0) await writeMark(path, options);
      const lockDirectory = await loadLock();
      return new DevDirectory(path, options, await lockDirectory(path, 'another `rollcall dev`'));
    });
  }

  /**
   * Makes it ready for the plan; with `isFresh` what an earlier run left there is deleted first. Throws
   * `dataDirectory`, with nothing changed, when it was born with another plan or a node of it still runs.
   */
  async prepare(isFresh: boolean): Promise<void> {
    await attempt(this.#path, async () => {
      const entries = await readdir(this.#path);
      const nodes = entries.filter((entry) => nodeDirectory.test(entry));
      if (isFresh) await this.#clear(entries, nodes);
      else if (nodes.length > 0) await this.#checkMark(nodes);
      await writeMark(this.#path, this.#options);
    });
  }

  release(): Promise<void> {
    return this.#lock.release();
  }

  /** Members and addresses stand in the stored state, so that they cannot change from run to run. */
  async #checkMark(stored: readonly string[]): Promise<void> {
    const { nodes, port } = this.#options;
    const mark = await readFile(join(this.#path, markName), 'utf8');
    const born = JSON.parse(mark) as { readonly nodes: number; readonly port: number };
    if (born.nodes === nodes && born.port === port) return;
    throw new RollcallError(
      'dataDirectory',
      `${this.#path} holds a cluster born with --nodes ${born.nodes} --port ${born.port}, ` +
        'which cannot change: say these, or choose another --data-dir ' +
        `(--fresh would delete ${stored.join(', ')} with all that was ever written to them)`,
    );
  }

  async #clear(entries: readonly string[], nodes: readonly string[]): Promise<void> {
    // A node may outlive the process that started it, or have been started by hand.
    const lockDirectory = await loadLock();
    for (const node of nodes) await (await lockDirectory(join(this.#path, node))).release();
    for (const entry of entries) {
      if (!nodeEntry.test(entry)) continue;
      await rm(join(this.#path, entry), { recursive: true, force: true });
    }
  }
}

/** Loaded when needed, so that the commands of the client start without the database. */
async function loadLock() {
  const { lockDirectory } = await import('../storage/directory-lock.ts');
  return lockDirectory;
}

async function writeMark(path: string, { nodes, port }: PlanOptions): Promise<void> {
  await writeFile(join(path, markName), `${JSON.stringify({ nodes, port })}\n`);
}

async function attempt<T>(path: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof RollcallError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new RollcallError('dataDirectory', `${path} cannot be used: ${reason}`, { cause: error });
  }
}
