/**
 * Fills an empty data directory with a state from elsewhere, whose log begins behind it. The identity
 * comes last. The directory is marked until then, as one without an identity is anybody's.
 */
import type { Clock } from '../base/clock.ts';
import type { CheckpointHeader } from '../format/checkpoint.ts';
import type { Birth } from '../format/identity.ts';
import type { NodeId } from '../format/types.ts';
import { saveSeeded } from './identity.ts';
import { Space } from './space.ts';
import { beginStaging, type StateStaging } from './staging.ts';
import type { Files, Identity, OpenLevel, StoredRecord } from './types.ts';
import { beginWal } from './wal/wal.ts';

export interface SeedOptions {
  readonly files: Files;
  readonly openLevel: OpenLevel;
  readonly clock: Clock;
  readonly header: CheckpointHeader;
}

const stateNumber = 1;
const sequence = 1;

export async function beginSeed(options: SeedOptions): Promise<Seed> {
  const { files, openLevel, clock, header } = options;
  const space = new Space(files, clock);
  const state = { files, openLevel, clock, space, failpoint() {}, onFailure() {}, onAbort() {} };
  // Nothing is ever written to it but what is staged.
  const unused = { generationBytesMax: 0, generationAgeMsMax: 0, valueCacheBytesMax: 0 };
  const staging = await beginStaging(
    { ...state, ...unused, sequence: () => sequence },
    stateNumber,
    header,
  );
  return new Seed(options, staging);
}

export class Seed {
  readonly #options: SeedOptions;
  readonly #staging: StateStaging;

  constructor(options: SeedOptions, staging: StateStaging) {
    this.#options = options;
    this.#staging = staging;
  }

  /** Records in key order, after those of earlier calls. */
  write(records: Iterable<StoredRecord>): Promise<void> {
    return this.#staging.write(records);
  }

  /**
   * Makes the directory a member of the cluster that the state is of, in another incarnation than the
   * state: it is for the next step to bring the two together. Durable when it resolves.
   */
  async finish(memberId: NodeId, name: string, incarnation: string): Promise<Identity> {
    await this.#staging.finish();
    await this.#staging.close();
    const { files, header } = this.#options;
    const { clusterId, configuration, applied: last } = header;
    await beginWal(
      { files, failpoint() {}, segmentBytes: Number.POSITIVE_INFINITY },
      {
        ...{ number: 1, memberId, clusterId, configuration, last },
        ...{ sequence, chain: { high: 0, low: 0 }, state: stateNumber, isInstall: false },
        hardState: { currentTerm: last.term, votedFor: null, commitIndex: last.index },
      },
    );
    const birth: Birth = { clusterId, incarnation, configuration, configurationIndex: last.index };
    return await saveSeeded(files, { memberId, name, birth, walBegun: true });
  }

  /** Lets the directory go when something has failed before the end; what was written is in it still. */
  async abort(): Promise<void> {
    await this.#staging.abort();
  }
}
