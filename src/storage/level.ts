/**
 * Level behind the seam. Batches are built in slices, so that a big one does not hold the event loop,
 * and always written with `sync`: LevelDB rotates its log without syncing it, so that after unsynced
 * writes a power cut could leave newer records without older ones.
 */
import { Level as LevelDatabase } from 'level';
import { RollcallError } from '../base/errors.ts';
import { damaged } from './damage.ts';
import { diskError } from './disk-error.ts';
import type { Level, LevelChange, LevelReading, StoredRecord } from './types.ts';

const mebi = 1024 * 1024;
/** How long a slice of a batch may hold the loop. */
const sliceMsMin = 0.3;
const sliceMsMax = 5;
/** Of the time that the loop spends on all else between two slices. */
const sliceShare = 0.25;
const pageRecords = 1000;
const pageBytes = 256 * 1024;
/**
 * LevelDB writes each block with a call of its own, and the system pays for each that ends within a
 * page: a quarter of the processor time of a put went there with the 4 KiB it takes by itself.
 */
const blockBytes = 32 * 1024;

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
    blockSize: blockBytes,
  });
  try {
    await database.open();
  } catch (cause) {
    if (isLocked(cause)) {
      throw new RollcallError('dataDirectory', `The database ${directory} is in use`, { cause });
    }
    if (!hasCode(cause, 'LEVEL_CORRUPTION') && !missesFile(cause)) {
      throw diskError('open', directory, cause);
    }
    throw damaged('state', directory, 0, 'the database cannot be opened', cause);
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

/** A file that others lead to is not there; LevelDB has only the operating system's words for it. */
function missesFile(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at.message.includes('No such file or directory')) return true;
  }
  return false;
}

/** Not a Buffer, whose `slice` would share the bytes. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

type Database = LevelDatabase<Uint8Array, Uint8Array>;

type Snapshot = ReturnType<Database['snapshot']>;

class NodeLevel implements Level {
  readonly #directory: string;
  readonly #database: Database;

  constructor(directory: string, database: Database) {
    this.#directory = directory;
    this.#database = database;
  }

  get(key: string): Uint8Array | null {
    return read(this.#directory, this.#database, key, undefined);
  }

  async write(changes: Iterable<LevelChange>): Promise<void> {
    try {
      const batch = this.#database.batch();
      const pace = new SlicePace();
      for (const [key, value] of changes) {
        if (value === null) batch.del(Buffer.from(key, 'latin1'));
        else batch.put(Buffer.from(key, 'latin1'), value);
        if (pace.isOver()) await pace.rest();
      }
      await batch.write({ sync: true });
    } catch (error) {
      throw failed('write', this.#directory, error);
    }
  }

  pages(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    return pages(this.#directory, this.#database, from, to, undefined);
  }

  snapshot(): LevelReading {
    try {
      return new NodeLevelSnapshot(this.#directory, this.#database, this.#database.snapshot());
    } catch (error) {
      throw failed('read', this.#directory, error);
    }
  }

  async close(): Promise<void> {
    try {
      await this.#database.close();
    } catch (error) {
      throw failed('close', this.#directory, error);
    }
  }
}

/**
 * Cuts what would hold the loop into slices. Where the loop has little else to do they are short, so
 * that nobody waits; where each turn of it takes long they grow with it, or the batch, and with it the
 * memory that waits for it, would fall behind what is written.
 */
class SlicePace {
  #startMs = performance.now();
  #sliceMs = sliceMsMin;

  isOver(): boolean {
    return performance.now() - this.#startMs >= this.#sliceMs;
  }

  async rest(): Promise<void> {
    const restMs = performance.now();
    await new Promise((resolve) => setImmediate(resolve));
    this.#startMs = performance.now();
    const share = (this.#startMs - restMs) * sliceShare;
    this.#sliceMs = Math.min(Math.max(share, sliceMsMin), sliceMsMax);
  }
}

class NodeLevelSnapshot implements LevelReading {
  readonly #directory: string;
  readonly #database: Database;
  readonly #snapshot: Snapshot;

  constructor(directory: string, database: Database, snapshot: Snapshot) {
    this.#directory = directory;
    this.#database = database;
    this.#snapshot = snapshot;
  }

  get(key: string): Uint8Array | null {
    return read(this.#directory, this.#database, key, this.#snapshot);
  }

  pages(from: string, to: string): AsyncIterable<readonly StoredRecord[]> {
    return pages(this.#directory, this.#database, from, to, this.#snapshot);
  }

  async close(): Promise<void> {
    try {
      await this.#snapshot.close();
    } catch (error) {
      throw failed('close', this.#directory, error);
    }
  }
}

function read(
  directory: string,
  database: Database,
  key: string,
  snapshot: Snapshot | undefined,
): Uint8Array | null {
  try {
    const found = database.getSync(Buffer.from(key, 'latin1'), { snapshot });
    return found === undefined ? null : plain(found);
  } catch (error) {
    throw failed('read', directory, error);
  }
}

async function* pages(
  directory: string,
  database: Database,
  from: string,
  to: string,
  snapshot: Snapshot | undefined,
): AsyncIterable<readonly StoredRecord[]> {
  const iterator = database.iterator({
    gte: Buffer.from(from, 'latin1'),
    lt: Buffer.from(to, 'latin1'),
    highWaterMarkBytes: pageBytes,
    snapshot,
  });
  try {
    for (;;) {
      const page = await iterator.nextv(pageRecords);
      if (page.length === 0) return;
      yield page.map(([key, value]) => [Buffer.from(key).toString('latin1'), plain(value)]);
    }
  } catch (error) {
    throw failed('read', directory, error);
  } finally {
    await iterator.close();
  }
}

function failed(operation: string, directory: string, cause: unknown): RollcallError {
  if (!hasCode(cause, 'LEVEL_CORRUPTION')) return diskError(operation, directory, cause);
  return damaged('state', directory, 0, 'the database cannot be read', cause);
}
