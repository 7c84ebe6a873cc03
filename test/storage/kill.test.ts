import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPrng, type Random, randomBelow } from '../../src/base/prng.ts';
import { type ChildProgram, startChild } from './child.ts';
import { makeTemporaryDirectory } from './directories.ts';

/** What the program has said. It checks by itself, at each start, all that it finds. */
class Witness {
  acknowledged = 0;
  installs = 0;
  /** The state that was being installed when the process died. */
  #installing: number | null = null;
  /** How much of each of LevelDB's logs was synced after each batch. */
  readonly #synced = new Map<string, number[]>();

  /** False at the end of the program. */
  async hear(child: ChildProgram): Promise<boolean> {
    const line = await child.nextLine();
    if (line === null) return false;
    const [first, second, third] = line.split(' ');
    if (first === 'level') {
      this.#synced.set(second ?? '', [...this.syncedSizesOf(second ?? ''), Number(third)]);
    } else if (first === 'open') {
      // At most what was out when the process died is there beyond what it said.
      const { acknowledged } = this;
      const possible = [acknowledged, acknowledged + 1, this.#installing];
      expect(possible).toContain(Number(second));
      this.acknowledged = Number(second);
      this.#installing = null;
    } else if (first === 'install') {
      this.#installing = Number(second);
    } else {
      this.acknowledged = Number(first);
      if (this.#installing === this.acknowledged) this.installs++;
      this.#installing = null;
    }
    return true;
  }

  syncedSizesOf(log: string): number[] {
    return this.#synced.get(log) ?? [0];
  }
}

/** Runs the program for a while and kills it. */
async function runAndKill(parameters: string[], witness: Witness, random: Random): Promise<void> {
  const child = await startChild('append', parameters);
  expect(await witness.hear(child), 'the program has found fault with what is stored').toBe(true);
  const target = witness.acknowledged + 20 + randomBelow(random, 300);
  while (witness.acknowledged < target) expect(await witness.hear(child)).toBe(true);
  const killed = child.kill();
  while (await witness.hear(child));
  await killed;
}

test('kill -9 loses nothing that was acknowledged', async () => {
  const random = createPrng(9);
  const directory = await makeTemporaryDirectory();
  const witness = new Witness();
  for (let kill = 0; kill < 10; kill++) {
    await runAndKill([join(directory.path, 'data')], witness, random);
  }
  await directory.remove();
}, 60_000);

test('kill -9 amidst installs and releases leaves the old state or the new one', async () => {
  const random = createPrng(10);
  const directory = await makeTemporaryDirectory();
  const witness = new Witness();
  for (let kill = 0; kill < 10; kill++) {
    await runAndKill([join(directory.path, 'data'), 'installs'], witness, random);
  }
  expect(witness.installs).toBeGreaterThan(5);
  await directory.remove();
}, 60_000);

test('whatever a power cut leaves of LevelDB is the state at one index, and the log has the rest', async () => {
  const random = createPrng(11);
  const directory = await makeTemporaryDirectory();
  const data = join(directory.path, 'data');
  const witness = new Witness();
  let torn = 0;
  for (let cut = 0; cut < 15; cut++) {
    await runAndKill([data], witness, random);
    const place = join(data, 'state/1');
    const log =
      (await readdir(place))
        .filter((name) => name.endsWith('.log'))
        .sort()
        .at(-1) ?? '';
    if (await tearLog(join(place, log), witness.syncedSizesOf(log), random)) torn++;
  }
  expect(torn).toBeGreaterThan(0);
  await directory.remove();
}, 60_000);

/**
 * Cuts LevelDB's newest log back to a moment between two syncs, and zeroes a page of what was not yet
 * synced then.
 */
async function tearLog(path: string, syncedSizes: number[], random: Random): Promise<boolean> {
  const { size } = await stat(path);
  const moment = randomBelow(random, syncedSizes.length);
  const synced = syncedSizes[moment] ?? 0;
  const left = synced + randomBelow(random, (syncedSizes[moment + 1] ?? size) - synced + 1);
  const file = await open(path, 'r+');
  await file.truncate(left);
  const page = synced + randomBelow(random, Math.max(1, left - synced - 4096));
  const zeros = new Uint8Array(Math.min(4096, left - page));
  if (random() < 0.5) await file.write(zeros, 0, zeros.length, page);
  await file.close();
  return left < size;
}
