/** A member's disk and database in simulation, and what tests write to them. */
import { createPrng, type Random } from '../../src/base/prng.ts';
import type { Append, Configuration, Entry, HardState } from '../../src/format/types.ts';
import { loadIdentity, mintIdentity, saveBirth } from '../../src/storage/identity.ts';
import { openStorage, type StorageOptions } from '../../src/storage/storage.ts';
import type { Birth, CheckpointHeader, Storage } from '../../src/storage/types.ts';
import { VirtualClock } from '../sim/clock.ts';
import type { CutMode } from '../sim/file-content.ts';
import { type FileOperation, SimulatedFiles, type SimulatedFilesOptions } from '../sim/files.ts';
import { Power } from '../sim/power.ts';

export const memberId = '00000000000000a1';

export const configuration: Configuration = {
  members: [
    {
      id: memberId,
      name: 'a',
      peerAddress: '127.0.0.1:4641',
      clientAddress: '127.0.0.1:4640',
      featureLevel: 1,
      replaces: null,
      autoPromote: false,
    },
  ],
  voters: [memberId],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};

export const birth: Birth = {
  clusterId: '00000000000000c1',
  incarnation: '00000000000000e1',
  configuration,
  configurationIndex: 0,
};

export interface MachineHooks {
  readonly beforeFile?: (operation: FileOperation) => void | Promise<void>;
  readonly beforeBatch?: () => void | Promise<void>;
  readonly freeBytes?: () => number;
}

export class Machine {
  readonly power: Power;
  readonly clock = new VirtualClock();
  readonly files: SimulatedFiles;

  constructor(
    power: Power,
    hooks: MachineHooks = {},
    make: (options: SimulatedFilesOptions) => SimulatedFiles = (options) =>
      new SimulatedFiles(options),
  ) {
    this.power = power;
    this.files = make({
      power,
      ...(hooks.beforeFile && { before: hooks.beforeFile }),
      ...(hooks.beforeBatch && { beforeWrite: hooks.beforeBatch }),
      ...(hooks.freeBytes && { freeBytes: hooks.freeBytes }),
    });
  }

  /** Mints and births the member where a cut left that undone, and opens its storage. */
  async open(options: Partial<StorageOptions> = {}): Promise<Storage> {
    let identity =
      (await loadIdentity(this.files)) ?? (await mintIdentity(this.files, 'a', memberId));
    if (identity.birth === null) identity = await saveBirth(this.files, birth);
    return await openStorage({
      files: this.files,
      openLevel: this.files.openLevel,
      clock: this.clock,
      identity,
      segmentBytes: 64 * 1024,
      ...options,
    });
  }

  /** The machine after a power cut. */
  cut(mode: CutMode, random: Random = createPrng(1), hooks: MachineHooks = {}): Machine {
    return new Machine(new Power(), hooks, (options) => this.files.cut(mode, random, options));
  }
}

/** A command entry whose bytes are a function of its place. */
export function entryAt(index: number, term = 1, size = 20): Entry {
  const command = new Uint8Array(size).map((_, at) => (index * 31 + term * 7 + at) % 256);
  return { type: 'command', term, index, command };
}

export function entriesFrom(first: number, count: number, term = 1, size = 20): Entry[] {
  return Array.from({ length: count }, (_, at) => entryAt(first + at, term, size));
}

export function appendOf(entries: readonly Entry[], hardState: HardState | null = null): Append {
  return { number: 1, hardState, snapshot: null, entries };
}

export function headerAt(index: number, term = 1): CheckpointHeader {
  return {
    applied: { term, index },
    configuration,
    clusterId: birth.clusterId,
    incarnation: birth.incarnation,
    featureLevel: 1,
    revision: index + 1,
    logTimeMs: index * 10,
    wallTimeMs: 1_700_000_000_000 + index,
    compactRevisions: [0, 0],
    removedRevisions: [0, 0],
    timeMarks: [],
    digest: { high: 0xffffffff, low: index },
  };
}

/** Lets everything that waits for nothing but other promises run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
}
