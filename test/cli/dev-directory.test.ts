import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareDirectory } from '../../src/cli/dev-directory.ts';

let root = '';

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rollcall-dev-'));
});
afterEach(() => rm(root, { recursive: true }));

function options(nodes = 3, port = 4640) {
  return { nodes, port, dataDirectory: join(root, 'data') };
}

async function storeSomething(): Promise<void> {
  await mkdir(join(root, 'data', 'n1', 'wal'), { recursive: true });
  await writeFile(join(root, 'data', 'n1.log'), 'log');
  await writeFile(join(root, 'data', 'notes.txt'), 'mine');
}

const refused = expect.objectContaining({ code: 'dataDirectory' });

describe('The data directory of a development cluster', () => {
  test('is made, and kept as it is by the next run', async () => {
    await prepareDirectory(options(), false);
    await storeSomething();
    await prepareDirectory(options(), false);
    expect(await readdir(join(root, 'data'))).toEqual(['dev.json', 'n1', 'n1.log', 'notes.txt']);
  });

  test('loses the nodes and their logs when it shall be fresh, and nothing else', async () => {
    await prepareDirectory(options(), false);
    await storeSomething();
    await prepareDirectory(options(5), true);
    expect(await readdir(join(root, 'data'))).toEqual(['dev.json', 'notes.txt']);
  });

  test('is not used, let alone emptied, when no such run has made it', async () => {
    await storeSomething();
    await expect(prepareDirectory(options(), true)).rejects.toThrow(refused);
    await expect(prepareDirectory(options(), false)).rejects.toThrow(refused);
    expect(await readdir(join(root, 'data'))).toEqual(['n1', 'n1.log', 'notes.txt']);
  });

  test('keeps its nodes and ports', async () => {
    await prepareDirectory(options(), false);
    await expect(prepareDirectory(options(5), false)).rejects.toThrow(/--nodes 3 --port 4640/);
    await expect(prepareDirectory(options(3, 5000), false)).rejects.toThrow(refused);
  });

  test('is refused where a file stands in its way', async () => {
    await writeFile(join(root, 'data'), '');
    await expect(prepareDirectory(options(), false)).rejects.toThrow(refused);
  });
});
