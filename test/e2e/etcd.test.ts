/** A few of the programs that `npm run test:etcd` runs, where an etcd is installed. */
import { expect, test } from 'vitest';
import { findEtcd } from '../etcd/etcd-store.ts';
import { Program, type Tally } from '../etcd/program.ts';
import { Stores } from '../etcd/stores.ts';

const etcd = await findEtcd();
const programs = 15;

test.skipIf(etcd === null)('generated programs have the same answers on an etcd', async () => {
  const stores = await Stores.start(etcd ?? '');
  const tally: Tally = { steps: 0, failed: 0, watches: 0, events: 0 };
  try {
    for (let seed = 1; seed <= programs; seed++) {
      await new Program(stores.pair, seed, tally).run(50);
    }
  } finally {
    await stores.stop();
  }
  expect(tally.failed).toBeGreaterThan(tally.steps / 10);
  expect(tally.failed).toBeLessThan(tally.steps / 2);
});
