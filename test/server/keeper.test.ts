import { expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { createPrng } from '../../src/base/prng.ts';
import type { Identity } from '../../src/format/identity.ts';
import { MemberKeeper } from '../../src/server/keeper.ts';
import { loadIdentity } from '../../src/storage/identity.ts';
import { SimulatedFiles } from '../sim/files.ts';
import { birth } from '../storage/machine.ts';

function keep(files: SimulatedFiles): { keeper: MemberKeeper<never>; rejoined: Identity[] } {
  const rejoined: Identity[] = [];
  const keeper = new MemberKeeper<never>({
    ...{ files, clock: { wall: () => 0 }, random: createPrng(1), log: silentLog, name: 'a' },
    mayRejoin: true,
    open: () => Promise.reject(new Error('Nobody opens a member here')),
    host: {
      opened() {},
      repairs() {},
      rejoins: async (identity) => {
        rejoined.push(identity);
      },
      failed: (error) => {
        throw error;
      },
    },
  });
  return { keeper, rejoined };
}

test('whose identity is lost between its making and its birth asks under a new one to be taken in', async () => {
  for (const damage of ['gone', 'rotten'] as const) {
    const files = new SimulatedFiles();
    const { keeper, rejoined } = keep(files);
    const { memberId } = await keeper.load();
    if (damage === 'gone') files.lose('identity');
    else files.content('identity')?.corrupt(3, (byte) => byte ^ 1);
    expect(await keeper.become(birth)).toBe(false);
    expect(keeper.identity.memberId).not.toBe(memberId);
    expect(rejoined).toEqual([keeper.identity]);
    expect(await loadIdentity(files)).toEqual(keeper.identity);
  }
});
