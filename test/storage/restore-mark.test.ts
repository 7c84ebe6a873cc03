import { expect, test } from 'vitest';
import { createPrng } from '../../src/base/prng.ts';
import { loadIdentity } from '../../src/storage/identity.ts';
import {
  abandonRestore,
  beginRestore,
  endRestore,
  refuseRestoring,
} from '../../src/storage/restore-mark.ts';
import { beginSeed, type Seed } from '../../src/storage/seed.ts';
import type { Files } from '../../src/storage/types.ts';
import { Power } from '../sim/power.ts';
import { headerAt, Machine, memberId } from './machine.ts';

/** All of a restore but the new incarnation. */
async function restore(machine: Machine): Promise<void> {
  const { files } = machine;
  await beginRestore(files);
  const seed = await fill(machine);
  await seed.finish(memberId, 'a', '00000000000000e9');
  await endRestore(files);
}

async function fill({ files, clock }: Machine): Promise<Seed> {
  const { openLevel } = files;
  const seed = await beginSeed({ files, openLevel, clock, header: headerAt(20) });
  await seed.write([['k', Uint8Array.of(1)]]);
  return seed;
}

async function isMarked(files: Files): Promise<boolean> {
  const error: unknown = await refuseRestoring(files).catch((caught: unknown) => caught);
  if (error === undefined) return false;
  expect(error).toMatchObject({
    code: 'dataDirectory',
    message: expect.stringMatching(/^A restore of this data directory was interrupted/),
  });
  return true;
}

test('a power cut anywhere leaves nothing, a mark, or the member, and the next attempt finishes it', async () => {
  const seen = { nothing: 0, mark: 0, member: 0 };
  for (let operations = 0; ; operations++) {
    const machine = new Machine(new Power(operations));
    const isDone = await restore(machine).then(
      () => true,
      () => false,
    );
    const survivor = machine.cut('random', createPrng(operations));
    const { files } = survivor;
    if (await isMarked(files)) {
      seen.mark++;
    } else if ((await files.list('')).length === 0) {
      seen.nothing++;
    } else {
      expect(await files.list('')).toEqual(['identity', 'state', 'wal']);
      expect(await loadIdentity(files)).toMatchObject({ memberId, name: 'a' });
      seen.member++;
    }
    if (isDone) break;
    await restore(survivor);
    const finished = survivor.cut('drop').files;
    expect(await isMarked(finished)).toBe(false);
    expect(await loadIdentity(finished)).toMatchObject({ memberId });
  }
  expect(Math.min(seen.nothing, seen.mark, seen.member)).toBeGreaterThan(0);
});

test('nothing is left of a restore that has failed', async () => {
  const machine = new Machine(new Power());
  const { files } = machine;
  await beginRestore(files);
  const seed = await fill(machine);
  await seed.abort();
  await abandonRestore(files);
  expect(await machine.cut('drop').files.list('')).toEqual([]);
});
