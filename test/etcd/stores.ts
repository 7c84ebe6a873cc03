import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd } from './etcd-store.ts';
import type { Pair } from './program.ts';
import { startRollcall } from './rollcall-store.ts';

/** Programs draw revisions up to so many before the newest one. */
const historyMin = 120;

/** Two fresh stores that are at the same revision. */
export class Stores {
  readonly pair: Pair;
  readonly #directory: string;

  private constructor(pair: Pair, directory: string) {
    this.pair = pair;
    this.#directory = directory;
  }

  /** `etcd` is the path of the program. */
  static async start(etcd: string): Promise<Stores> {
    const directory = await mkdtemp(join(await place(), 'rollcall-etcd-'));
    const [ours, theirs] = [await startRollcall(directory), await startEtcd(etcd, directory)];
    const put = { type: 'put', key: 'a', value: new Uint8Array(0), leaseId: null } as const;
    const plain = { previous: false, ignoreValue: false, ignoreLease: false } as const;
    for (let at = 0; at < historyMin; at++) {
      await Promise.all([ours, theirs].map((store) => store.run({ ...put, ...plain })));
    }
    return new Stores({ ours, theirs, compactRevision: 0 }, directory);
  }

  async stop(): Promise<void> {
    await Promise.all([this.pair.ours.close(), this.pair.theirs.close()]);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** What is compared has nothing to do with disks, and memory is faster. */
function place(): Promise<string> {
  const memory = '/dev/shm';
  return access(memory, constants.W_OK).then(
    () => memory,
    () => tmpdir(),
  );
}
