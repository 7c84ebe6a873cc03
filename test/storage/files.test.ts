import { join } from 'node:path';
import { createPrng } from '../../src/base/prng.ts';
import { openNodeFiles } from '../../src/storage/node-files.ts';
import { filesSuite } from '../conformance/files.ts';
import { SimulatedFiles } from '../sim/files.ts';
import { makeTemporaryDirectory } from './directories.ts';

filesSuite('The file system', async () => {
  const directory = await makeTemporaryDirectory();
  const place = join(directory.path, 'data');
  let files = await openNodeFiles(place);
  return {
    files,
    async reopen() {
      await files.close();
      files = await openNodeFiles(place);
      return files;
    },
    async remove() {
      await files.close();
      await directory.remove();
    },
  };
});

filesSuite('The simulated disk', async () => {
  const files = new SimulatedFiles();
  return { files, reopen: async () => files.cut('keep', createPrng(1)), async remove() {} };
});

filesSuite('The simulated disk after a power cut', async () => {
  const files = new SimulatedFiles();
  return { files, reopen: async () => files.cut('drop', createPrng(1)), async remove() {} };
});
