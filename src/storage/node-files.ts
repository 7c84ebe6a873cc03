/** The Files seam over `node:fs`. All calls are asynchronous: nothing here holds the event loop. */
import * as fs from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RollcallError } from '../base/errors.ts';
import { type DirectoryLock, lockDirectory } from './directory-lock.ts';
import { diskError } from './disk-error.ts';
import type { File, Files } from './types.ts';

const { O_CREAT, O_DSYNC, O_RDWR } = fs.constants;

/**
 * Opens a data directory for this process alone and creates it when it is missing. Throws
 * `dataDirectory` when it cannot be used or another process has it.
 */
export async function openNodeFiles(directory: string): Promise<Files> {
  const root = resolve(directory);
  try {
    const created = await fs.promises.mkdir(root, { recursive: true, mode: 0o700 });
    for (let at = root; created !== undefined && at.length >= created.length; at = dirname(at)) {
      await syncPath(dirname(at));
    }
    await fs.promises.access(root, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : '';
    throw new RollcallError('dataDirectory', `Cannot use the data directory ${root}${reason}`, {
      cause,
    });
  }
  return new NodeFiles(root, await lockDirectory(root));
}

class NodeFiles implements Files {
  readonly #root: string;
  readonly #lock: DirectoryLock;

  constructor(root: string, lock: DirectoryLock) {
    this.#root = root;
    this.#lock = lock;
  }

  async open(path: string, options: { readonly create: boolean }): Promise<File | null> {
    const place = join(this.#root, path);
    try {
      return new NodeFile(place, await openDescriptor(place, options.create ? O_CREAT : 0));
    } catch (error) {
      if (!options.create && isMissing(error)) return null;
      throw diskError('open', place, error);
    }
  }

  async list(path: string): Promise<readonly string[]> {
    const place = join(this.#root, path);
    try {
      return (await fs.promises.readdir(place)).sort();
    } catch (error) {
      if (isMissing(error)) return [];
      throw diskError('list', place, error);
    }
  }

  async makeDirectory(path: string): Promise<void> {
    const place = join(this.#root, path);
    try {
      await fs.promises.mkdir(place, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw diskError('create', place, error);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    try {
      await fs.promises.rename(join(this.#root, from), join(this.#root, to));
    } catch (error) {
      throw diskError('rename', join(this.#root, from), error);
    }
  }

  async remove(path: string): Promise<void> {
    try {
      await fs.promises.rm(join(this.#root, path), { force: true });
    } catch (error) {
      throw diskError('remove', join(this.#root, path), error);
    }
  }

  async removeDirectory(path: string): Promise<void> {
    try {
      await fs.promises.rm(join(this.#root, path), { recursive: true, force: true });
    } catch (error) {
      throw diskError('remove', join(this.#root, path), error);
    }
  }

  async freeBytes(): Promise<number> {
    try {
      const { bavail, bsize } = await fs.promises.statfs(this.#root);
      return bavail * bsize;
    } catch (error) {
      throw diskError('measure', this.#root, error);
    }
  }

  async syncDirectory(path: string): Promise<void> {
    const place = join(this.#root, path);
    try {
      await syncPath(place);
    } catch (error) {
      throw diskError('sync', place, error);
    }
  }

  close(): Promise<void> {
    return this.#lock.release();
  }
}

class NodeFile implements File {
  readonly #path: string;
  readonly #descriptor: number;
  /** A second descriptor on the same file whose writes are durable when they return. */
  #durable: Promise<number> | null = null;

  constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => {
        if (error) reject(diskError('measure', this.#path, error));
        else resolve(stats.size);
      });
    });
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    // Not a Buffer, whose `slice` would share the bytes.
    const bytes = new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
    let filled = 0;
    while (filled < length) {
      const count = await this.#readOnce(bytes, filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  }

  write(position: number, bytes: Uint8Array): Promise<void> {
    return this.#writeAll(this.#descriptor, position, bytes);
  }

  async writeDurably(position: number, bytes: Uint8Array): Promise<void> {
    this.#durable ??= openDescriptor(this.#path, O_DSYNC).catch((error: unknown) => {
      throw diskError('open', this.#path, error);
    });
    await this.#writeAll(await this.#durable, position, bytes);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => {
        if (error) reject(diskError('sync', this.#path, error));
        else resolve();
      });
    });
  }

  async close(): Promise<void> {
    const durable = this.#durable;
    this.#durable = null;
    if (durable !== null) await closeDescriptor(await durable, this.#path);
    await closeDescriptor(this.#descriptor, this.#path);
  }

  #readOnce(bytes: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const length = bytes.length - offset;
      fs.read(this.#descriptor, bytes, offset, length, position, (error, count) => {
        if (error) reject(diskError('read', this.#path, error));
        else resolve(count);
      });
    });
  }

  /** The operating system may take less than it was given. */
  #writeAll(descriptor: number, position: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (done: number): void => {
        fs.write(descriptor, bytes, done, bytes.length - done, position + done, (error, count) => {
          if (error) reject(diskError('write', this.#path, error));
          else if (done + count < bytes.length) next(done + count);
          else resolve();
        });
      };
      next(0);
    });
  }
}

function openDescriptor(path: string, flags: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.open(path, O_RDWR | flags, 0o600, (error, descriptor) => {
      if (error) reject(error);
      else resolve(descriptor);
    });
  });
}

function closeDescriptor(descriptor: number, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.close(descriptor, (error) => {
      if (error) reject(diskError('close', path, error));
      else resolve();
    });
  });
}

async function syncPath(directory: string): Promise<void> {
  const handle = await fs.promises.open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
