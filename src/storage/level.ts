/**
 * Level behind the seam. Batches are built in slices, so that a big one does not hold the event loop,
 * and always written with `sync`: LevelDB rotates its log without syncing it, so that after unsynced
 * writes a power cut could leave newer records without older ones.
 */
import { Level as LevelDatabase } from 'level';
import { RollcallError } from '../base/errors.ts';
import { damaged } from './damage.ts';
import type { Level, LevelChange } from './types.ts';

const mebi = 1024 * 1024;
const sliceRecords = 1024;
const sliceBytes = mebi;
const pageRecords = 1000;
const pageBytes = 256 * 1024;

export interface LevelOptions {
  /**
   * How much LevelDB gathers before it makes a table of it and begins another log. 16 MiB unless given,
   * as large as a generation: each becomes about one table, instead of several to be merged again.
   */
  readonly writeBufferBytes?: number;
}

/** Opens or creates the database in this directory of the file system. */
export async function openLevel(directory: string, options: LevelOptions = {}): Promise<Level> {
  const database: Database = new LevelDatabase<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: options.writeBufferBytes ?? 16 * mebi,
  });
  try {
    await database.open();
  } catch (cause) {
    if (isLocked(cause)) {
      throw new RollcallError('dataDirectory', `The database ${directory} is in use`, { cause });
    }
    if (!hasCode(cause, 'LEVEL_CORRUPTION')) {
      throw new RollcallError('storageFailed', `Cannot open ${directory}`, { cause });
    }
    throw damaged(directory, 0, 'the database cannot be opened', cause);
  }
  return new NodeLevel(directory, database);
}

/** Whether an error of Level's `open` says that the directory is in use. */
export function isLocked(error: unknown): boolean {
  return hasCode(error, 'LEVEL_LOCKED');
}

function hasCode(error: unknown, code: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && at.code === code) return true;
  }
  return false;
}

/** Not a Buffer, whose `slice` would share the bytes. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

type Database = LevelDatabase<Uint8Array, Uint8Array>;

class NodeLevel implements Level {
  readonly #directory: string;
  readonly #database: Database;

  constructor(directory: string, database: Database) {
    this.#directory = directory;
    this.#database = database;
  }

  get(key: string): Uint8Array | null {
    try {
      const found = this.#database.getSync(Buffer.from(key, 'latin1'));
      return found === undefined ? null : plain(found);
    } catch (error) {
      throw this.#failed('read', error);
    }
  }

  async write(changes: Iterable<LevelChange>): Promise<void> {
    try {
      const batch = this.#database.batch();
      let records = 0;
      let bytes = 0;
      for (const [key, value] of changes) {
        if (value === null) batch.del(Buffer.from(key, 'latin1'));
        else batch.put(Buffer.from(key, 'latin1'), value);
        records++;
        bytes += key.length + (value?.length ?? 0);
        if (records < sliceRecords && bytes < sliceBytes) continue;
        records = 0;
        bytes = 0;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await batch.write({ sync: true });
    } catch (error) {
      throw this.#failed('write', error);
    }
  }

  async *pages(from: string, to: string): AsyncIterable<(readonly [string, Uint8Array])[]> {
    const iterator = this.#database.iterator({
      gte: Buffer.from(from, 'latin1'),
      lt: Buffer.from(to, 'latin1'),
      highWaterMarkBytes: pageBytes,
    });
    try {
      for (;;) {
        const page = await iterator.nextv(pageRecords);
        if (page.length === 0) return;
        yield page.map(([key, value]) => [Buffer.from(key).toString('latin1'), plain(value)]);
      }
    } catch (error) {
      throw this.#failed('read', error);
    } finally {
      await iterator.close();
    }
  }

  async close(): Promise<void> {
    try {
      await this.#database.close();
    } catch (error) {
      throw this.#failed('close', error);
    }
  }

  #failed(operation: string, cause: unknown): RollcallError {
    return new RollcallError('storageFailed', `Cannot ${operation} ${this.#directory}`, { cause });
  }
}
