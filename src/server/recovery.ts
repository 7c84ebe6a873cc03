/** A cluster of one member out of a backup, or out of the data directory of one that is left. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { RollcallError } from '../base/errors.ts';
import { formatHash } from '../base/hash.ts';
import { randomId } from '../base/prng.ts';
import {
  beginIncarnation,
  logExtentOf,
  type NewIncarnation,
  refuseRemoved,
} from '../node/new-incarnation.ts';
import { loadIdentity } from '../storage/identity.ts';
import { openLevel } from '../storage/level.ts';
import { openNodeFiles } from '../storage/node-files.ts';
import {
  abandonRestore,
  beginRestore,
  endRestore,
  refuseRestoring,
  restoreMarkPath,
} from '../storage/restore-mark.ts';
import { beginSeed, type Seed } from '../storage/seed.ts';
import { openStorage } from '../storage/storage.ts';
import type { Files, Identity, OpenLevel, Storage } from '../storage/types.ts';
import { readBackup } from './backup.ts';
import { systemClock, systemRandom } from './system-clock.ts';

export interface RestoreOptions {
  /** The backup. */
  readonly file: string;
  /** Missing or empty. */
  readonly dataDirectory: string;
  /** Of the member, which need not have been one of the backup's. */
  readonly name: string;
  /** Where the others find it. */
  readonly peerAddress: string;
  readonly clientAddress: string;
  /** Bytes of the file read since the last call. */
  readonly progress?: (bytes: number) => void;
}

/** What has become of a data directory. */
export interface RecoveryReport extends Omit<NewIncarnation, 'digest'> {
  readonly name: string;
  readonly digest: string;
}

/** What the data directory of a member says of it before anything is done to it. */
export interface RecoveryPlan {
  readonly name: string;
  readonly memberId: string;
  readonly clusterId: string;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** What the member itself knows to be committed; the entries beyond it count as well. */
  readonly commitIndex: number;
  /** The names of the others. */
  readonly others: readonly string[];
}

export interface Recovery {
  readonly plan: RecoveryPlan;
  /** Does it, once. */
  run(): Promise<RecoveryReport>;
  /** Lets the directory go. */
  close(): Promise<void>;
}

/**
 * Makes the data directory of a member that is the only voter of the backup's cluster. Throws
 * `dataDirectory` when there is something in it but an interrupted restore, which is cleared; `dataDamaged`
 * when the backup is not whole: then nothing is left in it.
 */
export async function restoreBackup(options: RestoreOptions): Promise<RecoveryReport> {
  const { dataDirectory } = options;
  await refuseUsed(dataDirectory);
  const files = await openNodeFiles(dataDirectory);
  try {
    // Another restore may have been faster: nobody comes in between any more.
    await refuseUsed(dataDirectory);
    await beginRestore(files);
    const begun = await restoreInto(options, files).catch(async (error: unknown) => {
      // What cannot be cleared stays marked. The error is what people have to know.
      await abandonRestore(files).catch(() => {});
      throw error;
    });
    await endRestore(files);
    return report(options.name, begun);
  } finally {
    await files.close();
  }
}

async function restoreInto(options: RestoreOptions, files: Files): Promise<NewIncarnation> {
  const { dataDirectory, peerAddress, clientAddress } = options;
  const identity = await seed(options, files);
  const storage = await open(files, dataDirectory, identity);
  try {
    const addresses = { peerAddress, clientAddress };
    return await begin({ files, identity, storage, addresses });
  } finally {
    await storage.close();
  }
}

/**
 * Opens the data directory of a member that does not run. Throws `dataDirectory` when it is nobody's, in
 * use, half restored or that of a member that was removed, `dataDamaged` when it is not whole.
 */
export async function openRecovery(dataDirectory: string): Promise<Recovery> {
  const entries = await entriesOf(dataDirectory);
  const isMarked = entries.includes(restoreMarkPath);
  if (!isMarked && !entries.includes('identity')) throw notBorn(dataDirectory);
  const files = await openNodeFiles(dataDirectory);
  try {
    await refuseRestoring(files);
    const identity = await loadIdentity(files);
    if (identity?.birth == null) throw notBorn(dataDirectory);
    const storage = await open(files, dataDirectory, identity);
    const { name } = identity;
    try {
      refuseRemoved(identity, storage);
    } catch (error) {
      await storage.close();
      throw error;
    }
    return {
      plan: planOf(identity, identity.birth.clusterId, storage),
      run: async () => report(name, await begin({ files, identity, storage, addresses: null })),
      close: async () => {
        await storage.close();
        await files.close();
      },
    };
  } catch (error) {
    await files.close();
    throw error;
  }
}

async function seed(options: RestoreOptions, files: Files): Promise<Identity> {
  const { file, dataDirectory, name, progress } = options;
  const made: { seed?: Seed } = {};
  try {
    await readBackup(file, {
      ...(progress === undefined ? {} : { progress }),
      header: async ({ state: header }) => {
        made.seed = await beginSeed({
          ...{ files, clock: systemClock, header },
          openLevel: levelIn(dataDirectory),
        });
      },
      records: async (records) => await made.seed?.write(records),
    });
    assert(made.seed !== undefined, 'A whole backup has a header');
    // Until a new incarnation has begun, the directory is of two, and no member is opened on it.
    const nobodys = randomId(systemRandom);
    return await made.seed.finish(randomId(systemRandom), name, nobodys);
  } catch (error) {
    await made.seed?.abort();
    throw error;
  }
}

function begin(parts: {
  readonly files: Files;
  readonly identity: Identity;
  readonly storage: Storage;
  readonly addresses: Pick<RestoreOptions, 'peerAddress' | 'clientAddress'> | null;
}): Promise<NewIncarnation> {
  return beginIncarnation({ ...parts, clock: systemClock, random: systemRandom });
}

function open(files: Files, dataDirectory: string, identity: Identity): Promise<Storage> {
  const level = levelIn(dataDirectory);
  return openStorage({ files, openLevel: level, clock: systemClock, identity });
}

function levelIn(dataDirectory: string): OpenLevel {
  return (path) => openLevel(join(dataDirectory, path));
}

async function refuseUsed(dataDirectory: string): Promise<void> {
  const entries = await entriesOf(dataDirectory);
  // The lock is left by whoever was interrupted before anything was written.
  if (entries.every((entry) => entry === 'lock') || entries.includes(restoreMarkPath)) return;
  const message = `${dataDirectory} is not empty: a backup is restored into a new directory`;
  throw new RollcallError('dataDirectory', message);
}

/** What cannot be listed is empty, or refused with its reason when it is opened. */
async function entriesOf(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}

function planOf({ name, memberId }: Identity, clusterId: string, storage: Storage): RecoveryPlan {
  const { last, commitIndex, configuration } = logExtentOf(storage);
  const names = configuration.members.map((member) => member.name);
  return {
    ...{ name, memberId, clusterId, lastIndex: last.index, lastTerm: last.term },
    commitIndex: Math.min(commitIndex, last.index),
    others: [...new Set(names)].filter((other) => other !== name),
  };
}

function report(name: string, { digest, ...begun }: NewIncarnation): RecoveryReport {
  return { name, ...begun, digest: formatHash(digest) };
}

function notBorn(dataDirectory: string): RollcallError {
  const message = `${dataDirectory} is not the data directory of a member of a cluster`;
  return new RollcallError('dataDirectory', message);
}
