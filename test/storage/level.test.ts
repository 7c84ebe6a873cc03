import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import { openLevel } from '../../src/storage/level.ts';
import { levelSuite } from '../conformance/level.ts';
import { SimulatedLevelStore } from '../sim/level.ts';
import { makeTemporaryDirectory } from './directories.ts';

levelSuite('The database', async () => {
  const directory = await makeTemporaryDirectory();
  const place = join(directory.path, 'level');
  let level = await openLevel(place);
  return {
    level,
    async reopen() {
      await level.close();
      level = await openLevel(place);
      return level;
    },
    async remove() {
      await level.close();
      await directory.remove();
    },
  };
});

levelSuite('The model', async () => {
  const store = new SimulatedLevelStore();
  return {
    level: await store.open(),
    reopen: () => store.cut(createPrng(1)).open(),
    async remove() {},
  };
});
