import { randomBytes } from 'node:crypto';
import { unlinkSync } from 'node:fs';
import { type FileHandle, link, open, rename, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { RollcallError } from '../client/index.ts';
import { UsageError } from './usage-error.ts';

/**
 * A file that appears under its name once it is whole and durable. Until then it is a part beside it, whose
 * name nobody else uses: of several that write to the same file at once, one is there in the end as a whole.
 */
export class TargetFile {
  readonly #path: string;
  readonly #replaces: boolean;
  readonly #part: string;
  readonly #handle: FileHandle;

  private constructor(path: string, replaces: boolean, part: string, handle: FileHandle) {
    this.#path = path;
    this.#replaces = replaces;
    this.#part = part;
    this.#handle = handle;
  }

  /**
   * Throws a `UsageError` when the file exists and is not to be replaced, and `invalidArgument`, which all
   * methods may throw, with the reason why it cannot be written.
   */
  static async open(path: string, replaces: boolean): Promise<TargetFile> {
    // What cannot be looked at is refused with its reason when the part is opened.
    const found = await stat(path).catch(() => null);
    if (found?.isDirectory()) throw unusable(`${path} is a directory`);
    if (found !== null && !replaces) throw new UsageError(`${path} exists; --force replaces it`);
    if (found !== null && !found.isFile()) throw unusable(`${path} is not a regular file`);
    const part = `${path}.${randomBytes(4).toString('hex')}.part`;
    // For its owner alone, as it holds all that is in the cluster.
    const handle = await attempt(path, open(part, 'wx', 0o600));
    return new TargetFile(path, replaces, part, handle);
  }

  async write(bytes: Uint8Array): Promise<void> {
    await attempt(this.#path, this.#handle.writeFile(bytes));
  }

  /** The file is there and durable when it resolves. */
  async publish(): Promise<void> {
    await attempt(this.#path, this.#handle.sync());
    if (this.#replaces) await attempt(this.#path, rename(this.#part, this.#path));
    else await this.#link();
    await attempt(this.#path, syncDirectory(dirname(resolve(this.#path))));
  }

  /** Removes the part at once, also while something is written to it. */
  remove(): void {
    try {
      unlinkSync(this.#part);
    } catch {
      // It is the file by now, or was removed before.
    }
  }

  /** Lets go of the file; what was not published is removed. */
  async close(): Promise<void> {
    this.remove();
    await this.#handle.close();
  }

  /** Unlike a rename this fails when somebody else was faster. */
  async #link(): Promise<void> {
    try {
      await link(this.#part, this.#path);
    } catch (cause) {
      const code = codeOf(cause);
      if (code === 'EEXIST') {
        const message = `${this.#path} was made by somebody else meanwhile; --force replaces it`;
        throw new UsageError(message, { cause });
      }
      if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') {
        const message = `${this.#path} cannot be made on a file system without links but by --force`;
        throw unusable(message, cause);
      }
      throw refusal(this.#path, cause);
    }
    this.remove();
  }
}

async function attempt<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw refusal(path, cause);
  }
}

/** Names the file, whatever the system calls the part. */
function refusal(path: string, cause: unknown): unknown {
  const code = codeOf(cause);
  if (code === null) return cause;
  if (code === 'ENOENT')
    return unusable(`${path} cannot be written: its directory is missing`, cause);
  const [, reason] = [...getSystemErrorMap().values()].find(([name]) => name === code) ?? [];
  return unusable(`${path} cannot be written: ${reason ?? code}`, cause);
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : null;
}

function unusable(message: string, cause?: unknown): RollcallError {
  return new RollcallError('invalidArgument', message, { cause });
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
